/* Engines among threads and processes: who may call when, closing at any time, and what a fork leaves. */
#include "engine.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nap(void) { nanosleep(&(struct timespec){0, 200000}, NULL); }

/* Calls from within an event of `engine`. */
typedef struct inside {
  rally_engine *engine;
  texts all;
  size_t calls;
  rally_status step, run, counters, save, restore;
  size_t submitted;
} inside;

static int32_t call_back(void *user, const rally_event *event) {
  inside *in = user;
  gather(&in->all, event);
  if (in->calls++ > 0) return 0;
  int32_t busy = 7;
  double values[64];
  size_t size = 7, id = 7;
  rally_request request = make_request(3), rest = make_request(9);
  rest.token_count = 0;
  in->step = rally_engine_step(in->engine, NULL, NULL, &busy, NULL);
  in->run = rally_engine_run(in->engine, NULL, NULL, NULL);
  in->counters = rally_engine_counters(in->engine, values, 64, NULL);
  in->save = rally_engine_save(in->engine, 0, NULL, 0, &size, NULL);
  in->restore = rally_engine_restore(in->engine, values, 64, &rest, &id, NULL);
  CHECK(busy == 7 && size == 7 && id == 7);
  /* These are fine. */
  CHECK_STATUS(rally_engine_submit(in->engine, &request, &in->submitted, NULL), RALLY_OK);
  rally_engine_cancel(in->engine, 0);
  CHECK(rally_engine_counter_count(in->engine) > 0 && rally_engine_counter_name(in->engine, 0) != NULL);
  return 0;
}

