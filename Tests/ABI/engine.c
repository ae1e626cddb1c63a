/* The engine generates what a runner generates alone, whatever its options; its numbers say what it did. */
#include "engine.h"
#include <math.h>
#include <stdlib.h>

int32_t gather(void *user, const rally_event *event) {
  texts *all = user;
  if (event->request >= TEXT_COUNT) {
    all->disorder++;
    return 0;
  }
  text *told = &all->of[event->request];
  if (event->index != told->count || told->reason != RALLY_NOT_FINISHED || told->count == TEXT_CAPACITY) {
    all->disorder++;
    return 0;
  }
  if (event->token >= 0) {
    told->tokens[told->count] = event->token;
    told->depths[told->count] = event->depth;
    told->logprobs[told->count++] = event->logprob;
  }
  told->reason = event->finish_reason;
  all->ended += event->finish_reason != RALLY_NOT_FINISHED;
  return 0;
}

text generate_alone(rally_model *model, const rally_request *request) {
  text told;
  memset(&told, 0, sizeof told);
  rally_runner *runner = NULL;
  rally_generation generation;
  rally_generation_init(&generation, sizeof generation);
  generation.stride = TEXT_CAPACITY;
  generation.tokens = told.tokens;
  generation.depths = told.depths;
  generation.logprobs = told.logprobs;
  generation.token_counts = &told.count;
  generation.finish_reasons = &told.reason;
  rally_runner_options options;
  rally_runner_options_init(&options, sizeof options);
  options.threads = 1;
  CHECK_STATUS(rally_runner_open(model, &options, &runner, NULL), RALLY_OK);
  CHECK_STATUS(rally_generate(runner, request, 1, NULL, NULL, &generation, NULL), RALLY_OK);
  rally_runner_close(runner);
  return told;
}

int same_text(const text *one, const text *other) {
  return one->count == other->count && one->reason == other->reason
         && !memcmp(one->tokens, other->tokens, one->count * sizeof(int32_t))
         && !memcmp(one->depths, other->depths, one->count * sizeof(int32_t))
         && !memcmp(one->logprobs, other->logprobs, one->count * sizeof(float));
}

rally_engine_options engine_options(void) {
  rally_engine_options options;
  rally_engine_options_init(&options, sizeof options);
  return options;
}

rally_engine *open_engine(rally_model *model, const rally_engine_options *options) {
  rally_error error = make_error();
  rally_engine *engine = NULL;
  CHECK_STATUS(rally_engine_open(model, options, &engine, &error), RALLY_OK);
  if (!engine) fprintf(stderr, "  %s\n", error.message);
  return engine;
}

double counter(rally_engine *engine, const char *name) {
  double values[64] = {0};
  const size_t count = rally_engine_counter_count(engine);
  CHECK(count > 0 && count <= 64);
  CHECK_STATUS(rally_engine_counters(engine, values, 64, NULL), RALLY_OK);
  for (size_t i = 0; i < count; i++)
    if (!strcmp(rally_engine_counter_name(engine, i), name)) return values[i];
  fprintf(stderr, "  no counter %s\n", name);
  CHECK(0);
  return NAN;
}

/* Requests of different lengths and options. Their prompts begin alike, so that some share a prefix. */
enum { REQUESTS = 10, LONGEST = 200 };
static int32_t prompt[LONGEST];
static const int32_t bias_tokens[] = {3, 9};
static const float bias_values[] = {-INFINITY, 2.5f};
static const char *const stop_strings[] = {"no such text", " the"};

static void make_requests(rally_request *requests) {
  for (size_t i = 0; i < LONGEST; i++) prompt[i] = (int32_t)(i * 37 % 4000 + 1);
  for (size_t i = 0; i < REQUESTS; i++) {
    requests[i] = make_request(4 + 3 * i);
    requests[i].tokens = i % 4 == 3 ? prompt + 50 : prompt;
    requests[i].token_count = 1 + i * i;
    requests[i].temperature = i % 2 ? 0.9f : 0.0f;
    requests[i].top_k = i % 2 ? 40 : 0;
    requests[i].seed = i;
    requests[i].priority = (int32_t)(i % 3);
  }
  requests[4].max_depth = 1;
  requests[5].target_depth = 1.5;
  requests[6].repetition_penalty = 1.3f;
  requests[6].frequency_penalty = 0.2f;
  requests[7].bias_tokens = bias_tokens;
  requests[7].bias_values = bias_values;
  requests[7].bias_count = 2;
  requests[8].stop_strings = stop_strings;
  requests[8].stop_string_count = 2;
  requests[9].max_tokens = 100;
}

