/* What a teacher and a base predict along rows, against the logits of both. */
#include "check.h"
#include <math.h>
#include <stdlib.h>

enum { ROWS = 3 };
static const size_t offsets[ROWS + 1] = {0, 1, 71, 100};
static int32_t row_tokens[100];

static double log_sum_exp(const float *logits, size_t count) {
  double largest = -INFINITY, sum = 0;
  for (size_t i = 0; i < count; i++) largest = fmax(largest, logits[i]);
  for (size_t i = 0; i < count; i++) sum += exp(logits[i] - largest);
  return largest + log(sum);
}

static float *logits_of(rally_runner *runner, size_t vocabulary) {
  float *logits = malloc(100 * vocabulary * sizeof *logits);
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.logits = logits;
  CHECK_STATUS(rally_run(runner, row_tokens, offsets, ROWS, NULL, &outputs, NULL), RALLY_OK);
  return logits;
}

static void test_numbers(rally_runner *teacher, rally_runner *base, size_t vocabulary) {
  const size_t given[ROWS] = {1, 1, 20};
  double jeffreys[ROWS], log_ratio[ROWS];
  size_t counts[ROWS];
  rally_exposure_scores scores;
  rally_exposure_scores_init(&scores, sizeof scores);
  scores.jeffreys = jeffreys;
  scores.log_ratio = log_ratio;
  scores.token_counts = counts;
  CHECK_STATUS(rally_exposure(teacher, base, row_tokens, offsets, ROWS, given, &scores, NULL), RALLY_OK);
  CHECK(counts[0] == 0 && counts[1] == 69 && counts[2] == 9 && jeffreys[0] == 0 && log_ratio[0] == 0);
  float *x = logits_of(teacher, vocabulary), *y = logits_of(base, vocabulary);
  for (size_t row = 1; row < ROWS; row++) {
    double divergence = 0, ratio = 0;
    for (size_t t = offsets[row] + given[row] - 1; t + 1 < offsets[row + 1]; t++) {
      const float *p = x + t * vocabulary, *q = y + t * vocabulary;
      const double p_sum = log_sum_exp(p, vocabulary), q_sum = log_sum_exp(q, vocabulary);
      for (size_t i = 0; i < vocabulary; i++)
        divergence += (exp(p[i] - p_sum) - exp(q[i] - q_sum)) * ((double)p[i] - (double)q[i]);
      ratio += (p[row_tokens[t + 1]] - p_sum) - (q[row_tokens[t + 1]] - q_sum);
    }
    CHECK(divergence > 0 && fabs(jeffreys[row] - divergence) <= 1e-4 * divergence + 1e-5);
    CHECK(fabs(log_ratio[row] - ratio) <= 1e-4 * fabs(ratio) + 1e-4);
  }
  free(x);
  free(y);

  /* Only what is wanted: the same bits. NULL for given: 1 each. */
  double alone = NAN;
  const size_t one[] = {0, 70};
  rally_exposure_scores_init(&scores, sizeof scores);
  scores.jeffreys = &alone;
  CHECK_STATUS(rally_exposure(teacher, base, row_tokens + 1, one, 1, NULL, &scores, NULL), RALLY_OK);
  CHECK(alone == jeffreys[1]);
}

static void test_wrong(rally_runner *teacher, rally_runner *base, rally_runner *rating) {
  rally_error error = make_error();
  double value = 7;
  rally_exposure_scores scores;
  rally_exposure_scores_init(&scores, sizeof scores);
  scores.jeffreys = &value;
  const size_t two[] = {0, 2}, zero = 0, three = 3;
  const int32_t outside[] = {0, -1};
  CHECK_STATUS(rally_exposure(teacher, teacher, row_tokens, two, 1, NULL, &scores, &error), RALLY_BUSY);
  CHECK_STATUS(rally_exposure(teacher, rating, row_tokens, two, 1, NULL, &scores, &error), RALLY_WRONG_KIND);
  CHECK_STATUS(rally_exposure(teacher, base, outside, two, 1, NULL, &scores, &error), RALLY_INVALID_TOKEN);
  CHECK_STATUS(rally_exposure(teacher, base, row_tokens, two, 0, NULL, &scores, &error), RALLY_EMPTY_INPUT);
  CHECK_STATUS(rally_exposure(teacher, base, row_tokens, two, 1, &zero, &scores, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_exposure(teacher, base, row_tokens, two, 1, &three, &scores, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_exposure(teacher, base, row_tokens, two, 1, NULL, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_exposure(NULL, base, row_tokens, two, 1, NULL, &scores, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_exposure(teacher, NULL, row_tokens, two, 1, NULL, &scores, &error), RALLY_INVALID_ARGUMENT);
  scores.log_ratio = misaligned(&value);
  CHECK_STATUS(rally_exposure(teacher, base, row_tokens, two, 1, NULL, &scores, &error), RALLY_INVALID_ARGUMENT);
  CHECK(value == 7);
}

void test_exposure(void) {
  rally_model_options options;
  rally_model_options_init(&options, sizeof options);
  options.dtype = RALLY_DTYPE_INT8;
  rally_model *coarse = NULL;
  rally_runner *teacher = NULL, *base = NULL, *rating = NULL;
  CHECK_STATUS(rally_model_open(language_model_path, &options, &coarse, NULL), RALLY_OK);
  CHECK_STATUS(rally_runner_open(language_model, NULL, &teacher, NULL), RALLY_OK);
  CHECK_STATUS(rally_runner_open(coarse, NULL, &base, NULL), RALLY_OK);
  CHECK_STATUS(rally_runner_open(rater, NULL, &rating, NULL), RALLY_OK);
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  CHECK_STATUS(rally_model_get_info(language_model, &info, NULL), RALLY_OK);
  for (size_t i = 0; i < 100; i++) row_tokens[i] = (int32_t)(i * 2654435761u % 997);
  test_numbers(teacher, base, (size_t)info.vocab_size);
  test_wrong(teacher, base, rating);
  rally_runner_close(teacher);
  rally_runner_close(base);
  rally_runner_close(rating);
  rally_model_close(coarse);
}