static void test_inside_an_event(void) {
  static inside in;
  memset(&in, 0, sizeof in);
  in.engine = open_engine(language_model, NULL);
  rally_request request = make_request(50), late = make_request(3);
  CHECK_STATUS(rally_engine_submit(in.engine, &request, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_run(in.engine, call_back, &in, NULL), RALLY_OK);
  CHECK(in.step == RALLY_BUSY && in.run == RALLY_BUSY && in.counters == RALLY_OK);
  CHECK(in.save == RALLY_BUSY && in.restore == RALLY_BUSY);
  CHECK(in.all.of[0].reason == RALLY_FINISH_CANCELLED && in.all.of[0].count < 50);
  const text alone = generate_alone(language_model, &late);
  CHECK(in.submitted == 1 && same_text(&in.all.of[1], &alone) && in.all.disorder == 0);
  rally_engine_close(in.engine);
}

/* What a reply ends. */
static int32_t end_one(void *user, const rally_event *event) {
  gather(user, event);
  return event->request == 1 && event->index == 2 ? 1 : 0;
}
static int32_t end_all(void *user, const rally_event *event) {
  gather(user, event);
  return event->request == 1 && event->index == 2 ? 2 : 0;
}

static void test_replies(void) {
  for (int round = 0; round < 2; round++) {
    static texts all;
    memset(&all, 0, sizeof all);
    rally_engine *engine = open_engine(language_model, NULL);
    for (size_t i = 0; i < 3; i++) {
      rally_request request = make_request(10 + i);
      CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
    }
    CHECK_STATUS(rally_engine_run(engine, round ? end_all : end_one, &all, NULL), RALLY_OK);
    CHECK(all.ended == 3 && all.disorder == 0 && all.of[1].count == 3 && all.of[1].reason == RALLY_FINISH_CANCELLED);
    for (size_t i = 0; i < 3; i += 2) {
      CHECK(all.of[i].reason == (round ? RALLY_FINISH_CANCELLED : RALLY_FINISH_LIMIT));
      CHECK(round ? all.of[i].count <= 4 : all.of[i].count == 10 + i);
    }
    rally_engine_close(engine);
  }
}

/* Cancelling is about what was submitted before. */
static void test_cancel(void) {
  static texts all;
  memset(&all, 0, sizeof all);
  rally_engine *engine = open_engine(language_model, NULL);
  rally_request request = make_request(6);
  for (int i = 0; i < 3; i++) CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  rally_engine_cancel(engine, 1);
  rally_engine_cancel(engine, 1);
  rally_engine_cancel(engine, 99);
  rally_engine_cancel(engine, SIZE_MAX);
  CHECK_STATUS(rally_engine_step(engine, gather, &all, NULL, NULL), RALLY_OK);
  CHECK(all.ended == 1 && all.of[1].reason == RALLY_FINISH_CANCELLED && all.of[1].count == 0);
  rally_engine_cancel_all(engine);
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  CHECK(all.of[0].reason == RALLY_FINISH_CANCELLED && all.of[2].reason == RALLY_FINISH_CANCELLED);
  CHECK(all.of[3].reason == RALLY_FINISH_LIMIT && all.of[3].count == 6 && all.disorder == 0);
  CHECK(counter(engine, "requests_cancelled_total") == 3 && counter(engine, "requests_finished_total") == 4);
  rally_engine_cancel(engine, 3);
  int32_t busy = 7;
  CHECK_STATUS(rally_engine_step(engine, gather, &all, &busy, NULL), RALLY_OK);
  CHECK(busy == 0 && all.ended == 4);
  rally_engine_close(engine);
}

/* Threads submit and cancel while one drives, which begins no step while a thread is between the two: none ends before. */
enum { SUBMITTERS = 3, PER_THREAD = 8 };
typedef struct crowd {
  rally_engine *engine;
  atomic_int left, cancelling;
  size_t ids[SUBMITTERS][PER_THREAD];
} crowd;
typedef struct submitter {
  crowd *crowd;
  size_t number;
} submitter;

static void *submit_in_thread(void *user) {
  submitter *who = user;
  for (size_t i = 0; i < PER_THREAD; i++) {
    rally_request request = make_request(i % 4 == 3 ? 90 : 1 + i);
    size_t *id = &who->crowd->ids[who->number][i];
    atomic_fetch_add(&who->crowd->cancelling, 1);
    const rally_status status = rally_engine_submit(who->crowd->engine, &request, id, NULL);
    if (!status && i % 4 == 3) rally_engine_cancel(who->crowd->engine, *id);
    atomic_fetch_sub(&who->crowd->cancelling, 1);
    if (status) break;
    if (i % 3 == 0) nap();
  }
  atomic_fetch_sub(&who->crowd->left, 1);
  return NULL;
}

static void test_submitters(void) {
  static crowd crowd;
  static texts all;
  memset(&all, 0, sizeof all);
  crowd.engine = open_engine(language_model, NULL);
  atomic_init(&crowd.left, SUBMITTERS);
  atomic_init(&crowd.cancelling, 0);
  pthread_t threads[SUBMITTERS];
  submitter who[SUBMITTERS];
  for (size_t i = 0; i < SUBMITTERS; i++) {
    who[i] = (submitter){&crowd, i};
    CHECK(pthread_create(&threads[i], NULL, submit_in_thread, &who[i]) == 0);
  }
  int32_t busy = 1;
  while (busy || atomic_load(&crowd.left) > 0) {
    while (atomic_load(&crowd.cancelling)) nap();
    if (rally_engine_step(crowd.engine, gather, &all, &busy, NULL)) break;
  }
  for (size_t i = 0; i < SUBMITTERS; i++) pthread_join(threads[i], NULL);
  CHECK_STATUS(rally_engine_run(crowd.engine, gather, &all, NULL), RALLY_OK);
  CHECK(all.ended == SUBMITTERS * PER_THREAD && all.disorder == 0);
  for (size_t i = 0; i < SUBMITTERS; i++)
    for (size_t k = 0; k < PER_THREAD; k++) {
      const text *told = &all.of[crowd.ids[i][k]];
      CHECK(k % 4 == 3 ? told->reason == RALLY_FINISH_CANCELLED && told->count < 90
                       : told->reason == RALLY_FINISH_LIMIT && told->count == 1 + k);
    }
  rally_engine_close(crowd.engine);
}

/* A step that waits inside an event until others have met a busy engine and one of them closes it. */
typedef struct held {
  rally_engine *engine;
  atomic_int is_inside, may_leave;
  rally_status result;
} held;

static int32_t hold(void *user, const rally_event *event) {
  held *step = user;
  (void)event;
  atomic_store(&step->is_inside, 1);
  while (!atomic_load(&step->may_leave)) nap();
  return 0;
}
static void *run_in_thread(void *user) {
  held *step = user;
  step->result = rally_engine_run(step->engine, hold, step, NULL);
  return NULL;
}
static void *close_in_thread(void *user) {
  rally_engine_close(((held *)user)->engine);
  return NULL;
}

static void test_close_during_a_step(void) {
  held step = {.engine = open_engine(language_model, NULL)};
  pthread_t driver, closer;
  rally_request request = make_request(100);
  CHECK_STATUS(rally_engine_submit(step.engine, &request, NULL, NULL), RALLY_OK);
  CHECK(pthread_create(&driver, NULL, run_in_thread, &step) == 0);
  while (!atomic_load(&step.is_inside)) nap();
  int32_t busy = 7;
  CHECK_STATUS(rally_engine_step(step.engine, NULL, NULL, &busy, NULL), RALLY_BUSY);
  CHECK(busy == 7);
  CHECK(pthread_create(&closer, NULL, close_in_thread, &step) == 0);
  atomic_store(&step.may_leave, 1);
  pthread_join(closer, NULL);
  pthread_join(driver, NULL);
  CHECK(step.result == RALLY_OK || step.result == RALLY_CLOSED);
  CHECK_STATUS(rally_engine_step(step.engine, NULL, NULL, &busy, NULL), RALLY_CLOSED);
  CHECK_STATUS(rally_engine_submit(step.engine, &request, NULL, NULL), RALLY_CLOSED);
}

/* Model first, engine twice, a runner alongside it. */
static void test_any_order(void) {
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  CHECK_STATUS(rally_model_open(language_model_path, NULL, &model, NULL), RALLY_OK);
  CHECK_STATUS(rally_runner_open(model, NULL, &runner, NULL), RALLY_OK);
  rally_engine *engine = open_engine(model, NULL), *unused = open_engine(model, NULL);
  rally_model_close(model);
  rally_engine *late = NULL;
  CHECK_STATUS(rally_engine_open(model, NULL, &late, NULL), RALLY_CLOSED);
  CHECK(late == NULL);
  static texts all;
  memset(&all, 0, sizeof all);
  rally_request request = make_request(5);
  for (int i = 0; i < 3; i++) CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_step(engine, gather, &all, NULL, NULL), RALLY_OK);
  rally_runner_close(runner);
  rally_engine_close(unused);
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  CHECK(all.ended == 3);
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK); /* left unfinished */
  rally_engine_close(engine);
  rally_engine_close(engine);
  size_t size = 7;
  double values[64];
  CHECK_STATUS(rally_engine_step(engine, NULL, NULL, NULL, NULL), RALLY_CLOSED);
  CHECK_STATUS(rally_engine_run(engine, NULL, NULL, NULL), RALLY_CLOSED);
  CHECK_STATUS(rally_engine_counters(engine, values, 64, NULL), RALLY_CLOSED);
  CHECK_STATUS(rally_engine_save(engine, 0, NULL, 0, &size, NULL), RALLY_CLOSED);
  CHECK_STATUS(rally_engine_restore(engine, values, 64, &request, &size, NULL), RALLY_CLOSED);
  CHECK(rally_engine_counter_count(engine) == 0 && rally_engine_counter_name(engine, 0) == NULL && size == 7);
  rally_engine_cancel(engine, 0);
  rally_engine_cancel_all(engine);
}

