/*
 * Hosts that are hard to live in: threads with stacks of 64 KB, a process that forks while its threads compute or make the first
 * call of all, or with an allocator of its own, threads that are cancelled, and a process that leaves in the middle. A program of its own, with a child for each: hosts.c LANGUAGE-MODEL RATER FOLDER.
 * The program itself makes no call, so that each child's is the first of its process.
 */
#define _GNU_SOURCE
#include "children.h"
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { STACK = 64 << 10, COMPUTING = 4, FORKS = 48, AT_ONCE = 4, LEAVINGS = 32, MOMENTS = 12, ADDITIONS = 100000, SCORES = 64 };
enum { CANCELLED = 8, FORKING = 6 };

static const char *lm, *rater, *folder;
static char out[4096];
static int32_t tokens[60];
static const size_t offsets[] = {0, 20, 60};
static float *expected; /* two scores that all children see */
static int failed;

static void report(int good, const char *what) {
  printf("  %s%s\n", good ? "" : "DOES NOT HOLD: ", what);
  fflush(stdout);
  failed += !good;
}

/* ---- kinds of call; each opens what it needs, and answers RALLY_OK ---- */

static rally_request make_request(void) {
  rally_request request;
  rally_request_init(&request, sizeof request);
  request.tokens = tokens;
  request.token_count = 20;
  request.max_tokens = 12;
  request.temperature = 0.7f;
  return request;
}

static rally_status validate(void) {
  const rally_status status = rally_model_validate(lm, NULL, NULL);
  return status ? status : rally_model_validate(rater, NULL, NULL);
}

static rally_status text(void) {
  static const char words[] = "The sea, 12345 caf\xC3\xA9 \xF0\x9F\x98\x80\n\n\tand it's over";
  int32_t ids[256];
  char back[512];
  size_t count = 0, length = 0;
  rally_model *model = NULL;
  rally_status status = rally_model_open(lm, NULL, &model, NULL);
  if (!status) status = rally_encode(model, words, sizeof words - 1, NULL, ids, 256, &count, NULL);
  if (!status) status = rally_decode(model, ids, count, NULL, back, sizeof back, &length, NULL);
  rally_model_close(model);
  return status;
}

static rally_status rate_on(rally_runner *runner) {
  float scores[2] = {0, 0};
  const rally_status status = rally_rate(runner, tokens, offsets, 2, NULL, scores, NULL);
  return !status && memcmp(scores, expected, sizeof scores) ? (rally_status)99 : status;
}

static rally_status expect_on(rally_runner *runner) { return rally_rate(runner, tokens, offsets, 2, NULL, expected, NULL); }

static int expect(const void *nothing) {
  (void)nothing;
  return (int)with_runner(rater, expect_on);
}

static rally_status run_on(rally_runner *runner) {
  float logprobs[60];
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.logprobs = logprobs;
  return rally_run(runner, tokens, offsets, 2, NULL, &outputs, NULL);
}

static rally_status generate_on(rally_runner *runner) {
  const rally_request request = make_request();
  return rally_generate(runner, &request, 1, ignore, NULL, NULL, NULL);
}

static rally_status rate(void) { return with_runner(rater, rate_on); }
static rally_status run(void) { return with_runner(lm, run_on); }
static rally_status generate(void) { return with_runner(lm, generate_on); }

static rally_status drive(void) {
  rally_model *model = NULL;
  rally_engine *engine = NULL;
  rally_request request = make_request();
  const char *const stop = "no such text";
  request.stop_strings = &stop;
  request.stop_string_count = 1;
  rally_status status = rally_model_open(lm, NULL, &model, NULL);
  if (!status) status = rally_engine_open(model, NULL, &engine, NULL);
  for (int i = 0; !status && i < 8; i++) status = rally_engine_submit(engine, &request, NULL, NULL);
  if (!status) status = rally_engine_run(engine, ignore, NULL, NULL);
  rally_engine_close(engine);
  rally_model_close(model);
  return status;
}

static rally_status quantize(void) { return rally_quantize(lm, out, NULL, NULL); }
static rally_status prepare(void) { return rally_model_prepare(lm, out, NULL, NULL); }
static rally_status compare(void) { return lineage_with_itself(lm); }

static rally_status distribute(void) {
  rally_distribution *distribution = NULL;
  float scores[500];
  for (int i = 0; i < 500; i++) scores[i] = (float)(i * 37 % 101);
  rally_status status = rally_distribution_open("hosts", 64, &distribution, NULL);
  if (!status) status = rally_distribution_add(distribution, scores, 500, NULL);
  double parts[2] = {0.2, 0.9};
  if (!status) status = rally_distribution_quantile(distribution, parts, 2, scores, NULL);
  rally_distribution_close(distribution);
  return status;
}

