/* What engines are asked that they must refuse: the right code, and nothing changed. */
#include "engine.h"
#include <math.h>
#include <stdlib.h>

static void test_no_pointers(rally_engine *engine) {
  rally_engine *out = engine;
  rally_request request = make_request(4);
  size_t id = 7;
  int32_t busy = 7;
  uint64_t bytes = 7;
  double value = 7;
  rally_engine_close(NULL);
  rally_engine_cancel(NULL, 0);
  rally_engine_cancel_all(NULL);
  CHECK(rally_engine_counter_count(NULL) == 0 && rally_engine_counter_name(NULL, 0) == NULL);
  CHECK_STATUS(rally_engine_memory(NULL, NULL, &bytes, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_memory(language_model, NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_open(NULL, NULL, &out, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_open(language_model, NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_submit(NULL, &request, &id, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_submit(engine, NULL, &id, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_step(NULL, NULL, NULL, &busy, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_run(NULL, NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_counters(NULL, &value, 1, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_save(NULL, 0, NULL, 0, &id, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_save(engine, 0, NULL, 0, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_restore(NULL, "", 0, &request, &id, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_restore(engine, NULL, 64, &request, &id, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_restore(engine, &id, SIZE_MAX, &request, &id, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(out == engine && id == 7 && busy == 7 && bytes == 7 && value == 7);

  /* A handle of another kind, and an address that never was one. */
  int here = 0;
  CHECK_STATUS(rally_engine_submit((rally_engine *)language_model, &request, &id, NULL), RALLY_CLOSED);
  CHECK_STATUS(rally_engine_step((rally_engine *)&here, NULL, NULL, &busy, NULL), RALLY_CLOSED);
  rally_engine_close((rally_engine *)&here);
  rally_engine_cancel((rally_engine *)&here, 0);
  CHECK(id == 7 && busy == 7);
}

static void test_alignment(rally_engine *engine) {
  double room[32] = {0};
  rally_request request = make_request(4);
  memcpy((char *)room + 1, &request, sizeof request);
  CHECK_STATUS(rally_engine_submit(engine, misaligned(room), NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_submit(engine, &request, misaligned(room), NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_step(engine, NULL, NULL, misaligned(room), NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_counters(engine, misaligned(room), 31, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_save(engine, 0, NULL, 0, misaligned(room), NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_memory(language_model, NULL, misaligned(room), NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_memory(language_model, misaligned(room), (uint64_t *)room, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_open(language_model, NULL, misaligned(room), NULL), RALLY_INVALID_ARGUMENT);
  request.tokens = misaligned(room);
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_INVALID_ARGUMENT);
  request = make_request(4);
  request.bias_tokens = greeting;
  request.bias_values = misaligned(room);
  request.bias_count = 1;
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_INVALID_ARGUMENT);
  request = make_request(4);
  request.stop_strings = misaligned(room);
  request.stop_string_count = 1;
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_INVALID_ARGUMENT);
}

/* Submits a request with one field changed; it must be refused with this code. */
#define CHECK_REFUSED(field, value, expected)                                     \
  do {                                                                            \
    rally_request changed = make_request(4);                                      \
    size_t id = 7;                                                                \
    changed.field = (value);                                                      \
    CHECK_STATUS(rally_engine_submit(engine, &changed, &id, &error), (expected)); \
    CHECK(id == 7 && error.code == (expected) && strlen(error.message) > 10);     \
  } while (0)

static void test_numbers(rally_engine *engine) {
  rally_error error = make_error();
  CHECK_REFUSED(struct_size, 0, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(struct_size, SIZE_MAX, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(token_count, 0, RALLY_EMPTY_INPUT);
  CHECK_REFUSED(token_count, SIZE_MAX, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(token_count, SIZE_MAX / 8, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(tokens, NULL, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(temperature, NAN, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(temperature, INFINITY, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(temperature, -1, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(top_k, -1, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(top_k, INT32_MIN, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(top_p, 0, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(top_p, NAN, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(top_p, 1.5f, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(min_p, -0.1f, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(min_p, NAN, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(min_p, 2, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(stop_token_count, 3, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(stop_at_eos, (rally_switch)5, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(target_depth, NAN, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(target_depth, INFINITY, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(target_depth, -1, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(target_depth, 0.5, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(target_depth, 1e300, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(repetition_penalty, 0, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(repetition_penalty, -1, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(repetition_penalty, NAN, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(repetition_penalty, INFINITY, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(presence_penalty, NAN, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(presence_penalty, -INFINITY, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(frequency_penalty, NAN, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(frequency_penalty, INFINITY, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(bias_count, 1, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(bias_count, SIZE_MAX, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(stop_string_count, 1, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(stop_string_count, SIZE_MAX, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(top_logprobs, 65, RALLY_INVALID_ARGUMENT);
  CHECK_REFUSED(top_logprobs, UINT32_MAX, RALLY_INVALID_ARGUMENT);
}

static void test_arrays(rally_engine *engine) {
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  CHECK_STATUS(rally_model_get_info(language_model, &info, NULL), RALLY_OK);
  const size_t too_many = (size_t)info.max_position_embeddings + 1;
  int32_t *zeros = calloc(too_many, sizeof *zeros);
  const int32_t outside[] = {info.vocab_size, -1};
  const float numbers[] = {NAN, 1};
  const char *const empty[] = {"a", ""}, *const absent[] = {"a", NULL}, *const broken[] = {"a", "\xFF\xFE"};
  static const struct {
    const char *thing;
    rally_status expected;
  } wrong[] = {{"tokens", RALLY_INVALID_TOKEN},
               {"tokens", RALLY_INVALID_TOKEN},
               {"tokens", RALLY_CONTEXT_EXCEEDED},
               {"stop_tokens", RALLY_INVALID_TOKEN},
               {"bias", RALLY_INVALID_TOKEN},
               {"bias", RALLY_INVALID_ARGUMENT},
               {"bias_values", RALLY_INVALID_ARGUMENT},
               {"stop_strings", RALLY_INVALID_ARGUMENT},
               {"stop_strings", RALLY_INVALID_ARGUMENT},
               {"stop_strings", RALLY_INVALID_ARGUMENT}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    rally_request request = make_request(4);
    switch (i) {
      case 0:
      case 1: request.tokens = outside + i, request.token_count = 1; break;
      case 2: request.tokens = zeros, request.token_count = too_many; break;
      case 3: request.stop_tokens = outside + 1, request.stop_token_count = 1; break;
      case 4: request.bias_tokens = outside, request.bias_values = numbers + 1, request.bias_count = 1; break;
      case 5: request.bias_tokens = greeting, request.bias_values = numbers, request.bias_count = 1; break;
      case 6: request.bias_tokens = greeting, request.bias_count = 1; break;
      default: request.stop_strings = i == 7 ? empty : i == 8 ? absent : broken; request.stop_string_count = 2;
    }
    size_t id = 7;
    rally_error error = make_error();
    CHECK_STATUS(rally_engine_submit(engine, &request, &id, &error), wrong[i].expected);
    CHECK(id == 7 && strstr(error.message, wrong[i].thing) != NULL);
  }
  free(zeros);
}

/* Extreme options that are not wrong: they are fulfilled, and the host lives. */
static void test_extremes(void) {
  enum { EXTREMES = 10 };
  const int32_t twice[] = {5, 5};
  const float both[] = {INFINITY, -INFINITY}, most[] = {INFINITY};
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  CHECK_STATUS(rally_model_get_info(language_model, &info, NULL), RALLY_OK);
  const size_t vocab = (size_t)info.vocab_size;
  int32_t *all_tokens = calloc(vocab, sizeof *all_tokens);
  float *none = calloc(vocab, sizeof *none);
  for (size_t i = 0; i < vocab; i++) all_tokens[i] = (int32_t)i, none[i] = -INFINITY;
  /* All but one, which then comes whatever else is wished; all of them is refused. */
  rally_request nothing = make_request(5);
  nothing.bias_tokens = all_tokens, nothing.bias_values = none, nothing.bias_count = vocab;
  rally_engine *engine = open_engine(language_model, NULL);
  static texts all;
  memset(&all, 0, sizeof all);
  rally_error error = make_error();
  CHECK_STATUS(rally_engine_submit(engine, &nothing, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "logit_bias") != NULL);
  none[9] = -1e30f;
  for (size_t i = 0; i < EXTREMES; i++) {
    rally_request request = make_request(5);
    request.temperature = i % 2 ? 1.0f : 0.0f;
    switch (i) {
      case 0: request.repetition_penalty = 3e38f, request.presence_penalty = -3e38f; break;
      case 1: request.frequency_penalty = 3e38f, request.repetition_penalty = 1e-38f; break;
      case 2:
      case 3: request.bias_tokens = all_tokens, request.bias_values = none, request.bias_count = vocab; break;
      case 4:
      case 5: request.bias_tokens = twice, request.bias_values = both, request.bias_count = 2; break;
      case 6: request.bias_tokens = twice, request.bias_values = most, request.bias_count = 1; break;
      case 7: request.temperature = 3e38f, request.top_k = INT32_MAX, request.top_p = 1e-38f, request.min_p = 1; break;
      case 8: request.temperature = 1e-38f, request.max_depth = UINT32_MAX, request.top_logprobs = 64; break;
      default: request.priority = INT32_MIN, request.seed = UINT64_MAX;
    }
    CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  }
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  CHECK(all.ended == EXTREMES && all.disorder == 0);
  for (size_t i = 0; i < EXTREMES; i++) CHECK(all.of[i].count == 5);
  for (size_t i = 0; i < 5; i++) CHECK(all.of[6].tokens[i] == 5 && all.of[4].tokens[i] != 5);
  for (size_t i = 0; i < 5; i++) CHECK(all.of[2].tokens[i] == 9 && all.of[3].tokens[i] == 9);
  rally_engine_close(engine);
  free(none);
  free(all_tokens);
}

static void test_options(void) {
  rally_error error = make_error();
  rally_engine *engine = NULL;
  uint64_t bytes = 7;
  for (int i = 0; i < 15; i++) {
    rally_engine_options options = engine_options();
    rally_status expected = RALLY_INVALID_ARGUMENT;
    switch (i) {
      case 0: options.struct_size = 0; break;
      case 1: options.struct_size = sizeof options + 8; break;
      case 2: options.threads = 257; break;
      case 3: options.threads = UINT32_MAX; break;
      case 4: options.max_step_tokens = UINT32_MAX; break;
      case 5: options.max_sequences = UINT32_MAX; break;
      case 6: options.batching = (rally_batching)2; break;
      case 7: options.batching = (rally_batching)-1; break;
      case 8: options.share_prefixes = (rally_switch)2; break;
      case 9: options.share_prefixes = (rally_switch)-7; break;
      case 10: options.cache_bytes = 1, expected = RALLY_LIMIT_EXCEEDED; break;
      case 11: options.cache_bytes = UINT64_MAX, expected = RALLY_LIMIT_EXCEEDED; break;
      case 12: options.cache_bytes = (uint64_t)1 << 62, expected = RALLY_LIMIT_EXCEEDED; break;
      case 13: options.cache_dtype = (rally_dtype)4; break;
      case 14: options.cache_dtype = (rally_dtype)-1; break;
    }
    CHECK_STATUS(rally_engine_memory(language_model, &options, &bytes, &error), expected);
    CHECK(strlen(error.message) > 10 && (i < 10 || strstr(error.message, i < 13 ? "cache_bytes" : "cache_dtype")));
    CHECK_STATUS(rally_engine_open(language_model, &options, &engine, NULL), expected);
  }
  /* More than this machine has. */
  rally_engine_options options = engine_options();
  options.cache_bytes = (uint64_t)1 << 44;
  CHECK_STATUS(rally_engine_open(language_model, &options, &engine, NULL), RALLY_OUT_OF_MEMORY);
  CHECK_STATUS(rally_engine_open(rater, NULL, &engine, NULL), RALLY_WRONG_KIND);
  CHECK_STATUS(rally_engine_memory(rater, NULL, &bytes, NULL), RALLY_WRONG_KIND);
  CHECK(engine == NULL && bytes == 7);

  /* An older program's options end sooner. */
  options = engine_options();
  options.struct_size = offsetof(rally_engine_options, cache_bytes);
  options.batching = (rally_batching)99;
  options.cache_dtype = (rally_dtype)99;
  CHECK_STATUS(rally_engine_open(language_model, &options, &engine, NULL), RALLY_OK);
  rally_engine_close(engine);
}

/* A runner has a type of keys and values, too; a rater's is f32. */
static void test_cache_types_of_runners(void) {
  rally_runner *runner = NULL;
  rally_runner_options options;
  rally_runner_options_init(&options, sizeof options);
  for (int type = 0; type < 4; type++) {
    options.cache_dtype = (rally_dtype)type;
    CHECK_STATUS(rally_runner_open(rater, &options, &runner, NULL), type < 2 ? RALLY_OK : RALLY_UNSUPPORTED);
    rally_runner_close(runner);
    CHECK_STATUS(rally_runner_open(language_model, &options, &runner, NULL), RALLY_OK);
    rally_runner_close(runner);
    runner = NULL;
  }
  options.cache_dtype = (rally_dtype)4;
  CHECK_STATUS(rally_runner_open(language_model, &options, &runner, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(runner == NULL);
}

/* The smallest cache that opens holds one block per layer, and the message says how many bytes that is. */
static void test_smallest_cache(void) {
  rally_error error = make_error();
  rally_engine_options options = engine_options();
  rally_engine *engine = NULL;
  uint64_t least = 0, bytes = 0;
  options.cache_bytes = 1;
  CHECK_STATUS(rally_engine_memory(language_model, &options, &bytes, &error), RALLY_LIMIT_EXCEEDED);
  const char *number = strpbrk(error.message, "23456789");
  for (const char *digit = error.message; *digit; digit++) {
    const unsigned long long found = strtoull(digit, NULL, 10);
    if (found > least) least = found;
  }
  CHECK(number != NULL && least > 1);
  options.cache_bytes = least - 1;
  CHECK_STATUS(rally_engine_open(language_model, &options, &engine, NULL), RALLY_LIMIT_EXCEEDED);
  options.cache_bytes = least;
  engine = open_engine(language_model, &options);
  static texts all;
  memset(&all, 0, sizeof all);
  rally_request request = make_request(20);
  const text alone = generate_alone(language_model, &request);
  for (int i = 0; i < 3; i++) CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  for (int i = 0; i < 3; i++) CHECK(same_text(&all.of[i], &alone));
  rally_engine_close(engine);
}

void test_engine_arguments(void) {
  rally_engine *engine = open_engine(language_model, NULL);
  test_no_pointers(engine);
  test_alignment(engine);
  test_numbers(engine);
  test_arrays(engine);
  /* Nothing that was refused is in the queue. */
  int32_t busy = 7;
  CHECK_STATUS(rally_engine_step(engine, NULL, NULL, &busy, NULL), RALLY_OK);
  CHECK(busy == 0 && counter(engine, "requests_submitted_total") == 0);
  rally_engine_close(engine);
  test_extremes();
  test_options();
  test_cache_types_of_runners();
  test_smallest_cache();
}
