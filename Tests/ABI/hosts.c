/*
 * Hosts that are hard to live in: threads with stacks of 64 KB, threads that are cancelled, and a process that leaves in the middle.
 * A program of its own, with a child for each: hosts.c LANGUAGE-MODEL RATER FOLDER.
 */
#include "jobs.h"
#include <dirent.h>

enum { STACK = 64 << 10, LEAVINGS = 32, CANCELLED = 8 };

/* ---- small stacks ---- */

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

/* ---- leaving in the middle ---- */

static atomic_int events;

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
  if (!has_arguments(argc, argv)) return 2;
  test_small_stacks();
  test_leaving();
  test_cancelled_threads();
  test_a_cancelled_wait();
  return finish("hosts");
}