typedef struct job {
  const char *name;
  rally_status (*work)(void);
} job;

static const job jobs[] = {{"validating", validate}, {"text", text},
                           {"rating", rate},         {"running", run},
                           {"generating", generate}, {"an engine", drive},
                           {"quantizing", quantize}, {"preparing", prepare},
                           {"lineage", compare},     {"a distribution", distribute}};
enum { JOBS = sizeof jobs / sizeof *jobs };

/* ---- small stacks ---- */

static void *work_on(void *argument) { return (void *)(intptr_t)((const job *)argument)->work(); }

static int on_small_stack(const void *job) {
  pthread_attr_t attributes;
  pthread_t thread;
  void *status = NULL;
  pthread_attr_init(&attributes);
  if (pthread_attr_setstacksize(&attributes, STACK) || pthread_create(&thread, &attributes, work_on, (void *)(intptr_t)job))
    return 99;
  pthread_join(thread, &status);
  return (int)(intptr_t)status;
}

/* A death in the child is a stack that was too small. */
static void test_small_stacks(void) {
  for (int i = 0; i < JOBS; i++) {
    char what[80];
    const int good = in_child(on_small_stack, &jobs[i]) == 0;
    snprintf(what, sizeof what, "a stack of 64 KB suffices for %s", jobs[i].name);
    report(good, what);
  }
}

/* ---- forks ---- */

typedef struct moment {
  const job *job;
  long nanoseconds; /* after the first call began */
} moment;

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

/* The status of a child that runs `work`, or 98 where it does not end by itself. */
static int status_of_child(rally_status (*work)(void)) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(300);
    _exit((int)work());
  }
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int fork_during_first_call(const void *argument) {
  const moment *moment = argument;
  pthread_t thread;
  void *status = NULL;
  const long begin = now();
  if (pthread_create(&thread, NULL, work_on, (void *)(intptr_t)moment->job)) return 99;
  while (now() - begin < moment->nanoseconds) {}
  const int in_child = status_of_child(moment->job->work);
  pthread_join(thread, &status);
  return in_child ? in_child : (int)(intptr_t)status;
}

/* What a process makes once for all, when it is first asked for, is whole in a child, whenever the fork came. */
static void test_forks_during_first_calls(void) {
  for (int i = 0; i < JOBS; i++) {
    int wrong = 0;
    for (int k = 0; k < MOMENTS && !wrong; k++) {
      const moment at = {&jobs[i], k * 1700000L};
      const int status = in_child(fork_during_first_call, &at);
      if (status) printf("  a fork %ld us after the first call: %d\n", at.nanoseconds / 1000, status);
      wrong += status != 0;
    }
    char what[120];
    snprintf(what, sizeof what, "forks during the first call of a process, %s: the child can make it, too", jobs[i].name);
    report(!wrong, what);
  }
}

static void *add_scores(void *distribution) {
  float scores[SCORES];
  for (int i = 0; i < SCORES; i++) scores[i] = (float)i;
  rally_status status = RALLY_OK;
  for (int i = 0; i < ADDITIONS && !status; i++) status = rally_distribution_add(distribution, scores, SCORES, NULL);
  return (void *)(intptr_t)status;
}

/* Two threads that wait for each other's lock. */
static rally_status share_a_distribution(void) {
  rally_distribution *distribution = NULL;
  pthread_t thread;
  void *other = NULL;
  rally_status status = rally_distribution_open("shared", 64, &distribution, NULL);
  if (status || pthread_create(&thread, NULL, add_scores, distribution)) return status ? status : RALLY_IO;
  status = (rally_status)(intptr_t)add_scores(distribution);
  pthread_join(thread, &other);
  rally_distribution_close(distribution);
  return status ? status : (rally_status)(intptr_t)other;
}

static int use_locks_and_fork(const void *nothing) {
  (void)nothing;
  const rally_status status = share_a_distribution();
  return status ? (int)status : status_of_child(share_a_distribution);
}

/* A lock of the parent's threads knows nothing of who they are in the child. */
static void test_locks_after_forks(void) {
  report(in_child(use_locks_and_fork, NULL) == 0, "threads of a child wait for each other's locks, as those of its parent did");
}

/* ---- forks of a host with an allocator of its own, whose lock a fork takes ---- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

static pthread_mutex_t heap = PTHREAD_MUTEX_INITIALIZER;
static int heap_has_lock; /* set before there are threads */

static void lock_heap(void) {
  if (heap_has_lock) pthread_mutex_lock(&heap);
}

static void unlock_heap(void) {
  if (heap_has_lock) pthread_mutex_unlock(&heap);
}

