/* Documents in windows: the very scores of the windows as rows, what is said of each document, and every wrong argument. */
#include "check.h"
#include <math.h>
#include <stdlib.h>

enum { DOCUMENTS = 4, WINDOW = 32, TOKENS = 1 + 32 + 33 + 200 };

static const size_t row_offsets[DOCUMENTS + 1] = {0, 1, 33, 66, TOKENS};
static int32_t tokens[TOKENS];

static rally_document_options make_options(size_t stride, size_t most) {
  rally_document_options options;
  rally_document_options_init(&options, sizeof options);
  options.window_tokens = WINDOW;
  options.stride_tokens = stride;
  options.max_windows = most;
  return options;
}

/* The score of one row alone. */
static float rate_alone(rally_runner *runner, const int32_t *row, size_t count) {
  const size_t one[] = {0, count};
  float score = NAN;
  CHECK_STATUS(rally_rate(runner, row, one, 1, NULL, &score, NULL), RALLY_OK);
  return score;
}

static void test_windows(rally_runner *runner, size_t stride) {
  const rally_document_options options = make_options(stride, 0);
  const size_t step = stride ? stride : WINDOW;
  float mean[DOCUMENTS], minimum[DOCUMENTS], coverage[DOCUMENTS], windows[TOKENS];
  size_t planned[DOCUMENTS + 1], offsets[DOCUMENTS + 1];
  rally_document_scores scores;
  rally_document_scores_init(&scores, sizeof scores);
  scores.mean = mean;
  scores.minimum = minimum;
  scores.coverage = coverage;
  scores.window_scores = windows;
  scores.window_capacity = TOKENS;
  scores.window_offsets = offsets;
  CHECK_STATUS(rally_document_windows(rater, tokens, row_offsets, DOCUMENTS, &options, planned, NULL), RALLY_OK);
  CHECK_STATUS(rally_rate_documents(runner, tokens, row_offsets, DOCUMENTS, &options, &scores, NULL), RALLY_OK);
  CHECK(!memcmp(planned, offsets, sizeof offsets) && planned[0] == 0);

  for (size_t i = 0; i < DOCUMENTS; i++) {
    const size_t length = row_offsets[i + 1] - row_offsets[i];
    size_t count = 0;
    double sum = 0, weight = 0;
    float lowest = INFINITY;
    for (size_t start = 0, end = 0; end < length; start += step, count++) {
      end = start + WINDOW < length ? start + WINDOW : length;
      const float alone = rate_alone(runner, tokens + row_offsets[i] + start, end - start);
      CHECK(!memcmp(&alone, &windows[planned[i] + count], sizeof alone));
      sum += (double)alone * (double)(end - start);
      weight += (double)(end - start);
      lowest = fminf(lowest, alone);
    }
    CHECK(planned[i + 1] - planned[i] == count);
    CHECK(mean[i] == (float)(sum / weight) && minimum[i] == lowest && coverage[i] == 1.0f);
    if (count == 1) CHECK(!memcmp(&mean[i], &windows[planned[i]], sizeof(float)));
  }

  /* Only what is wanted, and alone: the same bits. */
  float one_mean = NAN;
  const size_t last[] = {0, row_offsets[DOCUMENTS] - row_offsets[DOCUMENTS - 1]};
  rally_document_scores_init(&scores, sizeof scores);
  scores.mean = &one_mean;
  CHECK_STATUS(rally_rate_documents(runner, tokens + row_offsets[DOCUMENTS - 1], last, 1, &options, &scores, NULL), RALLY_OK);
  CHECK(!memcmp(&one_mean, &mean[DOCUMENTS - 1], sizeof one_mean));
}

/* Fewer windows than there are: spread over the document, and its coverage says so. */
static void test_limit(rally_runner *runner) {
  const rally_document_options options = make_options(0, 2);
  float coverage[DOCUMENTS], windows[2 * DOCUMENTS];
  size_t offsets[DOCUMENTS + 1];
  rally_document_scores scores;
  rally_document_scores_init(&scores, sizeof scores);
  scores.coverage = coverage;
  scores.window_scores = windows;
  scores.window_capacity = sizeof windows / sizeof *windows;
  scores.window_offsets = offsets;
  CHECK_STATUS(rally_rate_documents(runner, tokens, row_offsets, DOCUMENTS, &options, &scores, NULL), RALLY_OK);
  CHECK(offsets[DOCUMENTS] - offsets[DOCUMENTS - 1] == 2);
  CHECK(coverage[2] == 1.0f && coverage[3] == (float)(2.0 * WINDOW / 200));
  /* 7 windows, so the middle ones of two halves: 1 and 5. */
  const float alone = rate_alone(runner, tokens + row_offsets[3] + 5 * WINDOW, WINDOW);
  CHECK(!memcmp(&alone, &windows[offsets[3] + 1], sizeof alone));
}

