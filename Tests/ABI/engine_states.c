/* Sequences saved and restored: the same bits as if nothing had happened, and states that lie are refused or harmless. */
#include "engine.h"
#include <stdlib.h>

enum { PROMPT = 90, NEW = 40 };
static int32_t prompt[PROMPT];

static rally_request long_request(void) {
  for (int32_t i = 0; i < PROMPT; i++) prompt[i] = i * 53 % 4001 + 1;
  rally_request request = make_request(NEW);
  request.tokens = prompt;
  request.token_count = PROMPT;
  request.temperature = 0.8f;
  request.seed = 11;
  request.repetition_penalty = 1.1f;
  return request;
}

/* How a restored sequence goes on: as the request, without its tokens. */
static rally_request rest_of(rally_request request) {
  request.tokens = NULL;
  request.token_count = 0;
  return request;
}

/* The state in memory of its own; NULL and its size 0 when saving failed. */
static unsigned char *save(rally_engine *engine, size_t id, size_t *size) {
  *size = 0;
  CHECK_STATUS(rally_engine_save(engine, id, NULL, 0, size, NULL), RALLY_OK);
  if (*size == 0) return NULL;
  unsigned char *data = malloc(*size);
  size_t written = 0;
  CHECK_STATUS(rally_engine_save(engine, id, data, *size, &written, NULL), RALLY_OK);
  CHECK(written == *size);
  return data;
}

/* Steps until `count` tokens of request 0 were heard. */
static void step_until(rally_engine *engine, texts *all, size_t count) {
  for (int steps = 0; steps < 10000 && all->of[0].count < count; steps++)
    CHECK_STATUS(rally_engine_step(engine, gather, all, NULL, NULL), RALLY_OK);
}