/* In the child: 0 if all is as the header says, else the number of the first step that was not. */
static int child(rally_engine *engine) {
  rally_request request = make_request(3);
  double values[64];
  size_t size = 0;
  if (rally_engine_submit(engine, &request, &size, NULL) != RALLY_FORKED) return 1;
  if (rally_engine_step(engine, NULL, NULL, NULL, NULL) != RALLY_FORKED) return 2;
  if (rally_engine_run(engine, NULL, NULL, NULL) != RALLY_FORKED) return 3;
  if (rally_engine_counters(engine, values, 64, NULL) != RALLY_FORKED) return 4;
  if (rally_engine_save(engine, 0, NULL, 0, &size, NULL) != RALLY_FORKED) return 5;
  if (rally_engine_restore(engine, values, 64, &request, &size, NULL) != RALLY_FORKED) return 6;
  if (rally_engine_counter_count(engine) != 0 || rally_engine_counter_name(engine, 0)) return 7;
  rally_engine *own = NULL;
  if (rally_engine_open(language_model, NULL, &own, NULL) != RALLY_FORKED) return 8;
  rally_model *model = NULL;
  static texts all;
  if (rally_model_open(language_model_path, NULL, &model, NULL) || rally_engine_open(model, NULL, &own, NULL)) return 9;
  if (rally_engine_submit(own, &request, NULL, NULL) || rally_engine_run(own, gather, &all, NULL)) return 10;
  if (all.of[0].count != 3) return 11;
  rally_engine_cancel(engine, 0);
  rally_engine_close(engine); /* must neither hang nor crash */
  rally_engine_close(own);
  rally_model_close(model);
  return 0;
}

static void test_fork_of_engines(void) {
  static texts all;
  memset(&all, 0, sizeof all);
  rally_engine *engine = open_engine(language_model, NULL);
  rally_request request = make_request(20);
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  for (int i = 0; i < 5; i++) CHECK_STATUS(rally_engine_step(engine, gather, &all, NULL, NULL), RALLY_OK);
  fflush(NULL);
  pid_t process = fork();
  if (process == 0) {
    alarm(600);
    _exit(child(engine));
  }
  int status = 0;
  CHECK(process > 0 && waitpid(process, &status, 0) == process);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  if (WIFEXITED(status) && WEXITSTATUS(status)) fprintf(stderr, "  the child's step %d\n", WEXITSTATUS(status));
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  const text alone = generate_alone(language_model, &request);
  CHECK(same_text(&all.of[0], &alone));
  rally_engine_close(engine);
}

void test_engine_threads(void) {
  test_inside_an_event();
  test_replies();
  test_cancel();
  test_submitters();
  test_close_during_a_step();
  test_any_order();
  test_fork_of_engines();
}
