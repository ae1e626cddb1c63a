/*
 * Hosts that fork: while other threads make the first call of the process, or compute, with an allocator of their own, and again and
 * again. A program of its own, with children that it forks: forks.c LANGUAGE-MODEL RATER FOLDER.
 */
#include "jobs.h"
#include <errno.h>
#include <time.h>

enum { FORKS = 48, AT_ONCE = 4, MOMENTS = 12, ADDITIONS = 100000, SCORES = 64, FORKING = 6 };

/* ---- during the first calls ---- */

typedef struct moment {
  const job *job;
  long nanoseconds; /* after the first call began */
} moment;

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
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

/* ---- while others compute ---- */

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

int main(int argc, char **argv) {
  if (!has_arguments(argc, argv)) return 2;
  test_forks_during_first_calls();
  test_locks_after_forks();
  test_forks_with_own_heap();
  test_calls_among_forks();
  test_fork_storm();
  return finish("forks");
}