static void test_wrong(rally_runner *runner) {
  rally_error error = make_error();
  rally_document_scores scores;
  rally_document_scores_init(&scores, sizeof scores);
  float score[DOCUMENTS] = {7, 7, 7, 7};
  size_t offsets[DOCUMENTS + 1] = {7, 7, 7, 7, 7};
  scores.window_scores = score;
  scores.window_capacity = 3;
  rally_document_options options = make_options(0, 0);
  CHECK_STATUS(rally_rate_documents(runner, tokens, row_offsets, DOCUMENTS, &options, &scores, &error), RALLY_BUFFER_TOO_SMALL);
  CHECK(strstr(error.message, "window_scores") != NULL);
  scores.window_scores = NULL;
  scores.mean = score;

  const size_t wrong[][3] = {{SIZE_MAX, 0, 0}, {1u << 20, 0, 0}, {0, SIZE_MAX, 0}, {0, 0, SIZE_MAX}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    options = make_options(wrong[i][1], wrong[i][2]);
    options.window_tokens = wrong[i][0];
    CHECK_STATUS(rally_rate_documents(runner, tokens, row_offsets, DOCUMENTS, &options, &scores, &error),
                 RALLY_INVALID_ARGUMENT);
    CHECK_STATUS(rally_document_windows(rater, tokens, row_offsets, DOCUMENTS, &options, offsets, &error),
                 RALLY_INVALID_ARGUMENT);
  }
  options = make_options(0, 0);
  options.squash = (rally_switch)9;
  CHECK_STATUS(rally_rate_documents(runner, tokens, row_offsets, DOCUMENTS, &options, &scores, &error), RALLY_INVALID_ARGUMENT);
  options = make_options(0, 0);
  options.timeout_seconds = -1;
  CHECK_STATUS(rally_rate_documents(runner, tokens, row_offsets, DOCUMENTS, &options, &scores, &error), RALLY_INVALID_ARGUMENT);

  const int32_t outside[] = {0, -1};
  const size_t two[] = {0, 2}, empty[] = {0, 2, 2};
  CHECK_STATUS(rally_rate_documents(runner, outside, two, 1, NULL, &scores, &error), RALLY_INVALID_TOKEN);
  CHECK_STATUS(rally_rate_documents(runner, tokens, empty, 2, NULL, &scores, &error), RALLY_EMPTY_INPUT);
  CHECK_STATUS(rally_rate_documents(runner, tokens, two, 0, NULL, &scores, &error), RALLY_EMPTY_INPUT);
  CHECK_STATUS(rally_rate_documents(runner, tokens, two, 1, NULL, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_rate_documents(NULL, tokens, two, 1, NULL, &scores, &error), RALLY_INVALID_ARGUMENT);
  scores.minimum = misaligned(score);
  CHECK_STATUS(rally_rate_documents(runner, tokens, two, 1, NULL, &scores, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_document_windows(rater, tokens, two, 1, NULL, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_document_windows(rater, NULL, two, 1, NULL, offsets, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_document_windows(NULL, tokens, two, 1, NULL, offsets, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_document_windows(language_model, tokens, two, 1, NULL, offsets, &error), RALLY_WRONG_KIND);

  /* More window tokens than a call takes. */
  const size_t longest[] = {0, (size_t)1 << 19};
  int32_t *zeros = calloc(longest[1], sizeof(int32_t));
  rally_document_options_init(&options, sizeof options);
  options.stride_tokens = 1;
  CHECK_STATUS(rally_document_windows(rater, zeros, longest, 1, &options, offsets, &error), RALLY_LIMIT_EXCEEDED);
  free(zeros);
  CHECK(score[0] == 7 && score[1] == 7 && offsets[0] == 7 && offsets[1] == 7);
}

static rally_document_options make_reading(rally_reading reading, rally_join join) {
  rally_document_options options = make_options(0, 0);
  options.reading = reading;
  options.join = join;
  return options;
}

/* What is read of a document of 200 tokens, and what its windows make. */
static void test_reading(rally_runner *runner) {
  const int32_t *document = tokens + row_offsets[DOCUMENTS - 1];
  const size_t one[] = {0, 200};
  const float first = rate_alone(runner, document, WINDOW), last = rate_alone(runner, document + 200 - WINDOW, WINDOW);
  const struct {
    rally_reading reading;
    rally_join join;
    size_t windows;
    float score;
  } cases[] = {
      {RALLY_READING_FIRST, RALLY_JOIN_DEFAULT, 1, first},
      {RALLY_READING_MIDDLE, RALLY_JOIN_MEAN, 1, first},
      {RALLY_READING_ENDS, RALLY_JOIN_MAX, 2, fmaxf(first, last)},
      {RALLY_READING_ENDS, RALLY_JOIN_MIN, 2, fminf(first, last)},
      {RALLY_READING_ENDS, RALLY_JOIN_MEAN, 2, (float)(((double)first + (double)last) / 2)},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const rally_document_options options = make_reading(cases[i].reading, cases[i].join);
    float score = NAN, coverage = NAN, output = NAN;
    int32_t whole = 0;
    size_t offsets[2] = {7, 7};
    rally_document_scores scores;
    rally_document_scores_init(&scores, sizeof scores);
    scores.score = &score;
    scores.coverage = &coverage;
    scores.int_score = &whole;
    scores.outputs = &output;
    scores.window_offsets = offsets;
    CHECK_STATUS(rally_rate_documents(runner, document, one, 1, &options, &scores, NULL), RALLY_OK);
    CHECK(score == cases[i].score && output == score && whole == INT32_MIN);
    CHECK(offsets[0] == 0 && offsets[1] == cases[i].windows);
    CHECK(coverage == (float)(cases[i].windows * WINDOW) / 200.0f);
  }
  float score = 7;
  rally_error error = make_error();
  rally_document_scores scores;
  rally_document_scores_init(&scores, sizeof scores);
  scores.score = &score;
  rally_document_options options = make_reading(RALLY_READING_ENDS, RALLY_JOIN_DEFAULT);
  options.stride_tokens = 1;
  CHECK_STATUS(rally_rate_documents(runner, document, one, 1, &options, &scores, &error), RALLY_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "stride_tokens") != NULL);
  options = make_reading((rally_reading)5, RALLY_JOIN_DEFAULT);
  CHECK_STATUS(rally_rate_documents(runner, document, one, 1, &options, &scores, &error), RALLY_INVALID_ARGUMENT);
  options = make_reading(RALLY_READING_DEFAULT, (rally_join)-1);
  CHECK_STATUS(rally_rate_documents(runner, document, one, 1, &options, &scores, &error), RALLY_INVALID_ARGUMENT);
  CHECK(score == 7);
}

/* Characters are counted as Unicode scalars, and special tokens are letters. */
static void test_encoding(void) {
  const char text[] = "h\xC3\xA9llo <|endoftext|> w\xC3\xB6rld";
  const size_t length = sizeof text - 1;
  rally_document_options options = make_reading(RALLY_READING_FIRST, RALLY_JOIN_DEFAULT);
  rally_tokenizer_options plain;
  rally_tokenizer_options_init(&plain, sizeof plain);
  plain.parse_special = RALLY_OFF;
  int32_t found[64], expected[64];
  size_t count = 0, expected_count = 0;
  CHECK_STATUS(rally_encode_document(rater, text, length, NULL, found, 64, &count, NULL), RALLY_OK);
  CHECK_STATUS(rally_encode(rater, text, length, &plain, expected, 64, &expected_count, NULL), RALLY_OK);
  CHECK(count == expected_count && !memcmp(found, expected, count * sizeof *found));
  options.characters = 2;
  CHECK_STATUS(rally_encode_document(rater, text, length, &options, found, 64, &count, NULL), RALLY_OK);
  CHECK_STATUS(rally_encode(rater, text, 3, &plain, expected, 64, &expected_count, NULL), RALLY_OK);
  CHECK(count == expected_count && !memcmp(found, expected, count * sizeof *found));
  options.reading = RALLY_READING_ENDS;
  CHECK_STATUS(rally_encode_document(rater, text, length, &options, found, 64, &count, NULL), RALLY_OK);
  CHECK_STATUS(rally_encode(rater, "h\xC3\xA9ld", 5, &plain, expected, 64, &expected_count, NULL), RALLY_OK);
  CHECK(count == expected_count && !memcmp(found, expected, count * sizeof *found));
  options.parse_special = RALLY_ON;
  options.characters = SIZE_MAX / 2;
  CHECK_STATUS(rally_encode_document(rater, text, length, &options, found, 64, &count, NULL), RALLY_OK);
  CHECK_STATUS(rally_encode(rater, text, length, NULL, expected, 64, &expected_count, NULL), RALLY_OK);
  CHECK(count == expected_count && !memcmp(found, expected, count * sizeof *found));
  options.reading = RALLY_READING_WINDOWS;
  count = 7;
  CHECK_STATUS(rally_encode_document(rater, text, length, &options, found, 64, &count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_encode_document(language_model, text, length, NULL, found, 64, &count, NULL), RALLY_WRONG_KIND);
  CHECK_STATUS(rally_encode_document(rater, text, length, NULL, found, 1, &count, NULL), RALLY_BUFFER_TOO_SMALL);
  CHECK_STATUS(rally_encode_document(NULL, text, length, NULL, found, 64, &count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(count == 7);
}

/* One output is the score; the pooled state is as long as the model is wide. */
static void test_outputs(rally_runner *runner) {
  const size_t offsets[] = {0, 1, 33};
  float scores[2], outputs[2];
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  CHECK_STATUS(rally_model_get_info(rater, &info, NULL), RALLY_OK);
  CHECK(info.num_labels == 1 && info.score_rule == RALLY_SCORE_LOGIT && info.has_score == 1 && info.score_index == 0);
  CHECK(rally_model_label(rater, 0) && !strcmp(rally_model_label(rater, 0), "LABEL_0"));
  CHECK(!rally_model_label(rater, 1) && !rally_model_label(language_model, 0) && !rally_model_label(NULL, 0));
  CHECK_STATUS(rally_rate(runner, tokens, offsets, 2, NULL, scores, NULL), RALLY_OK);
  CHECK_STATUS(rally_rate_outputs(runner, tokens, offsets, 2, NULL, outputs, NULL), RALLY_OK);
  CHECK(!memcmp(scores, outputs, sizeof scores));

  const size_t width = (size_t)info.hidden_size;
  float *states = malloc(2 * width * sizeof *states);
  rally_rate_options options;
  rally_rate_options_init(&options, sizeof options);
  options.normalize = RALLY_ON;
  CHECK_STATUS(rally_pooled(runner, tokens, offsets, 2, &options, states, NULL), RALLY_OK);
  for (size_t row = 0; row < 2; row++) {
    double length = 0;
    for (size_t i = 0; i < width; i++) length += (double)states[row * width + i] * (double)states[row * width + i];
    CHECK(fabs(length - 1) < 1e-5);
  }
  free(states);

  float untouched = 7;
  options.probabilities = RALLY_ON;
  CHECK_STATUS(rally_rate_outputs(runner, tokens, offsets, 1, &options, &untouched, NULL), RALLY_UNSUPPORTED);
  options.normalize = (rally_switch)2;
  CHECK_STATUS(rally_pooled(runner, tokens, offsets, 1, &options, &untouched, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_pooled(runner, tokens, offsets, 1, NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_rate_outputs(NULL, tokens, offsets, 1, NULL, &untouched, NULL), RALLY_INVALID_ARGUMENT);
  rally_runner *other = NULL;
  CHECK_STATUS(rally_runner_open(language_model, NULL, &other, NULL), RALLY_OK);
  CHECK_STATUS(rally_rate_outputs(other, tokens, offsets, 1, NULL, &untouched, NULL), RALLY_WRONG_KIND);
  CHECK_STATUS(rally_pooled(other, tokens, offsets, 1, NULL, &untouched, NULL), RALLY_WRONG_KIND);
  rally_runner_close(other);
  CHECK(untouched == 7);
}

void test_documents(void) {
  rally_runner *runner = NULL;
  CHECK_STATUS(rally_runner_open(rater, NULL, &runner, NULL), RALLY_OK);
  for (size_t i = 0; i < TOKENS; i++) tokens[i] = (int32_t)(i * 2654435761u % 997);
  test_windows(runner, 0);
  test_windows(runner, 20);
  test_limit(runner);
  test_wrong(runner);
  test_reading(runner);
  test_encoding();
  test_outputs(runner);
  rally_runner_close(runner);
}
