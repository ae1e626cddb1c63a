/* Two threads on one runner, calls from inside callbacks, cancelling and deadlines. */
#include "check.h"
#include <pthread.h>

enum { LONG = 64 };

/* A call that has begun and waits inside its callback until it is let go. */
typedef struct gate {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int inside, open;
  rally_runner *runner;
  rally_status from_inside; /* what a call on the same runner answered from the callback */
  rally_status result;
  rally_finish_reason reason;
  size_t count;
} gate;

static void wait_inside(gate *gate) {
  pthread_mutex_lock(&gate->mutex);
  gate->inside = 1;
  pthread_cond_broadcast(&gate->changed);
  while (!gate->open) pthread_cond_wait(&gate->changed, &gate->mutex);
  pthread_mutex_unlock(&gate->mutex);
}

static void wait_until_inside(gate *gate) {
  pthread_mutex_lock(&gate->mutex);
  while (!gate->inside) pthread_cond_wait(&gate->changed, &gate->mutex);
  pthread_mutex_unlock(&gate->mutex);
}

static void let_go(gate *gate) {
  pthread_mutex_lock(&gate->mutex);
  gate->open = 1;
  pthread_cond_broadcast(&gate->changed);
  pthread_mutex_unlock(&gate->mutex);
}

static rally_status small_run(rally_runner *runner, int32_t *depths) {
  const size_t row_offsets[] = {0, 2};
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.depths = depths;
  return rally_run(runner, greeting, row_offsets, 1, NULL, &outputs, NULL);
}

static int32_t hold_at_first_token(void *user, const rally_event *event) {
  gate *gate = user;
  if (event->index == 0 && event->token >= 0) {
    int32_t depths[2];
    gate->from_inside = small_run(gate->runner, depths);
    wait_inside(gate);
  }
  return 0;
}

static void *generate_in_thread(void *user) {
  gate *gate = user;
  int32_t tokens[LONG];
  rally_request request = make_request(LONG);
  rally_generation generation;
  rally_generation_init(&generation, sizeof generation);
  generation.stride = LONG;
  generation.tokens = tokens;
  generation.token_counts = &gate->count;
  generation.finish_reasons = &gate->reason;
  gate->result = rally_generate(gate->runner, &request, 1, hold_at_first_token, gate, &generation, NULL);
  return NULL;
}

static void open_gate(gate *gate) {
  memset(gate, 0, sizeof *gate);
  pthread_mutex_init(&gate->mutex, NULL);
  pthread_cond_init(&gate->changed, NULL);
  CHECK_STATUS(rally_runner_open(language_model, NULL, &gate->runner, NULL), RALLY_OK);
}

static void test_busy_and_cancel(void) {
  gate gate;
  pthread_t thread;
  int32_t depths[2] = {7, 7};
  open_gate(&gate);
  CHECK(pthread_create(&thread, NULL, generate_in_thread, &gate) == 0);
  wait_until_inside(&gate);
  CHECK_STATUS(small_run(gate.runner, depths), RALLY_BUSY);
  CHECK(depths[0] == 7 && depths[1] == 7);
  rally_runner_cancel(gate.runner);
  let_go(&gate);
  pthread_join(thread, NULL);
  CHECK(gate.from_inside == RALLY_BUSY);
  CHECK_STATUS(gate.result, RALLY_OK);
  CHECK(gate.reason == RALLY_FINISH_CANCELLED && gate.count >= 1 && gate.count < LONG);
  CHECK_STATUS(small_run(gate.runner, depths), RALLY_OK);
  rally_runner_close(gate.runner);
}

static void *close_in_thread(void *user) {
  rally_runner_close(((gate *)user)->runner);
  return NULL;
}

static void test_close_during_call(void) {
  gate gate;
  pthread_t caller, closer;
  open_gate(&gate);
  CHECK(pthread_create(&caller, NULL, generate_in_thread, &gate) == 0);
  wait_until_inside(&gate);
  CHECK(pthread_create(&closer, NULL, close_in_thread, &gate) == 0);
  let_go(&gate);
  pthread_join(closer, NULL);
  pthread_join(caller, NULL);
  int32_t depths[2];
  CHECK_STATUS(gate.result, RALLY_OK);
  CHECK_STATUS(small_run(gate.runner, depths), RALLY_CLOSED);
}