/* The loop of the header, as it is printed there. */
static int loop_of_the_header(rally_model *model, const rally_request *requests, size_t count, rally_event_callback on_event,
                              void *user) {
  rally_error error = make_error();
#include "engine_loop.inc"
  return 0;
}

static void expect_texts(const texts *all, const text *expected) {
  CHECK(all->disorder == 0 && all->ended == REQUESTS);
  for (size_t i = 0; i < REQUESTS; i++) CHECK(same_text(&all->of[i], &expected[i]));
}

/* However the engine is told to work. */
static void test_same_bits(const rally_request *requests, const text *expected) {
  static const struct {
    uint32_t threads, step_tokens, sequences;
    uint64_t cache_bytes;
    rally_batching batching;
    rally_switch sharing;
  } settings[] = {
      {1, 0, 0, 0, RALLY_BATCH_DEPTH, RALLY_DEFAULT},     {2, 7, 3, 0, RALLY_BATCH_DEPTH, RALLY_ON},
      {3, 64, 10, 0, RALLY_BATCH_DEPTH, RALLY_OFF},       {2, 0, 0, 0, RALLY_BATCH_SEQUENCE, RALLY_OFF},
      {2, 100, 10, 2 << 20, RALLY_BATCH_DEPTH, RALLY_ON}, {1, 1, 1, 0, RALLY_BATCH_DEPTH, RALLY_ON},
  };
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    rally_engine_options options = engine_options();
    options.threads = settings[i].threads;
    options.max_step_tokens = settings[i].step_tokens;
    options.max_sequences = settings[i].sequences;
    options.cache_bytes = settings[i].cache_bytes;
    options.batching = settings[i].batching;
    options.share_prefixes = settings[i].sharing;
    static texts all;
    memset(&all, 0, sizeof all);
    rally_engine *engine = open_engine(language_model, &options);
    for (size_t k = 0; k < REQUESTS; k++) {
      size_t id = 77;
      CHECK_STATUS(rally_engine_submit(engine, &requests[k], &id, NULL), RALLY_OK);
      CHECK(id == k);
    }
    CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
    expect_texts(&all, expected);
    rally_engine_close(engine);
  }
}

static void test_loop(const rally_request *requests, const text *expected) {
  static texts all;
  memset(&all, 0, sizeof all);
  CHECK(loop_of_the_header(language_model, requests, REQUESTS, gather, &all) == 0);
  expect_texts(&all, expected);
}

/* A cache for one of them at a time: the others give way and are computed again. */
static void test_pressure(void) {
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  CHECK_STATUS(rally_model_get_info(language_model, &info, NULL), RALLY_OK);
  rally_engine_options options = engine_options();
  options.cache_bytes = info.kv_bytes_per_token * 192;
  options.share_prefixes = RALLY_OFF;
  rally_engine *engine = open_engine(language_model, &options);
  rally_request requests[6];
  static texts all;
  memset(&all, 0, sizeof all);
  for (size_t i = 0; i < 6; i++) {
    requests[i] = make_request(90);
    requests[i].tokens = prompt + i;
    requests[i].token_count = 40;
    CHECK_STATUS(rally_engine_submit(engine, &requests[i], NULL, NULL), RALLY_OK);
  }
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  CHECK(counter(engine, "preemptions_total") > 0);
  CHECK(counter(engine, "blocks_used") == 0);
  for (size_t i = 0; i < 6; i++) {
    const text alone = generate_alone(language_model, &requests[i]);
    CHECK(same_text(&all.of[i], &alone));
  }
  rally_engine_close(engine);
}

