/* What a server needs of an engine: whose event it is, waiting for work, a bounded queue, deadlines, one's own sampler. */
#include "engine.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

typedef struct seen {
  void *users[8];
  size_t events[8], tokens[8];
  rally_finish_reason reasons[8];
} seen;

static int32_t note(void *user, const rally_event *event) {
  seen *all = user;
  if (event->request >= 8) return 0;
  all->users[event->request] = event->user;
  all->events[event->request]++;
  all->tokens[event->request] += event->token >= 0;
  if (event->finish_reason) all->reasons[event->request] = event->finish_reason;
  return 0;
}

static void test_users(void) {
  rally_engine *engine = open_engine(language_model, NULL);
  int mine[3];
  seen all = {0};
  for (int i = 0; i < 3; i++) {
    rally_request request = make_request(4);
    request.user = i < 2 ? &mine[i] : NULL;
    CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  }
  CHECK_STATUS(rally_engine_run(engine, note, &all, NULL), RALLY_OK);
  CHECK(all.users[0] == &mine[0] && all.users[1] == &mine[1] && all.users[2] == NULL && all.events[1] == 4);
  rally_engine_close(engine);
}

static void test_queue(void) {
  rally_engine_options options;
  rally_engine_options_init(&options, sizeof options);
  options.max_sequences = 2;
  options.max_queue = 1;
  rally_engine *engine = open_engine(language_model, &options);
  rally_request request = make_request(2);
  size_t id = 77;
  rally_error error = make_error();
  for (int i = 0; i < 3; i++) CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_submit(engine, &request, &id, &error), RALLY_QUEUE_FULL);
  CHECK(id == 77 && error.code == RALLY_QUEUE_FULL && strstr(error.message, "3") != NULL);
  seen all = {0};
  CHECK_STATUS(rally_engine_run(engine, note, &all, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_submit(engine, &request, &id, NULL), RALLY_OK);
  CHECK(id == 3);
  rally_engine_cancel(engine, id);
  CHECK_STATUS(rally_engine_run(engine, note, &all, NULL), RALLY_OK);
  for (int i = 0; i < 3; i++) CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  rally_engine_close(engine);
}

static void test_deadlines(void) {
  rally_engine *engine = open_engine(language_model, NULL);
  rally_request request = make_request(0), endless = make_request(6), wrong = make_request(6);
  request.max_tokens = 200;
  request.timeout_seconds = 1e-9;
  endless.timeout_seconds = INFINITY;
  seen all = {0};
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_submit(engine, &endless, NULL, NULL), RALLY_OK);
  wrong.timeout_seconds = -1;
  CHECK_STATUS(rally_engine_submit(engine, &wrong, NULL, NULL), RALLY_INVALID_ARGUMENT);
  wrong.timeout_seconds = NAN;
  CHECK_STATUS(rally_engine_submit(engine, &wrong, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_run(engine, note, &all, NULL), RALLY_OK);
  CHECK(all.reasons[0] == RALLY_FINISH_DEADLINE && all.tokens[0] == 0 && all.events[0] == 1);
  CHECK(all.reasons[1] == RALLY_FINISH_LIMIT && all.tokens[1] == 6);
  rally_engine_close(engine);
}

static void *submit_later(void *engine) {
  nanosleep(&(struct timespec){0, 20000000}, NULL);
  rally_request request = make_request(2);
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
  return NULL;
}

static void *close_later(void *engine) {
  nanosleep(&(struct timespec){0, 20000000}, NULL);
  rally_engine_close(engine);
  return NULL;
}

