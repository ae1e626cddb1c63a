/* The numbers: finite, consistent with each other, and the same bits whatever runs alongside them. */
#include "check.h"
#include <math.h>
#include <stdlib.h>

enum { ROWS = 5, LONGEST = 24, NEW = 12 };

/* Rows of 1, 24, 7, 2 and 13 tokens. */
static const size_t row_offsets[ROWS + 1] = {0, 1, 25, 32, 34, 47};
static int32_t tokens[47];

static void fill_tokens(int32_t vocab_size) {
  uint32_t state = 20250806;
  for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
    state = state * 1664525u + 1013904223u;
    tokens[i] = (int32_t)(state >> 8) % vocab_size;
  }
}

static rally_runner *open_runner(rally_model *model, uint32_t threads, uint32_t batch) {
  rally_runner *runner = NULL;
  rally_runner_options options;
  rally_runner_options_init(&options, sizeof options);
  options.threads = threads;
  options.max_batch_tokens = batch;
  CHECK_STATUS(rally_runner_open(model, &options, &runner, NULL), RALLY_OK);
  return runner;
}

/* Together, alone, with other threads and in other batches: the same bits. */
static void test_same_bits_run(const rally_model_info *info) {
  const size_t vocab = (size_t)info->vocab_size, count = row_offsets[ROWS];
  float *together = calloc(count * vocab, sizeof(float)), *alone = calloc(LONGEST * vocab, sizeof(float));
  int32_t depths[47], depths_alone[LONGEST];
  rally_runner *wide = open_runner(language_model, 2, 0), *narrow = open_runner(language_model, 1, 16);
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.logits = together;
  outputs.depths = depths;
  CHECK_STATUS(rally_run(wide, tokens, row_offsets, ROWS, NULL, &outputs, NULL), RALLY_OK);
  int all_finite = 1;
  for (size_t i = 0; i < count * vocab; i++) all_finite &= isfinite(together[i]) != 0;
  CHECK(all_finite);

  for (size_t row = 0; row < ROWS; row++) {
    const size_t first = row_offsets[row], length = row_offsets[row + 1] - first, one[] = {0, length};
    outputs.logits = alone;
    outputs.depths = depths_alone;
    CHECK_STATUS(rally_run(narrow, tokens + first, one, 1, NULL, &outputs, NULL), RALLY_OK);
    CHECK(!memcmp(alone, together + first * vocab, length * vocab * sizeof(float)));
    CHECK(!memcmp(depths_alone, depths + first, length * sizeof(int32_t)));
    for (size_t i = 0; i < length; i++) CHECK(depths_alone[i] >= 0 && depths_alone[i] <= info->num_recursion);
  }
  free(alone);
  free(together);
  rally_runner_close(narrow);
  rally_runner_close(wide);
}

/* Log-probabilities, one chosen position's logits and the depth cap, against the full logits. */
static void test_outputs_agree(const rally_model_info *info) {
  const size_t vocab = (size_t)info->vocab_size, one[] = {0, LONGEST}, last[] = {LONGEST - 1};
  float *logits = calloc(LONGEST * vocab, sizeof(float)), *chosen = calloc(vocab, sizeof(float));
  float next[LONGEST - 1], given[LONGEST];
  int32_t targets[LONGEST], depths[LONGEST];
  rally_runner *runner = open_runner(language_model, 0, 0);
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.logits = logits;
  outputs.logprobs = next;
  CHECK_STATUS(rally_run(runner, tokens + 1, one, 1, NULL, &outputs, NULL), RALLY_OK);
  for (size_t i = 0; i + 1 < LONGEST; i++) {
    double sum = 0, greatest = -INFINITY;
    for (size_t v = 0; v < vocab; v++) greatest = fmax(greatest, logits[i * vocab + v]);
    for (size_t v = 0; v < vocab; v++) sum += exp(logits[i * vocab + v] - greatest);
    const double expected = logits[i * vocab + (size_t)tokens[i + 2]] - greatest - log(sum);
    CHECK(fabs(next[i] - expected) < 1e-4);
  }

  for (size_t i = 0; i < LONGEST; i++) targets[i] = i + 1 < LONGEST ? tokens[i + 2] : -1;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.targets = targets;
  outputs.logprobs = given;
  outputs.positions = last;
  outputs.position_count = 1;
  outputs.logits = chosen;
  CHECK_STATUS(rally_run(runner, tokens + 1, one, 1, NULL, &outputs, NULL), RALLY_OK);
  CHECK(!memcmp(given, next, sizeof next) && isnan(given[LONGEST - 1]));
  CHECK(!memcmp(chosen, logits + (LONGEST - 1) * vocab, vocab * sizeof(float)));

  rally_run_options options;
  rally_run_options_init(&options, sizeof options);
  options.max_depth = 1;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.depths = depths;
  CHECK_STATUS(rally_run(runner, tokens + 1, one, 1, &options, &outputs, NULL), RALLY_OK);
  for (size_t i = 0; i < LONGEST; i++) CHECK(depths[i] <= 1 || info->routing == RALLY_ROUTING_NONE);
  free(chosen);
  free(logits);
  rally_runner_close(runner);
}