static void test_counters(const rally_request *requests) {
  rally_engine *engine = open_engine(language_model, NULL);
  const size_t count = rally_engine_counter_count(engine);
  for (size_t i = 0; i < count; i++) CHECK(rally_engine_counter_name(engine, i) && *rally_engine_counter_name(engine, i));
  CHECK(rally_engine_counter_name(engine, count) == NULL && rally_engine_counter_name(engine, SIZE_MAX) == NULL);
  double values[64] = {7, 7};
  CHECK_STATUS(rally_engine_counters(engine, values, count - 1, NULL), RALLY_BUFFER_TOO_SMALL);
  CHECK_STATUS(rally_engine_counters(engine, NULL, count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(values[0] == 7 && values[1] == 7);

  static texts all;
  memset(&all, 0, sizeof all);
  size_t prompts = 0, generated = 0;
  for (size_t i = 0; i < REQUESTS; i++) CHECK_STATUS(rally_engine_submit(engine, &requests[i], NULL, NULL), RALLY_OK);
  rally_engine_cancel(engine, 2);
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  for (size_t i = 0; i < REQUESTS; i++) {
    prompts += i == 2 ? 0 : requests[i].token_count;
    generated += all.of[i].count;
  }
  CHECK(all.of[2].count == 0 && all.of[2].reason == RALLY_FINISH_CANCELLED);
  CHECK(counter(engine, "requests_submitted_total") == REQUESTS && counter(engine, "requests_finished_total") == REQUESTS);
  CHECK(counter(engine, "requests_cancelled_total") == 1 && counter(engine, "requests_waiting") == 0);
  CHECK(counter(engine, "requests_running") == 0 && counter(engine, "passes_total") > 0);
  CHECK(counter(engine, "prompt_tokens_total") + counter(engine, "prompt_tokens_shared_total") == (double)prompts);
  CHECK(counter(engine, "generated_tokens_total") == (double)generated);
  CHECK(counter(engine, "blocks") >= counter(engine, "blocks_used") && counter(engine, "seconds_products_total") > 0);
  CHECK(counter(engine, "cache_bytes") > 0 && counter(engine, "preemptions_total") == 0);
  rally_engine_close(engine);
}

/* The context ends a text that has no other limit, and so does a cache that holds less. */
static void test_ends(void) {
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  CHECK_STATUS(rally_model_get_info(language_model, &info, NULL), RALLY_OK);
  const size_t context = (size_t)info.max_position_embeddings;
  int32_t *tokens = calloc(context, sizeof *tokens);
  static texts all;
  memset(&all, 0, sizeof all);
  rally_engine *engine = open_engine(language_model, NULL);
  rally_request request = make_request(0);
  request.tokens = tokens;
  request.token_count = context - 3;
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  request.max_tokens = SIZE_MAX;
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  request.max_tokens = 4;
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  CHECK(all.of[0].count == 4 && all.of[0].reason == RALLY_FINISH_CONTEXT_FULL);
  CHECK(all.of[1].count == 4 && all.of[1].reason == RALLY_FINISH_CONTEXT_FULL);
  CHECK(all.of[2].count == 4 && all.of[2].reason == RALLY_FINISH_LIMIT);
  rally_engine_close(engine);

  memset(&all, 0, sizeof all);
  rally_engine_options options = engine_options();
  options.cache_bytes = info.kv_bytes_per_token * 64;
  engine = open_engine(language_model, &options);
  request = make_request(0);
  request.tokens = tokens;
  request.token_count = 10;
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  rally_error error = make_error();
  request.max_tokens = 60;
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, &error), RALLY_LIMIT_EXCEEDED);
  CHECK(strstr(error.message, "cache_bytes") && strstr(error.message, "64"));
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  CHECK(all.of[0].count == 55 && all.of[0].reason == RALLY_FINISH_CONTEXT_FULL && all.ended == 1);
  rally_engine_close(engine);
  free(tokens);
}

void test_engine(void) {
  rally_request requests[REQUESTS];
  static text expected[REQUESTS];
  make_requests(requests);
  for (size_t i = 0; i < REQUESTS; i++) expected[i] = generate_alone(language_model, &requests[i]);
  test_loop(requests, expected);
  test_same_bits(requests, expected);
  test_pressure();
  test_counters(requests);
  test_ends();
}
