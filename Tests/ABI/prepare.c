/* Prepared files: the same answers, what is refused, and that nothing is lost on the way. */
#define _DEFAULT_SOURCE
#include "check.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/rally-prepare-XXXXXX";

static const char *in_folder(const char *name) { return path_in(folder, name); }

static rally_model *opened(const char *path, const rally_model_options *options) {
  rally_error error = make_error();
  rally_model *model = NULL;
  CHECK_STATUS(rally_model_open(path, options, &model, &error), RALLY_OK);
  return model;
}

static float score(const rally_model *model) {
  rally_runner *runner = NULL;
  CHECK_STATUS(rally_runner_open(model, NULL, &runner, NULL), RALLY_OK);
  const int32_t tokens[] = {5, 6, 7, 8, 9, 10};
  const size_t offsets[] = {0, 6};
  float result = 0;
  CHECK_STATUS(rally_rate(runner, tokens, offsets, 1, NULL, &result, NULL), RALLY_OK);
  rally_runner_close(runner);
  return result;
}

static void test_same_answers(rally_dtype dtype) {
  rally_prepare_options options;
  rally_prepare_options_init(&options, sizeof options);
  options.dtype = dtype;
  options.threads = 1;
  CHECK_STATUS(rally_model_prepare(rater_path, in_folder("rater.rally"), &options, NULL), RALLY_OK);
  CHECK_STATUS(rally_model_validate(in_folder("rater.rally"), NULL, NULL), RALLY_OK);
  rally_model_options how;
  rally_model_options_init(&how, sizeof how);
  how.dtype = dtype;
  rally_model *plain = opened(rater_path, &how), *mapped = opened(in_folder("rater.rally"), &how);
  how.share_weights = RALLY_OFF;
  rally_model *copied = opened(in_folder("rater.rally"), &how);
  how.share_weights = RALLY_DEFAULT;
  how.cache_folder = in_folder("cache");
  rally_model *cached = opened(rater_path, &how), *again = opened(rater_path, &how);
  const float expected = score(plain);
  CHECK(score(mapped) == expected && score(copied) == expected && score(cached) == expected && score(again) == expected);
  char one[65], other[65];
  size_t size = 0;
  CHECK_STATUS(rally_score_fingerprint(plain, RALLY_OFF, one, sizeof one, &size, NULL), RALLY_OK);
  CHECK_STATUS(rally_score_fingerprint(mapped, RALLY_OFF, other, sizeof other, &size, NULL), RALLY_OK);
  CHECK(!strcmp(one, other));
  rally_model_close(plain);
  rally_model_close(mapped);
  rally_model_close(copied);
  rally_model_close(cached);
  rally_model_close(again);
}

static void test_refusals(void) {
  rally_error error = make_error();
  char out[256];
  snprintf(out, sizeof out, "%s", in_folder("out.rally"));
  CHECK_STATUS(rally_model_prepare(NULL, out, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_prepare(rater_path, NULL, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_prepare("no/such/model.onnx", out, NULL, &error), RALLY_FILE_NOT_FOUND);
  CHECK_STATUS(rally_model_prepare(rater_path, folder, NULL, &error), RALLY_NOT_A_FILE);
  CHECK_STATUS(rally_model_prepare(rater_path, rater_path, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_prepare(rater_path, in_folder("no/such"), NULL, &error), RALLY_IO);
  CHECK_STATUS(rally_model_prepare(in_folder("rater.rally"), out, NULL, &error), RALLY_UNSUPPORTED);
  CHECK_STATUS(rally_quantize(in_folder("rater.rally"), out, NULL, &error), RALLY_UNSUPPORTED);
  rally_prepare_options options;
  rally_prepare_options_init(&options, sizeof options);
  options.dtype = (rally_dtype)99;
  CHECK_STATUS(rally_model_prepare(rater_path, out, &options, &error), RALLY_INVALID_ARGUMENT);
  options.dtype = RALLY_DTYPE_F32;
  options.calibration_text_size = 1;
  CHECK_STATUS(rally_model_prepare(rater_path, out, &options, &error), RALLY_INVALID_ARGUMENT);
  options.calibration_text = "x";
  CHECK_STATUS(rally_model_prepare(rater_path, out, &options, &error), RALLY_INVALID_ARGUMENT);
  CHECK(access(out, F_OK) != 0);
  rally_model_options how;
  rally_model_options_init(&how, sizeof how);
  rally_model *model = NULL;
  how.share_weights = (rally_switch)7;
  CHECK_STATUS(rally_model_open(in_folder("rater.rally"), &how, &model, &error), RALLY_INVALID_ARGUMENT);
  how.share_weights = RALLY_DEFAULT;
  how.cache_folder = "/dev/null";
  CHECK(rally_model_open(rater_path, &how, &model, &error) != RALLY_OK && model == NULL && error.message[0]);
}

static int32_t stop(void *user, uint64_t done, uint64_t total) {
  int *calls = user;
  CHECK(done <= total);
  return --*calls == 0;
}

/* Cancelled at some calls of the callback: nothing is left behind. */
static void test_cancelling(void) {
  rally_prepare_options options;
  rally_prepare_options_init(&options, sizeof options);
  int left = 0;
  options.progress = stop;
  options.progress_user = &left;
  CHECK_STATUS(rally_model_prepare(rater_path, in_folder("whole.rally"), &options, NULL), RALLY_OK);
  const int calls = -left;
  CHECK(calls > 2);
  for (int call = 1; call <= calls; call += 1 + calls / 12) {
    left = call;
    CHECK_STATUS(rally_model_prepare(rater_path, in_folder("cancelled.rally"), &options, NULL), RALLY_CANCELLED);
    CHECK(access(in_folder("cancelled.rally"), F_OK) != 0);
  }
}

/* Cut at every kind of place: an error before it is mapped, an error of the next call after. */
static void test_cuts(void) {
  const char *path = in_folder("rater.rally");
  struct stat whole;
  CHECK(stat(path, &whole) == 0 && chmod(path, 0600) == 0);
  rally_model *model = opened(path, NULL);
  rally_runner *runner = NULL;
  CHECK_STATUS(rally_runner_open(model, NULL, &runner, NULL), RALLY_OK);
  const off_t places[] = {whole.st_size - 1, whole.st_size / 2, 4096, 256, 100, 8};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    rally_error error = make_error();
    rally_model *other = NULL;
    CHECK(truncate(path, places[i]) == 0);
    CHECK_STATUS(rally_model_open(path, NULL, &other, &error), RALLY_TRUNCATED_DATA);
    const int32_t token = 5;
    const size_t offsets[] = {0, 1};
    float result = 0;
    CHECK_STATUS(rally_rate(runner, &token, offsets, 1, NULL, &result, &error), RALLY_IO);
  }
  rally_runner_close(runner);
  rally_model_close(model);
}

void test_prepare(void) {
  if (!mkdtemp(folder)) {
    CHECK(!"a folder for the test");
    return;
  }
  test_same_answers(RALLY_DTYPE_INT8);
  test_same_answers(RALLY_DTYPE_BF16);
  test_same_answers(RALLY_DTYPE_F32);
  test_refusals();
  test_cancelling();
  test_cuts();
  char command[300];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  CHECK(system(command) == 0);
}
