/* What rally_runner_memory says is enough: a runner that may take just that serves such a call. */
#include "check.h"

enum { ROWS = 4, TOKENS = 290, NEW = 20 };

static int32_t tokens[TOKENS];
static const size_t offsets[ROWS + 1] = {0, 130, 189, 190, TOKENS};

static rally_status run(rally_runner *runner, rally_selection selection) {
  static float logprobs[TOKENS];
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.logprobs = logprobs;
  rally_run_options options;
  rally_run_options_init(&options, sizeof options);
  options.selection = selection;
  return rally_run(runner, tokens, offsets, ROWS, &options, &outputs, NULL);
}

static rally_status run_causally(rally_runner *runner) { return run(runner, RALLY_SELECT_THRESHOLD); }
static rally_status run_whole_rows(rally_runner *runner) { return run(runner, RALLY_SELECT_TOPK); }

static rally_status rate(rally_runner *runner) {
  float scores[ROWS];
  return rally_rate(runner, tokens, offsets, ROWS, NULL, scores, NULL);
}

static rally_status generate(rally_runner *runner) {
  rally_request requests[ROWS];
  for (size_t i = 0; i < ROWS; i++) {
    requests[i] = make_request(NEW);
    requests[i].tokens = tokens + offsets[i];
    requests[i].token_count = offsets[i + 1] - offsets[i];
    requests[i].temperature = 1;
    requests[i].top_p = .9f;
    requests[i].repetition_penalty = 1.2f;
  }
  int32_t places[ROWS * NEW];
  size_t counts[ROWS];
  rally_generation generation;
  rally_generation_init(&generation, sizeof generation);
  generation.tokens = places;
  generation.stride = NEW;
  generation.token_counts = counts;
  return rally_generate(runner, requests, ROWS, NULL, NULL, &generation, NULL);
}

static void check(const char *path, rally_dtype dtype, rally_status (*call)(rally_runner *), size_t new_tokens) {
  rally_model_options model_options;
  rally_model_options_init(&model_options, sizeof model_options);
  model_options.dtype = dtype;
  rally_model *model = NULL;
  CHECK_STATUS(rally_model_open(path, &model_options, &model, NULL), RALLY_OK);
  for (uint32_t threads = 1; threads <= 3; threads += 2)
    for (uint32_t batch = 0; batch <= 200; batch += 50) {
      rally_runner_options options;
      rally_runner_options_init(&options, sizeof options);
      options.threads = threads;
      options.max_batch_tokens = batch;
      rally_runner *runner = NULL;
      uint64_t bytes = 0;
      CHECK_STATUS(rally_runner_open(model, &options, &runner, NULL), RALLY_OK);
      CHECK_STATUS(rally_runner_memory(runner, offsets, ROWS, new_tokens, &bytes, NULL), RALLY_OK);
      rally_runner_close(runner);
      runner = NULL;
      options.max_memory_bytes = bytes;
      CHECK_STATUS(rally_runner_open(model, &options, &runner, NULL), RALLY_OK);
      CHECK_STATUS(call(runner), RALLY_OK);
      rally_runner_close(runner);
      options.max_memory_bytes = bytes / 2;
      if (rally_runner_open(model, &options, &runner, NULL) == RALLY_OK) {
        CHECK_STATUS(call(runner), RALLY_OUT_OF_MEMORY);
        rally_runner_close(runner);
      }
    }
  rally_model_close(model);
}

void test_room(void) {
  for (int32_t i = 0; i < TOKENS; i++) tokens[i] = 5 + i * 37 % 200;
  for (rally_dtype dtype = RALLY_DTYPE_F32; dtype <= RALLY_DTYPE_INT8; dtype++) {
    check(language_model_path, dtype, run_causally, 0);
    check(language_model_path, dtype, run_whole_rows, 0);
    check(language_model_path, dtype, generate, NEW);
    check(rater_path, dtype, rate, 0);
  }
}