static void test_waiting(void) {
  rally_engine *engine = open_engine(language_model, NULL);
  CHECK_STATUS(rally_engine_wait(engine, 0, NULL), RALLY_DEADLINE_EXCEEDED);
  CHECK_STATUS(rally_engine_wait(engine, 0.001, NULL), RALLY_DEADLINE_EXCEEDED);
  CHECK_STATUS(rally_engine_wait(engine, -1, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_wait(engine, NAN, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_engine_wait(NULL, 1, NULL), RALLY_INVALID_ARGUMENT);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, submit_later, engine) == 0);
  CHECK_STATUS(rally_engine_wait(engine, INFINITY, NULL), RALLY_OK);
  pthread_join(thread, NULL);
  CHECK_STATUS(rally_engine_wait(engine, 0, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_run(engine, NULL, NULL, NULL), RALLY_OK);
  CHECK_STATUS(rally_engine_wait(engine, 0, NULL), RALLY_DEADLINE_EXCEEDED);
  CHECK(pthread_create(&thread, NULL, close_later, engine) == 0);
  CHECK_STATUS(rally_engine_wait(engine, 1000, NULL), RALLY_CLOSED);
  pthread_join(thread, NULL);
  CHECK_STATUS(rally_engine_wait(engine, 1, NULL), RALLY_CLOSED);
}

/* Lets one token through, by the row's own user; and says what it saw. */
typedef struct grammar {
  size_t calls, rows, most;
  int answer, starves, wrong;
} grammar;

static int32_t constrain(void *user, const rally_logits *const *rows, size_t count) {
  grammar *own = user;
  own->calls++;
  own->rows += count;
  own->most = count > own->most ? count : own->most;
  for (size_t i = 0; i < count; i++) {
    const rally_logits *row = rows[i];
    const int32_t only = *(const int32_t *)row->user;
    own->wrong += row->struct_size != sizeof *row || row->count != 4096 || row->prompt_count != 2 || row->depth < 1;
    own->wrong += row->tokens[0] != greeting[0] || row->tokens[1] != greeting[1];
    for (size_t k = row->prompt_count; k < row->token_count; k++) own->wrong += row->tokens[k] != only;
    const int starves = own->starves && row->token_count == 4;
    for (size_t k = 0; k < row->count; k++)
      if (starves || (int32_t)k != only) row->values[k] = -INFINITY;
  }
  return own->answer;
}

static void test_logits(void) {
  const int32_t one = 100, other = 200;
  for (int mode = 0; mode < 3; mode++) {
    rally_engine *engine = open_engine(language_model, NULL);
    grammar own = {.answer = mode == 1, .starves = mode == 2};
    texts all = {0};
    rally_request request = make_request(5), free_one = make_request(5);
    request.on_logits = constrain;
    request.on_logits_user = &own;
    request.user = (void *)&one;
    CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
    request.user = (void *)&other;
    request.temperature = 1;
    CHECK_STATUS(rally_engine_submit(engine, &request, NULL, NULL), RALLY_OK);
    CHECK_STATUS(rally_engine_submit(engine, &free_one, NULL, NULL), RALLY_OK);
    CHECK_STATUS(rally_engine_run(engine, gather, &all, NULL), RALLY_OK);
    CHECK(own.wrong == 0 && own.calls > 0);
    const size_t expected = mode == 0 ? 5 : mode == 1 ? 0 : 2;
    const rally_finish_reason reason = mode == 0 ? RALLY_FINISH_LIMIT : mode == 1 ? RALLY_FINISH_CANCELLED : RALLY_FINISH_STOP;
    CHECK(all.of[0].count == expected && all.of[1].count == expected);
    CHECK(all.of[0].reason == reason && all.of[1].reason == reason);
    for (size_t i = 0; i < expected; i++) CHECK(all.of[0].tokens[i] == one && all.of[1].tokens[i] == other);
    const text alone = generate_alone(language_model, &free_one);
    CHECK(same_text(&all.of[2], &alone));
    rally_engine_close(engine);
  }
}

static void test_vocabulary(void) {
  size_t *offsets = calloc(4097, sizeof *offsets), longest = 0;
  uint8_t *special = calloc(4096, 1);
  CHECK_STATUS(rally_model_vocabulary(language_model, NULL, 0, offsets, special, &longest, NULL), RALLY_OK);
  const size_t size = offsets[4096];
  char *bytes = calloc(size + 1, 1);
  CHECK_STATUS(rally_model_vocabulary(language_model, bytes, size - 1, offsets, NULL, NULL, NULL), RALLY_BUFFER_TOO_SMALL);
  CHECK_STATUS(rally_model_vocabulary(language_model, bytes, size, NULL, NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_vocabulary(language_model, NULL, 1, offsets, NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_vocabulary(language_model, bytes, size, offsets, NULL, NULL, NULL), RALLY_OK);
  size_t most = 0, differing = 0, specials = 0;
  for (int32_t token = 0; token < 4096; token++) {
    char text[512];
    size_t length = 0;
    const size_t own = offsets[token + 1] - offsets[token];
    most = own > most ? own : most;
    specials += special[token];
    if (rally_decode(language_model, &token, 1, NULL, text, sizeof text, &length, NULL)) differing++;
    else differing += length != own || memcmp(text, bytes + offsets[token], own) != 0;
  }
  CHECK(differing == 0 && most == longest && specials > 0 && specials < 100);
  free(bytes);
  free(special);
  free(offsets);
}

static void test_build(void) {
  CHECK(rally_version_number() == RALLY_VERSION);
  char version[64];
  snprintf(version, sizeof version, "version %s\ncommit ", rally_version());
  CHECK(strncmp(rally_build_info(), version, strlen(version)) == 0);
  CHECK(strstr(rally_build_info(), "\ncompiler ") && strstr(rally_build_info(), "\nhighway 1.")
        && strstr(rally_build_info(), "\nboost 1_"));
}

void test_engine_server(void) {
  test_users();
  test_queue();
  test_deadlines();
  test_waiting();
  test_logits();
  test_vocabulary();
  test_build();
}
