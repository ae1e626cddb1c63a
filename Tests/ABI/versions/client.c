/* A program of version 0.1.0, kept as it was compiled then (client-0.1.0-x86_64): it must run with every later library of its
 * soname. It uses the structs that have grown since, from the stack, with a guard after each. */
#include <rally.h>
#include <stdio.h>
#include <string.h>

#define CHECK(condition)                                                                        \
  do {                                                                                          \
    if (!(condition)) return fprintf(stderr, "client: %s: %s\n", #condition, error.message), 1; \
  } while (0)

enum { GUARD = 0x5A };
static rally_error error;

/* A struct with a guard after it, so that a library that writes more than struct_size is seen. */
#define GUARDED(type, name)          \
  struct {                           \
    type value;                      \
    unsigned char guard[64];         \
  } name;                            \
  memset(&name, GUARD, sizeof name); \
  type##_init(&name.value, sizeof name.value)
#define INTACT(name) (name.guard[0] == GUARD && !memcmp(name.guard, name.guard + 1, sizeof name.guard - 1))

typedef struct told {
  int32_t tokens[64];
  size_t count;
  int wrong;
} told;

static int32_t hear(void *user, const rally_event *event) {
  told *all = user;
  all->wrong += event->struct_size < sizeof *event || event->index != all->count;
  if (event->token >= 0 && all->count < 64) all->tokens[all->count++] = event->token;
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  rally_error_init(&error, sizeof error);
  rally_model *model = NULL, *rater = NULL;
  rally_runner *runner = NULL;
  GUARDED(rally_model_options, how);
  how.value.dtype = RALLY_DTYPE_F32;
  CHECK(!rally_model_open(argv[1], &how.value, &model, &error) && !rally_model_open(argv[2], &how.value, &rater, &error));
  GUARDED(rally_model_info, info);
  CHECK(!rally_model_get_info(model, &info.value, &error) && INTACT(info) && info.value.vocab_size == 4096);
  int32_t prompt[32];
  size_t count = 0;
  CHECK(!rally_encode(model, "Once upon a time", 16, NULL, prompt, 32, &count, &error) && count > 0);

  GUARDED(rally_request, request);
  request.value.tokens = prompt;
  request.value.token_count = count;
  request.value.max_tokens = 8;
  request.value.stop_at_eos = RALLY_OFF;
  int32_t tokens[8];
  size_t made = 0;
  GUARDED(rally_generation, generation);
  generation.value.stride = 8;
  generation.value.tokens = tokens;
  generation.value.token_counts = &made;
  told heard = {0};
  GUARDED(rally_runner_options, running);
  CHECK(!rally_runner_open(model, &running.value, &runner, &error));
  CHECK(!rally_generate(runner, &request.value, 1, hear, &heard, &generation.value, &error));
  CHECK(INTACT(request) && INTACT(generation) && made == 8 && heard.count == 8 && !heard.wrong);
  CHECK(!memcmp(tokens, heard.tokens, sizeof tokens));

  /* The same of an engine, with two requests whose structs lie one after the other. */
  GUARDED(rally_engine_options, engine_how);
  rally_engine *engine = NULL;
  CHECK(!rally_engine_open(model, &engine_how.value, &engine, &error));
  told again = {0};
  CHECK(!rally_engine_submit(engine, &request.value, NULL, &error) && !rally_engine_run(engine, hear, &again, &error));
  CHECK(again.count == 8 && !again.wrong && !memcmp(tokens, again.tokens, sizeof tokens));
  rally_engine_close(engine);

  const size_t offsets[] = {0, count};
  float depthless[32 * 1] = {0};
  int32_t depths[32];
  GUARDED(rally_run_options, run_how);
  GUARDED(rally_outputs, outputs);
  outputs.value.logprobs = depthless;
  outputs.value.depths = depths;
  CHECK(!rally_run(runner, prompt, offsets, 1, &run_how.value, &outputs.value, &error) && depths[0] > 0 && depthless[0] < 0);
  rally_runner_close(runner);

  float score = 0, mean = 0;
  GUARDED(rally_rate_options, rating);
  GUARDED(rally_document_options, reading);
  GUARDED(rally_document_scores, documents);
  documents.value.mean = &mean;
  CHECK(!rally_runner_open(rater, NULL, &runner, &error));
  CHECK(!rally_rate(runner, prompt, offsets, 1, &rating.value, &score, &error));
  CHECK(!rally_rate_documents(runner, prompt, offsets, 1, &reading.value, &documents.value, &error) && mean == score);
  CHECK(INTACT(rating) && INTACT(reading) && INTACT(documents) && INTACT(outputs) && INTACT(run_how));
  rally_runner_close(runner);
  rally_model_close(rater);
  rally_model_close(model);
  return puts("client of 0.1.0: runs") < 0;
}
