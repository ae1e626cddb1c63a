/*
 * Sentences that arrive while others are being written: an engine continues all of them together, each until its full stop.
 * One is given up by its reader.
 *
 *     cc -std=c11 -Iinclude Examples/c/rally_engine.c .build/release/librally.so.0 -Wl,-rpath,$PWD/.build/release -o rally_engine
 *     ./rally_engine Examples/models/rally-tiny.onnx
 */
#include <rally.h>
#include <stdio.h>
#include <string.h>

enum { SENTENCES = 4, CAPACITY = 64, LONGEST = 120 };

/* What arrives before which step, and the step before which its reader leaves; -1: never. */
static const struct arrival {
  int step, leaves;
  const char *beginning;
} arrivals[SENTENCES] = {{0, -1, "Once upon a time"}, {8, -1, "The sea"}, {8, 18, "A dog and a cat"}, {40, -1, "One day, Tom"}};

typedef struct sentence {
  char text[LONGEST * 16];
  size_t length;
  int tokens, depths;
} sentence;

typedef struct table {
  rally_model *model;
  sentence of[SENTENCES]; /* by number of the request */
} table;

static const char *reason_name(rally_finish_reason reason) {
  switch (reason) {
    case RALLY_FINISH_STOP: return "full stop";
    case RALLY_FINISH_CANCELLED: return "given up";
    default: return "long enough";
  }
}

/* Appends a token to its sentence, and prints the sentence when it ends. */
static int32_t take(void *user, const rally_event *event) {
  table *all = user;
  sentence *written = &all->of[event->request];
  if (event->token >= 0) {
    size_t length = 0;
    char *end = written->text + written->length;
    if (rally_decode(all->model, &event->token, 1, NULL, end, sizeof written->text - written->length, &length, NULL)) return 1;
    written->length += length;
    written->tokens++;
    written->depths += event->depth;
  }
  if (event->finish_reason != RALLY_NOT_FINISHED)
    printf("%d  %s  [%s, %d tokens, %.2f recursions each]\n", (int)event->request, written->text,
           reason_name(event->finish_reason), written->tokens,
           (double)written->depths / (written->tokens ? written->tokens : 1));
  return 0;
}

static rally_status arrive(rally_engine *engine, table *all, const char *beginning, rally_error *error) {
  static const char *const full_stop[] = {"."};
  int32_t prompt[CAPACITY];
  size_t count = 0, id = 0;
  rally_status status = rally_encode(all->model, beginning, strlen(beginning), NULL, prompt, CAPACITY, &count, error);
  if (status) return status;
  rally_request request;
  rally_request_init(&request, sizeof request);
  request.tokens = prompt;
  request.token_count = count;
  request.max_tokens = LONGEST;
  request.temperature = 0.7f;
  request.frequency_penalty = 0.3f;
  request.stop_strings = full_stop;
  request.stop_string_count = 1;
  status = rally_engine_submit(engine, &request, &id, error);
  if (status) return status;
  all->of[id].length = strlen(beginning);
  memcpy(all->of[id].text, beginning, all->of[id].length);
  return RALLY_OK;
}

static rally_status write_all(rally_engine *engine, table *all, rally_error *error) {
  int32_t busy = 1;
  size_t arrived = 0;
  for (int step = 0; busy || arrived < SENTENCES; step++) {
    for (; arrived < SENTENCES && arrivals[arrived].step <= step; arrived++) {
      const rally_status status = arrive(engine, all, arrivals[arrived].beginning, error);
      if (status) return status;
    }
    for (size_t id = 0; id < arrived; id++)
      if (arrivals[id].leaves == step) rally_engine_cancel(engine, id);
    const rally_status status = rally_engine_step(engine, take, all, &busy, error);
    if (status) return status;
  }
  return RALLY_OK;
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "Examples/models/rally-tiny.onnx";
  static table all;
  rally_engine *engine = NULL;
  rally_error error;
  rally_error_init(&error, sizeof error);

  rally_status status = rally_model_open(path, NULL, &all.model, &error);
  if (!status) status = rally_engine_open(all.model, NULL, &engine, &error);
  if (!status) status = write_all(engine, &all, &error);
  if (status) fprintf(stderr, "%s: %s\n", rally_status_name(error.code), error.message);
  rally_engine_close(engine);
  rally_model_close(all.model);
  return status != RALLY_OK;
}