static void *unlocked(void *block) {
  unlock_heap();
  return block;
}

void *malloc(size_t size) { return lock_heap(), unlocked(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return lock_heap(), unlocked(__libc_calloc(count, size)); }
void *realloc(void *block, size_t size) { return lock_heap(), unlocked(__libc_realloc(block, size)); }

int posix_memalign(void **block, size_t alignment, size_t size) {
  lock_heap();
  void *const found = unlocked(__libc_memalign(alignment, size));
  if (found) *block = found;
  return found ? 0 : ENOMEM;
}

void free(void *block) {
  lock_heap();
  __libc_free(block);
  unlock_heap();
}

/* Its handlers are registered before the first call, and after the library was loaded. */
static int fork_with_own_heap(const void *moment) {
  heap_has_lock = 1;
  if (pthread_atfork(lock_heap, unlock_heap, unlock_heap)) return 99;
  return fork_during_first_call(moment);
}

/* The fork may not wait for a thread that waits for the heap. */
static void test_forks_with_own_heap(void) {
  int wrong = 0;
  for (int k = 0; k < MOMENTS && !wrong; k++) wrong += in_child(fork_with_own_heap, &(moment){jobs, k * 1700000L}) != 0;
  report(!wrong, "forks during the first call of a process with an allocator of its own: neither waits for ever");
}

static atomic_int has_called;

static void *fork_again_and_again(void *nothing) {
  while (!atomic_load(&has_called)) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    int status = -1;
    if (child > 0 && (waitpid(child, &status, 0) != child || status)) return (void *)1;
  }
  return nothing;
}

static int call_among_forks(const void *nothing) {
  (void)nothing;
  pthread_t threads[FORKING];
  int wrong = 0;
  for (int i = 0; i < FORKING; i++) wrong += pthread_create(&threads[i], NULL, fork_again_and_again, NULL) != 0;
  wrong += rate() || text();
  atomic_store(&has_called, 1);
  for (int i = 0; i < FORKING; i++) {
    void *answer = NULL;
    pthread_join(threads[i], &answer);
    wrong += answer != NULL;
  }
  return wrong;
}

static void test_calls_among_forks(void) {
  report(in_child(call_among_forks, NULL) == 0, "threads that do nothing but fork let a call come to its end");
}

/* ---- threads that are cancelled ---- */

static void *work_until_cancelled(void *argument) {
  const job *const job = argument;
  while (job->work() == RALLY_OK) pthread_testcancel();
  return NULL;
}

static int files_in(const char *folder) {
  int count = 0;
  DIR *files = opendir(folder);
  while (files && readdir(files)) count++;
  if (files) closedir(files);
  return count;
}

static int cancel_threads(const void *argument) {
  const job *const job = argument;
  const int files = files_in(folder), descriptors = files_in("/proc/self/fd");
  for (int i = 0; i < CANCELLED; i++) {
    pthread_t thread;
    void *answer = NULL;
    if (pthread_create(&thread, NULL, work_until_cancelled, (void *)(intptr_t)job)) return 99;
    usleep((useconds_t)i * 1700);
    pthread_cancel(thread);
    pthread_join(thread, &answer);
    if (answer != PTHREAD_CANCELED) return 98;
  }
  unlink(out);
  if (files_in(folder) > files || files_in("/proc/self/fd") > descriptors) return 97;
  const rally_status status = job->work();
  return status ? (int)status : status_of_child(job->work);
}

/* What they had taken is given back, locks as well as files: calls of others go on, and so do forks. */
static void test_cancelled_threads(void) {
  for (int i = 0; i < JOBS; i++) {
    char what[120];
    unlink(out);
    const int good = in_child(cancel_threads, &jobs[i]) == 0;
    snprintf(what, sizeof what, "threads that are cancelled leave nothing behind: %s", jobs[i].name);
    report(good, what);
  }
}

static void *wait_for_work(void *engine) {
  while (rally_engine_wait(engine, 0.05, NULL) != RALLY_INVALID_ARGUMENT) pthread_testcancel();
  return NULL;
}

static int cancel_a_waiting_thread(const void *nothing) {
  (void)nothing;
  rally_model *model = NULL;
  rally_engine *engine = NULL;
  const rally_request request = make_request();
  rally_status status = rally_model_open(lm, NULL, &model, NULL);
  if (!status) status = rally_engine_open(model, NULL, &engine, NULL);
  for (int i = 0; !status && i < CANCELLED; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_for_work, engine)) return 99;
    usleep((useconds_t)i * 3000);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    status = rally_engine_submit(engine, &request, NULL, NULL);
    if (!status) status = rally_engine_run(engine, ignore, NULL, NULL);
  }
  rally_engine_close(engine);
  rally_model_close(model);
  return (int)status;
}