/* Saves after so many steps or tokens, goes on in another engine on the model opened again, and there too. */
static void round_trip(const rally_request *request, size_t steps, size_t tokens, uint32_t step_tokens) {
  const text alone = generate_alone(language_model, request);
  rally_model *reopened = NULL;
  CHECK_STATUS(rally_model_open(language_model_path, NULL, &reopened, NULL), RALLY_OK);
  rally_engine_options options = engine_options();
  options.max_step_tokens = step_tokens;
  rally_engine *first = open_engine(language_model, &options), *second = open_engine(reopened, NULL);
  rally_request other = make_request(20), rest = rest_of(*request);
  static texts here, there;
  memset(&here, 0, sizeof here);
  memset(&there, 0, sizeof there);
  CHECK_STATUS(rally_engine_submit(first, request, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_submit(first, &other, NULL, NULL), RALLY_OK);
  for (size_t i = 0; i < steps; i++) CHECK_STATUS(rally_engine_step(first, gather, &here, NULL, NULL), RALLY_OK);
  step_until(first, &here, tokens);
  size_t size = 0, id = 77;
  unsigned char *state = save(first, 0, &size);
  text before = here.of[0];
  CHECK_STATUS(rally_engine_run(first, gather, &here, NULL), RALLY_OK);
  CHECK(same_text(&here.of[0], &alone));

  /* Alongside a request of the other engine, which has the number 0. */
  CHECK_STATUS(rally_engine_submit(second, &other, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_restore(second, state, size, &rest, &id, NULL), RALLY_OK);
  CHECK(id == 1);
  there.of[1] = before;
  CHECK_STATUS(rally_engine_run(second, gather, &there, NULL), RALLY_OK);
  CHECK(same_text(&there.of[1], &alone) && there.disorder == 0 && there.ended == 2);
  free(state);
  rally_engine_close(second);
  rally_engine_close(first);
  rally_model_close(reopened);
}

static void test_round_trips(void) {
  rally_request request = long_request();
  round_trip(&request, 1, 0, 0);   /* on its way through the model */
  round_trip(&request, 6, 0, 16);  /* half of the prompt */
  round_trip(&request, 0, 1, 0);
  round_trip(&request, 0, 23, 0);
  round_trip(&request, 0, NEW - 1, 0);
  request.target_depth = 1.4;
  request.max_depth = 2;
  round_trip(&request, 0, 30, 24);
  const char *const stops[] = {" and"};
  request = long_request();
  request.stop_strings = stops;
  request.stop_string_count = 1;
  round_trip(&request, 0, 2, 0);
}

/* One that has given up its blocks, or never had any. */
static void test_waiting(void) {
  rally_engine_options options = engine_options();
  options.max_sequences = 1;
  rally_engine *engine = open_engine(language_model, &options);
  rally_request request = long_request(), rest = rest_of(request);
  static texts all;
  memset(&all, 0, sizeof all);
  for (int i = 0; i < 2; i++) CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  step_until(engine, &all, 1);
  size_t size = 0, id = 0;
  unsigned char *state = save(engine, 1, &size);
  CHECK_STATUS(rally_engine_restore(engine, state, size, &rest, &id, NULL), RALLY_LIMIT_EXCEEDED); /* no place */
  CHECK(id == 0);
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_restore(engine, state, size, &rest, &id, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  CHECK(all.ended == 3 && id > 1 && same_text(&all.of[0], &all.of[1]) && same_text(&all.of[0], &all.of[id]));
  free(state);
  rally_engine_close(engine);
}

static void test_refusals(void) {
  rally_engine *engine = open_engine(language_model, NULL);
  rally_request request = long_request(), rest = rest_of(request);
  static texts all;
  memset(&all, 0, sizeof all);
  size_t size = 7, id = 7;
  CHECK_STATUS(rally_engine_save(engine, 0, NULL, 0, &size, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  step_until(engine, &all, 5);
  CHECK_STATUS(rally_engine_save(engine, 1, NULL, 0, &size, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_save(engine, SIZE_MAX, NULL, 0, &size, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_save(engine, 0, NULL, 64, &size, NULL), RALLY_INVALID_ARGUMENT);
  unsigned char small[64];
  memset(small, 0x5A, sizeof small);
  CHECK_STATUS(rally_engine_save(engine, 0, small, sizeof small, &size, NULL), RALLY_BUFFER_TOO_SMALL);
  CHECK(size == 7 && small[0] == 0x5A && small[63] == 0x5A);
  unsigned char *state = save(engine, 0, &size);

  rally_request wrong = request;
  CHECK_STATUS(rally_engine_restore(engine, state, size, &wrong, &id, NULL), RALLY_INVALID_ARGUMENT);
  wrong = rest;
  wrong.max_tokens = 5; /* as many as it has */
  CHECK_STATUS(rally_engine_restore(engine, state, size, &wrong, &id, NULL), RALLY_INVALID_ARGUMENT);
  wrong = rest;
  wrong.temperature = -1;
  CHECK_STATUS(rally_engine_restore(engine, state, size, &wrong, &id, NULL), RALLY_INVALID_ARGUMENT);
  wrong = rest;
  wrong.max_depth = 1;
  CHECK_STATUS(rally_engine_restore(engine, state, size, &wrong, &id, NULL), RALLY_WRONG_MODEL);
  wrong = rest;
  wrong.target_depth = 2;
  CHECK_STATUS(rally_engine_restore(engine, state, size, &wrong, &id, NULL), RALLY_WRONG_MODEL);
  CHECK(id == 7);
  CHECK_STATUS(rally_engine_restore(engine, state, size, &rest, NULL, NULL), RALLY_OK);

  /* The same file in another type. */
  rally_model *coarse = NULL;
  rally_model_options options;
  rally_model_options_init(&options, sizeof options);
  options.dtype = RALLY_DTYPE_BF16;
  CHECK_STATUS(rally_model_open(language_model_path, &options, &coarse, NULL), RALLY_OK);
  rally_engine *other = open_engine(coarse, NULL);
  CHECK_STATUS(rally_engine_restore(other, state, size, &rest, &id, NULL), RALLY_WRONG_MODEL);
  rally_engine_close(other);
  rally_model_close(coarse);
  CHECK(id == 7);
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_save(engine, 0, NULL, 0, &size, NULL), RALLY_INVALID_ARGUMENT);
  free(state);
  rally_engine_close(engine);
}

/* What the library computes over all but the last 8 bytes, so that a lie has a right checksum. */
static void seal(unsigned char *state, size_t size) {
  uint64_t sum = size - 8;
  for (size_t at = 0; at + 8 < size; at += 8) {
    uint64_t word;
    memcpy(&word, state + at, 8);
    sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
    sum ^= sum >> 29;
  }
  memcpy(state + size - 8, &sum, 8);
}

/* Restores a state that may lie; what is accepted must run to its end. */
static rally_status try_state(rally_engine *engine, const unsigned char *state, size_t size, const rally_request *rest) {
  size_t id = SIZE_MAX;
  rally_error error = make_error();
  const rally_status status = rally_engine_restore(engine, state, size, rest, &id, &error);
  CHECK(status == RALLY_OK ? id != SIZE_MAX : id == SIZE_MAX && error.code == status && strlen(error.message) > 10);
  if (status == RALLY_OK) CHECK_STATUS(rally_engine_run(engine, NULL, NULL, NULL), RALLY_OK);
  return status;
}

static void test_corruption(void) {
  enum { HEADER = 56 };
  rally_engine *engine = open_engine(language_model, NULL);
  rally_request request = long_request(), rest = rest_of(request);
  request.token_count = 40;
  static texts all;
  memset(&all, 0, sizeof all);
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  step_until(engine, &all, 3);
  size_t size = 0;
  unsigned char *state = save(engine, 0, &size), *broken = malloc(size + 64);
  rally_engine_cancel_all(engine);
  CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
  CHECK(try_state(engine, state, size, &rest) == RALLY_OK);
  memcpy(broken, state, size);
  seal(broken, size);
  CHECK(!memcmp(broken, state, size)); /* this file's checksum is the library's */

  int refused = 1;
  for (size_t at = 0; at < size; at += at < 512 ? 1 : 97) {
    broken[at] ^= 0x20;
    refused &= try_state(engine, broken, size, &rest) != RALLY_OK;
    broken[at] = state[at];
  }
  for (size_t cut = 0; cut < size; cut += cut < 256 ? 1 : 1001) refused &= try_state(engine, state, cut, &rest) != RALLY_OK;
  memset(broken + size, 0, 64);
  refused &= try_state(engine, broken, size + 8, &rest) != RALLY_OK;
  refused &= try_state(engine, broken, size + 64, &rest) != RALLY_OK;
  CHECK(refused);

  /* Lies with a right checksum: in the header none is accepted, elsewhere the host lives. */
  const uint64_t words[] = {0, 1, 2, 39, 40, 41, 42, 43, 44, 45, 1u << 31, UINT64_C(1) << 32, UINT64_MAX >> 1, UINT64_MAX};
  for (size_t at = 0; at < HEADER; at += 8)
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
      uint64_t word;
      memcpy(&word, state + at, 8);
      if (word == words[i]) continue;
      memcpy(broken, state, size);
      memcpy(broken + at, &words[i], 8);
      seal(broken, size);
      const rally_status status = try_state(engine, broken, size, &rest);
      /* Where prompt and text meet is the state's own word. */
      CHECK(status != RALLY_OK || at == 32);
    }
  uint64_t random = 88172645463325252u;
  int lived = 0;
  for (int round = 0; round < 300; round++) {
    memcpy(broken, state, size);
    for (int change = 0; change < 4; change++) {
      random ^= random << 13, random ^= random >> 7, random ^= random << 17;
      const size_t end = round % 2 ? HEADER + 43 * 4 + 48 : size - 8;
      broken[HEADER + random % (end - HEADER)] = (unsigned char)(random >> 40);
    }
    seal(broken, size);
    lived += try_state(engine, broken, size, &rest) >= RALLY_OK;
  }
  CHECK(lived == 300);

  /* The last token, which is not computed yet, left out: nothing would be left to run. */
  uint64_t counts[2]; /* tokens, and those that are computed */
  memcpy(counts, state + 40, sizeof counts);
  CHECK(counts[1] == counts[0] - 1);
  const size_t head = (HEADER + 4 * counts[0] + counts[1] + 7) / 8 * 8, shorter = (HEADER + 5 * counts[1] + 7) / 8 * 8;
  memset(broken, 0, size);
  memcpy(broken, state, HEADER + 4 * counts[1]);
  memcpy(broken + HEADER + 4 * counts[1], state + HEADER + 4 * counts[0], counts[1]);
  memcpy(broken + shorter, state + head, size - head);
  memcpy(broken + 40, &counts[1], sizeof counts[1]);
  seal(broken, size - head + shorter);
  CHECK(try_state(engine, broken, size - head + shorter, &rest) == RALLY_CORRUPT_FILE);

  /* Keys and values that are no numbers. */
  memcpy(broken, state, size);
  memset(broken + size / 2, 0xFF, size / 2 - 8 - size / 2 % 8);
  seal(broken, size);
  CHECK(try_state(engine, broken, size, &rest) == RALLY_OK);
  CHECK(counter(engine, "requests_running") == 0 && counter(engine, "requests_waiting") == 0);
  free(broken);
  free(state);
  rally_engine_close(engine);
}

void test_engine_states(void) {
  test_round_trips();
  test_waiting();
  test_refusals();
  test_corruption();
}