/* A batch of prompts writes what each writes alone, sampled or not; the numbers are those of rally_run. */
static void test_same_bits_generate(void) {
  int32_t together[ROWS * NEW], depths[ROWS * NEW], alone[NEW], depths_alone[NEW];
  float logprobs[ROWS * NEW], logprobs_alone[NEW];
  size_t counts[ROWS], count = 0;
  rally_request requests[ROWS];
  rally_runner *wide = open_runner(language_model, 2, 0), *narrow = open_runner(language_model, 1, 8);
  for (size_t row = 0; row < ROWS; row++) {
    requests[row] = make_request(NEW);
    requests[row].tokens = tokens + row_offsets[row];
    requests[row].token_count = row_offsets[row + 1] - row_offsets[row];
    requests[row].seed = row;
    requests[row].temperature = row % 2 ? 0.8f : 0.0f;
    requests[row].top_k = row % 2 ? 20 : 0;
  }
  rally_generation generation;
  rally_generation_init(&generation, sizeof generation);
  generation.stride = NEW;
  generation.tokens = together;
  generation.depths = depths;
  generation.logprobs = logprobs;
  generation.token_counts = counts;
  CHECK_STATUS(rally_generate(wide, requests, ROWS, NULL, NULL, &generation, NULL), RALLY_OK);

  generation.tokens = alone;
  generation.depths = depths_alone;
  generation.logprobs = logprobs_alone;
  generation.token_counts = &count;
  for (size_t row = 0; row < ROWS; row++) {
    CHECK_STATUS(rally_generate(narrow, &requests[row], 1, NULL, NULL, &generation, NULL), RALLY_OK);
    CHECK(count == counts[row] && count == NEW);
    CHECK(!memcmp(alone, together + row * NEW, sizeof alone));
    CHECK(!memcmp(depths_alone, depths + row * NEW, sizeof depths_alone));
    CHECK(!memcmp(logprobs_alone, logprobs + row * NEW, sizeof logprobs_alone));
  }

  /* The last row once more, prompt and continuation together, through rally_run. */
  const size_t prompt = requests[ROWS - 1].token_count, one[] = {0, prompt + NEW};
  int32_t whole[LONGEST + NEW];
  float next[LONGEST + NEW];
  memcpy(whole, requests[ROWS - 1].tokens, prompt * sizeof(int32_t));
  memcpy(whole + prompt, alone, sizeof alone);
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.logprobs = next;
  CHECK_STATUS(rally_run(wide, whole, one, 1, NULL, &outputs, NULL), RALLY_OK);
  CHECK(!memcmp(next + prompt - 1, logprobs_alone, sizeof logprobs_alone));
  rally_runner_close(narrow);
  rally_runner_close(wide);
}

static void test_same_bits_rate(void) {
  float together[ROWS], alone = 0;
  rally_runner *wide = open_runner(rater, 2, 0), *narrow = open_runner(rater, 1, 16);
  CHECK_STATUS(rally_rate(wide, tokens, row_offsets, ROWS, NULL, together, NULL), RALLY_OK);
  for (size_t row = 0; row < ROWS; row++) {
    const size_t one[] = {0, row_offsets[row + 1] - row_offsets[row]};
    CHECK_STATUS(rally_rate(narrow, tokens + row_offsets[row], one, 1, NULL, &alone, NULL), RALLY_OK);
    CHECK(isfinite(alone) && !memcmp(&alone, &together[row], sizeof alone));
  }
  rally_runner_close(narrow);
  rally_runner_close(wide);

  /* Opened again, with other memory around it: still the same bits. */
  float again[ROWS];
  rally_model *reopened = NULL;
  CHECK_STATUS(rally_model_open(rater_path, NULL, &reopened, NULL), RALLY_OK);
  narrow = open_runner(reopened, 1, 0);
  CHECK_STATUS(rally_rate(narrow, tokens, row_offsets, ROWS, NULL, again, NULL), RALLY_OK);
  CHECK(!memcmp(again, together, sizeof again));
  rally_runner_close(narrow);
  rally_model_close(reopened);
}

void test_results(void) {
  rally_model_info info, judge;
  rally_model_info_init(&info, sizeof info);
  rally_model_info_init(&judge, sizeof judge);
  CHECK_STATUS(rally_model_get_info(language_model, &info, NULL), RALLY_OK);
  CHECK_STATUS(rally_model_get_info(rater, &judge, NULL), RALLY_OK);
  fill_tokens(info.vocab_size < judge.vocab_size ? info.vocab_size : judge.vocab_size);
  test_same_bits_run(&info);
  test_outputs_agree(&info);
  test_same_bits_generate();
  test_same_bits_rate();
}