static void test_a_cancelled_wait(void) {
  report(in_child(cancel_a_waiting_thread, NULL) == 0, "a thread that is cancelled while it waits for work keeps no lock");
}

/* ---- forks while others compute ---- */

static atomic_int closing, computed, events;

static void *compute(void *argument) {
  const int number = (int)(intptr_t)argument;
  rally_status (*const own[COMPUTING])(void) = {rate, generate, drive, text};
  while (!atomic_load(&closing)) {
    if (own[number]()) return (void *)1;
    atomic_fetch_add(&computed, 1);
  }
  return NULL;
}

/* Whatever its parent's threads were doing, a child opens and computes; the parent's handle says whose it is. */
static int go_on(rally_runner *parents) {
  float scores[2];
  if (rally_rate(parents, tokens, offsets, 2, NULL, scores, NULL) != RALLY_FORKED) return 1;
  if (rate()) return 2;
  return generate() ? 3 : 0;
}

static void test_fork_storm(void) {
  pthread_t threads[COMPUTING];
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  int good = !open_runner(rater, &model, &runner), wrong = 0;
  for (int i = 0; i < COMPUTING; i++) good = good && !pthread_create(&threads[i], NULL, compute, (void *)(intptr_t)i);
  pid_t children[AT_ONCE];
  for (int i = 0; i < FORKS; i += AT_ONCE) {
    fflush(NULL);
    for (int k = 0; k < AT_ONCE; k++) {
      children[k] = fork();
      if (children[k] == 0) {
        alarm(600);
        _exit(go_on(runner));
      }
    }
    for (int k = 0; k < AT_ONCE; k++) {
      int status = -1;
      const int ended = children[k] > 0 && waitpid(children[k], &status, 0) == children[k];
      if (ended && WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
      wrong++;
      printf("  a child ended with %s %d\n", WIFSIGNALED(status) ? "signal" : "step",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
  }
  atomic_store(&closing, 1);
  for (int i = 0; i < COMPUTING; i++) {
    void *answer = NULL;
    pthread_join(threads[i], &answer);
    good = good && !answer;
  }
  good = good && !rate_on(runner);
  rally_runner_close(runner);
  rally_model_close(model);
  char what[120];
  snprintf(what, sizeof what, "%d forks while %d threads compute, %d calls: every child opens and computes", FORKS, COMPUTING,
           atomic_load(&computed));
  report(good && !wrong, what);
}

/* ---- leaving in the middle ---- */

static int32_t count_event(void *user, const rally_event *event) {
  (void)event;
  atomic_fetch_add((atomic_int *)user, 1);
  return 0;
}

static void *generate_without_end(void *argument) {
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  rally_request request = make_request();
  request.max_tokens = 400;
  request.stop_at_eos = RALLY_OFF;
  if (open_runner(lm, &model, &runner)) return NULL;
  for (;;) rally_generate(runner, &request, 1, count_event, argument, NULL, NULL);
}

/* Leaves after `count` events of one thread, while it and others compute: opening, rating, an engine's steps. */
static int leave_after(const void *argument) {
  const int count = *(const int *)argument;
  pthread_t thread;
  for (int i = 0; i < COMPUTING; i++) pthread_create(&thread, NULL, compute, (void *)(intptr_t)i);
  pthread_create(&thread, NULL, generate_without_end, &events);
  while (atomic_load(&events) < count) usleep(100);
  exit(7);
}

static void test_leaving(void) {
  int wrong = 0;
  for (int i = 0; i < LEAVINGS; i++) {
    const int count = i % 8 ? i : 0, status = in_child(leave_after, &count);
    if (status != 7) printf("  leaving after %d events: %d\n", count, status);
    wrong += status != 7;
  }
  char what[120];
  snprintf(what, sizeof what, "exit() in the middle of everything, %d times: its own code, and not a word", LEAVINGS);
  report(!wrong, what);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  lm = argv[1];
  rater = argv[2];
  folder = argv[3];
  snprintf(out, sizeof out, "%s/hosts-out.onnx", folder);
  for (int i = 0; i < 60; i++) tokens[i] = (i * 31 + 7) % 4000;
  expected = mmap(NULL, 2 * sizeof *expected, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (expected == MAP_FAILED || in_child(expect, NULL)) return 2;
  test_small_stacks();
  test_leaving();
  test_forks_during_first_calls();
  test_locks_after_forks();
  test_forks_with_own_heap();
  test_calls_among_forks();
  test_cancelled_threads();
  test_a_cancelled_wait();
  test_fork_storm();
  unlink(out);
  printf("hosts: %d FAILED\n", failed);
  return failed != 0;
}
