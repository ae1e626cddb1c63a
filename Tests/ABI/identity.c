/* Who made scores: fingerprints, labels, and models that read the same tokens. */
#include "check.h"

static void test_fingerprints(void) {
  char text[80], other[80];
  size_t size = 0;
  CHECK_STATUS(rally_score_fingerprint(rater, RALLY_DEFAULT, NULL, 0, &size, NULL), RALLY_OK);
  CHECK(size == 65);
  CHECK_STATUS(rally_score_fingerprint(rater, RALLY_DEFAULT, text, sizeof text, &size, NULL), RALLY_OK);
  CHECK(size == 65 && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64);
  CHECK_STATUS(rally_score_fingerprint(rater, RALLY_OFF, other, 65, &size, NULL), RALLY_OK);
  CHECK(!strcmp(text, other));
  CHECK_STATUS(rally_score_fingerprint(rater, RALLY_ON, other, 65, &size, NULL), RALLY_OK);
  CHECK(strcmp(text, other));
  CHECK_STATUS(rally_score_fingerprint(language_model, RALLY_OFF, other, 65, &size, NULL), RALLY_OK);
  CHECK(strcmp(text, other));

  strcpy(text, "untouched");
  size = 7;
  CHECK_STATUS(rally_score_fingerprint(rater, RALLY_OFF, text, 64, &size, NULL), RALLY_BUFFER_TOO_SMALL);
  CHECK_STATUS(rally_score_fingerprint(rater, (rally_switch)9, text, 80, &size, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_score_fingerprint(rater, RALLY_OFF, NULL, 80, &size, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_score_fingerprint(rater, RALLY_OFF, text, 80, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_score_fingerprint(NULL, RALLY_OFF, text, 80, &size, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(!strcmp(text, "untouched") && size == 7);
}

/* The label's pairs after those that name version and model. */
static const char *label(const rally_model *model, const rally_label_options *options, char *text, size_t capacity) {
  size_t size = 0;
  CHECK_STATUS(rally_score_label(model, options, text, capacity, &size, NULL), RALLY_OK);
  CHECK(size == strlen(text) + 1 && !strncmp(text, "version=1 model=", 16));
  return text + 16 + 64 + 1;
}

static void test_labels(void) {
  char text[256], plain[256];
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  CHECK_STATUS(rally_model_get_info(rater, &info, NULL), RALLY_OK);
  snprintf(plain, sizeof plain, "measure=score reading=documents window=%d stride=%d", (int)info.max_position_embeddings,
           (int)info.max_position_embeddings);
  CHECK(!strcmp(label(rater, NULL, text, sizeof text), plain));

  rally_label_options options;
  rally_label_options_init(&options, sizeof options);
  CHECK(!strcmp(label(rater, &options, text, sizeof text), plain));
  options.window_tokens = 40;
  CHECK(!strcmp(label(rater, &options, text, sizeof text), "measure=score reading=documents window=40 stride=40"));
  options.stride_tokens = 30;
  options.max_windows = 5;
  options.more = "output=2 special=kept";
  CHECK(!strcmp(label(rater, &options, text, sizeof text),
                "measure=score reading=documents window=40 stride=30 max_windows=5 output=2 special=kept"));
  options.more = NULL;
  options.row_tokens = 512;
  CHECK(!strcmp(label(language_model, &options, text, sizeof text), "measure=perplexity reading=rows tokens=512"));

  size_t size = 0;
  static const char *const wrong[] = {"", " ", "a", "a=", "=b", "a=b ", "a=b  c=d", "a=b=c", "a=b\tc=d", "a=b\n", "\xff=1"};
  for (size_t i = 1; i < sizeof wrong / sizeof *wrong; i++) {
    options.more = wrong[i];
    CHECK_STATUS(rally_score_label(rater, &options, text, sizeof text, &size, NULL), RALLY_INVALID_ARGUMENT);
  }
  options.more = NULL;
  options.window_tokens = SIZE_MAX;
  CHECK_STATUS(rally_score_label(rater, &options, text, sizeof text, &size, NULL), RALLY_INVALID_ARGUMENT);
}

void test_identity(void) {
  test_fingerprints();
  test_labels();
  int32_t same = 7;
  CHECK_STATUS(rally_same_tokens(rater, rater, &same, NULL), RALLY_OK);
  CHECK(same == 1);
  CHECK_STATUS(rally_same_tokens(rater, NULL, &same, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_same_tokens(rater, language_model, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(same == 1);
}