static int32_t cancel_at_once(void *user, uint64_t done, uint64_t total) {
  uint64_t *calls = user;
  ++*calls;
  return done <= total ? 1 : 0;
}

static int32_t end_at_third(void *user, const rally_event *event) {
  size_t *seen = user;
  ++*seen;
  return event->index == 2 ? 1 : 0;
}

/* The three ways to stop that need no second thread. */
static void test_stops(void) {
  uint64_t calls = 0;
  int32_t depths[2] = {7, 7};
  rally_runner *runner = NULL;
  rally_runner_options options;
  rally_runner_options_init(&options, sizeof options);
  options.progress = cancel_at_once;
  options.progress_user = &calls;
  CHECK_STATUS(rally_runner_open(language_model, &options, &runner, NULL), RALLY_OK);
  rally_status status = small_run(runner, depths);
  CHECK(calls >= 1 && status == RALLY_CANCELLED);

  const size_t row_offsets[] = {0, 2};
  rally_run_options run_options;
  rally_run_options_init(&run_options, sizeof run_options);
  run_options.timeout_seconds = 1e-9;
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.depths = depths;
  status = rally_run(runner, greeting, row_offsets, 1, &run_options, &outputs, NULL);
  CHECK(status == RALLY_DEADLINE_EXCEEDED);

  size_t seen = 0, count = 0;
  int32_t tokens[LONG];
  rally_finish_reason reason = RALLY_NOT_FINISHED;
  rally_request request = make_request(LONG);
  rally_generation generation;
  rally_generation_init(&generation, sizeof generation);
  generation.stride = LONG;
  generation.tokens = tokens;
  generation.token_counts = &count;
  generation.finish_reasons = &reason;
  CHECK_STATUS(rally_generate(runner, &request, 1, end_at_third, &seen, &generation, NULL), RALLY_OK);
  CHECK(count == 3 && reason == RALLY_FINISH_CANCELLED && seen >= 3);
  generation.timeout_seconds = 1e-9;
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_OK);
  CHECK(count < LONG && reason == RALLY_FINISH_CANCELLED);
  rally_runner_close(runner);
}

static int32_t cancel_open(void *user, uint64_t done, uint64_t total) {
  (void)user, (void)done, (void)total;
  return 1;
}

static void test_cancelled_open(void) {
  rally_model *model = NULL;
  rally_model_options options;
  rally_model_options_init(&options, sizeof options);
  options.progress = cancel_open;
  CHECK_STATUS(rally_model_open(language_model_path, &options, &model, NULL), RALLY_CANCELLED);
  CHECK(model == NULL);
}

/* One model, a runner per thread: all at once, and the same bits as alone. */
enum { THREADS = 4 };

static void *logits_in_thread(void *user) {
  rally_runner *runner = NULL;
  rally_runner_options options;
  rally_runner_options_init(&options, sizeof options);
  options.threads = 1;
  const size_t row_offsets[] = {0, 2};
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.logprobs = user;
  rally_status status = rally_runner_open(language_model, &options, &runner, NULL);
  for (int round = 0; round < 8 && !status; round++) status = rally_run(runner, greeting, row_offsets, 1, NULL, &outputs, NULL);
  rally_runner_close(runner);
  return status ? user : NULL;
}

static void test_shared_model(void) {
  float logprobs[THREADS] = {0};
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, logits_in_thread, &logprobs[i]) == 0);
  for (int i = 0; i < THREADS; i++) {
    void *failed = NULL;
    pthread_join(threads[i], &failed);
    CHECK(failed == NULL);
    CHECK(logprobs[i] < 0 && !memcmp(&logprobs[i], &logprobs[0], sizeof(float)));
  }
}

void test_threads(void) {
  test_busy_and_cancel();
  test_close_during_call();
  test_stops();
  test_cancelled_open();
  test_shared_model();
}
