/* Threads that models, runners and engines share. */
#include "check.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUNNERS = 3, TURNS = 20 };

static const int32_t tokens[] = {5, 6, 7, 8, 9, 10, 11, 12};
static const size_t offsets[] = {0, 3, 8};
static float expected[2];

static rally_runner *runner_on(const rally_model *model, const rally_pool *pool) {
  rally_runner_options options;
  rally_runner_options_init(&options, sizeof options);
  options.pool = pool;
  rally_runner *runner = NULL;
  CHECK_STATUS(rally_runner_open(model, &options, &runner, NULL), RALLY_OK);
  return runner;
}

/* A thread's own: CHECK is for one thread at a time. */
typedef struct turns {
  rally_runner *runner;
  int good;
} turns;

static void *rate_often(void *argument) {
  turns *own = argument;
  for (int i = 0; i < TURNS; i++) {
    float scores[2] = {0, 0};
    own->good += !rally_rate(own->runner, tokens, offsets, 2, NULL, scores, NULL) && !memcmp(scores, expected, sizeof scores);
  }
  return NULL;
}

static int32_t keep_token(void *user, const rally_event *event) {
  int32_t *next = *(int32_t **)user;
  if (event->token >= 0) *next++ = event->token;
  *(int32_t **)user = next;
  return 0;
}

/* 12 tokens of one request. */
static void generate(const rally_pool *pool, int32_t found[12]) {
  rally_engine_options options;
  rally_engine_options_init(&options, sizeof options);
  options.pool = pool;
  options.max_sequences = 2;
  rally_engine *engine = NULL;
  CHECK_STATUS(rally_engine_open(language_model, &options, &engine, NULL), RALLY_OK);
  const rally_request request = make_request(12);
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_run(engine, keep_token, &found, NULL), RALLY_OK);
  rally_engine_close(engine);
}

/* Runners on one pool, from a thread each, with an engine among them: the bits of each alone. */
static void test_sharing(void) {
  rally_pool *pool = NULL;
  int32_t alone[12] = {0}, together[12] = {1};
  rally_runner *single = runner_on(rater, NULL);
  CHECK_STATUS(rally_rate(single, tokens, offsets, 2, NULL, expected, NULL), RALLY_OK);
  rally_runner_close(single);
  generate(NULL, alone);

  CHECK_STATUS(rally_pool_open(3, &pool, NULL), RALLY_OK);
  turns all[RUNNERS];
  pthread_t threads[RUNNERS];
  for (int i = 0; i < RUNNERS; i++) {
    all[i] = (turns){runner_on(rater, pool), 0};
    CHECK(!pthread_create(&threads[i], NULL, rate_often, &all[i]));
  }
  generate(pool, together);
  rally_pool_close(pool); /* those that compute go on with it */
  for (int i = 0; i < RUNNERS; i++) {
    pthread_join(threads[i], NULL);
    CHECK(all[i].good == TURNS);
    rally_runner_close(all[i].runner);
  }
  CHECK(!memcmp(alone, together, sizeof alone));
}

/* A model that a pool opens. */
static void test_opening(void) {
  rally_pool *pool = NULL;
  CHECK_STATUS(rally_pool_open(2, &pool, NULL), RALLY_OK);
  rally_model_options options;
  rally_model_options_init(&options, sizeof options);
  options.pool = pool;
  rally_model *model = NULL;
  CHECK_STATUS(rally_model_open(rater_path, &options, &model, NULL), RALLY_OK);
  rally_runner *runner = runner_on(model, pool);
  rally_pool_close(pool);
  rally_model_close(model);
  float scores[2] = {0, 0};
  CHECK_STATUS(rally_rate(runner, tokens, offsets, 2, NULL, scores, NULL), RALLY_OK);
  CHECK(!memcmp(scores, expected, sizeof scores));
  rally_runner_close(runner);
}

static void test_refusals(void) {
  rally_error error = make_error();
  rally_pool *pool = NULL;
  CHECK_STATUS(rally_pool_open(2, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_pool_open(257, &pool, &error), RALLY_INVALID_ARGUMENT);
  CHECK(pool == NULL);
  CHECK_STATUS(rally_pool_open(1, &pool, &error), RALLY_OK);
  rally_runner_options options;
  rally_runner_options_init(&options, sizeof options);
  options.pool = pool;
  options.threads = 1;
  rally_runner *runner = NULL;
  CHECK_STATUS(rally_runner_open(rater, &options, &runner, &error), RALLY_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "pool"));
  options.threads = 0;
  options.pool = (const rally_pool *)rater;
  CHECK_STATUS(rally_runner_open(rater, &options, &runner, &error), RALLY_CLOSED);

  rally_engine_options engine_options;
  rally_engine_options_init(&engine_options, sizeof engine_options);
  uint64_t own = 0, shared = 0;
  engine_options.pool = pool;
  CHECK_STATUS(rally_engine_memory(language_model, &engine_options, &shared, &error), RALLY_OK);
  engine_options.pool = NULL;
  engine_options.threads = 1;
  CHECK_STATUS(rally_engine_memory(language_model, &engine_options, &own, &error), RALLY_OK);
  CHECK(own == shared && own > 0);

  rally_pool_close(pool);
  rally_pool_close(pool);
  rally_pool_close(NULL);
  options.pool = pool;
  CHECK_STATUS(rally_runner_open(rater, &options, &runner, &error), RALLY_CLOSED);
  CHECK(runner == NULL);
}

/* The child has a pool of its own or none; the parent's go on. */
static int child(const rally_pool *pool) {
  rally_runner_options options;
  rally_runner_options_init(&options, sizeof options);
  options.pool = pool;
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  rally_pool *own = NULL;
  float scores[2] = {0, 0};
  if (rally_model_open(rater_path, NULL, &model, NULL)) return 1;
  if (rally_runner_open(model, &options, &runner, NULL) != RALLY_FORKED) return 2;
  rally_pool_close((rally_pool *)(uintptr_t)pool);
  if (rally_pool_open(2, &own, NULL)) return 3;
  options.pool = own;
  if (rally_runner_open(model, &options, &runner, NULL)) return 4;
  if (rally_rate(runner, tokens, offsets, 2, NULL, scores, NULL)) return 5;
  return memcmp(scores, expected, sizeof scores) ? 6 : 0;
}

static void test_forking(void) {
  rally_pool *pool = NULL;
  CHECK_STATUS(rally_pool_open(2, &pool, NULL), RALLY_OK);
  rally_runner *runner = runner_on(rater, pool);
  const pid_t process = fork();
  if (process == 0) _exit(child(pool));
  int status = 1;
  CHECK(process > 0 && waitpid(process, &status, 0) == process && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  float scores[2] = {0, 0};
  CHECK_STATUS(rally_rate(runner, tokens, offsets, 2, NULL, scores, NULL), RALLY_OK);
  CHECK(!memcmp(scores, expected, sizeof scores));
  rally_runner_close(runner);
  rally_pool_close(pool);
}

void test_pool(void) {
  test_sharing();
  test_opening();
  test_refusals();
  test_forking();
}
