/* Models that are stored again: what is refused, and that nothing is lost where it is. */
#define _DEFAULT_SOURCE
#include "check.h"
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/rally-quantize-XXXXXX";

static const char *in_folder(const char *name) { return path_in(folder, name); }

static int file_count(void) {
  int count = 0;
  DIR *entries = opendir(folder);
  CHECK(entries != NULL);
  while (entries && readdir(entries)) count++;
  if (entries) closedir(entries);
  return count - 2;
}

static void write_text(const char *path) {
  FILE *file = fopen(path, "w");
  CHECK(file && fputs("what stood there", file) > 0);
  if (file) fclose(file);
}

static int is_text(const char *path) {
  char text[32] = "";
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  size_t count = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  return count == 16 && !strcmp(text, "what stood there");
}

static rally_quantize_options options_of(rally_dtype dtype) {
  rally_quantize_options options;
  rally_quantize_options_init(&options, sizeof options);
  options.dtype = dtype;
  return options;
}

/* A text is int8's alone, and its length is checked before it is read. */
static void test_calibration(const char *model) {
  const char *out = in_folder("calibrated.onnx");
  rally_quantize_options options = options_of(RALLY_DTYPE_INT8);
  options.calibration_text_size = 1;
  CHECK_STATUS(rally_quantize(model, out, &options, NULL), RALLY_INVALID_ARGUMENT);
  options.calibration_text = "The sea was calm.";
  options.calibration_text_size = SIZE_MAX;
  CHECK_STATUS(rally_quantize(model, out, &options, NULL), RALLY_INVALID_ARGUMENT);
  options.calibration_text_size = 0;
  CHECK_STATUS(rally_quantize(model, out, &options, NULL), RALLY_EMPTY_INPUT);
  options.calibration_text_size = 17;
  options.dtype = RALLY_DTYPE_BF16;
  CHECK_STATUS(rally_quantize(model, out, &options, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(file_count() == 0);
  options.dtype = RALLY_DTYPE_INT8;
  CHECK_STATUS(rally_quantize(model, out, &options, NULL), RALLY_OK);
  CHECK_STATUS(rally_model_validate(out, NULL, NULL), RALLY_OK);
  CHECK(unlink(out) == 0 && file_count() == 0);
}

static const char *dtype_of_first(const char *path, rally_model **model) {
  rally_tensor_info tensor;
  rally_tensor_info_init(&tensor, sizeof tensor);
  CHECK_STATUS(rally_model_open(path, NULL, model, NULL), RALLY_OK);
  CHECK_STATUS(rally_model_tensor_at(*model, 0, &tensor, NULL), RALLY_OK);
  return tensor.dtype ? tensor.dtype : "";
}

static void test_types(const char *source) {
  static const struct {
    rally_dtype dtype;
    const char *name;
  } types[] = {{RALLY_DTYPE_INT8, "int8"}, {RALLY_DTYPE_Q4, "int8"}, {RALLY_DTYPE_BF16, "bf16"}, {RALLY_DTYPE_F32, "f32"}};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    rally_quantize_options options = options_of(types[i].dtype);
    rally_error error = make_error();
    rally_model *model = NULL;
    CHECK_STATUS(rally_quantize(source, in_folder("out.onnx"), &options, &error), RALLY_OK);
    CHECK(error.code == RALLY_OK);
    CHECK(!strcmp(dtype_of_first(in_folder("out.onnx"), &model), types[i].name));
    rally_model_close(model);
  }
  rally_model *model = NULL;
  CHECK_STATUS(rally_quantize(source, in_folder("out.onnx"), NULL, NULL), RALLY_OK);
  CHECK(!strcmp(dtype_of_first(in_folder("out.onnx"), &model), "int8"));
  rally_model_close(model);
  CHECK(file_count() == 1);
  unlink(in_folder("out.onnx"));
}

static void test_arguments_of_quantize(const char *out) {
  rally_error error = make_error();
  CHECK_STATUS(rally_quantize(NULL, out, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "in_path") != NULL);
  CHECK_STATUS(rally_quantize(rater_path, NULL, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "out_path") != NULL);
  rally_quantize_options options = options_of(RALLY_DTYPE_AUTO);
  CHECK_STATUS(rally_quantize(rater_path, out, &options, &error), RALLY_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "dtype") != NULL);
  options = options_of((rally_dtype)77);
  CHECK_STATUS(rally_quantize(rater_path, out, &options, &error), RALLY_INVALID_ARGUMENT);
  memset(&options, 0, sizeof options);
  CHECK_STATUS(rally_quantize(rater_path, out, &options, &error), RALLY_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "struct_size") != NULL);
  options.struct_size = sizeof options + 8;
  CHECK_STATUS(rally_quantize(rater_path, out, &options, &error), RALLY_INVALID_ARGUMENT);
  char misaligned[2 * sizeof options];
  CHECK_STATUS(rally_quantize(rater_path, out, (const rally_quantize_options *)(const void *)(misaligned + 1), NULL),
               RALLY_INVALID_ARGUMENT);
}

static void test_files_of_quantize(const char *out) {
  rally_error error = make_error();
  CHECK_STATUS(rally_quantize("no/such/model.onnx", out, NULL, &error), RALLY_FILE_NOT_FOUND);
  CHECK_STATUS(rally_quantize(".", out, NULL, &error), RALLY_NOT_A_FILE);
  CHECK_STATUS(rally_quantize(out, in_folder("other.onnx"), NULL, &error), RALLY_CORRUPT_FILE);
  CHECK_STATUS(rally_quantize(rater_path, folder, NULL, &error), RALLY_NOT_A_FILE);
  CHECK(strstr(error.message, folder) != NULL);
  CHECK_STATUS(rally_quantize(rater_path, in_folder("new/"), NULL, &error), RALLY_NOT_A_FILE);
  CHECK_STATUS(rally_quantize(rater_path, "", NULL, &error), RALLY_NOT_A_FILE);
  CHECK_STATUS(rally_quantize(rater_path, "/dev/null", NULL, &error), RALLY_NOT_A_FILE);
  CHECK_STATUS(rally_quantize(rater_path, in_folder("no/such/folder.onnx"), NULL, &error), RALLY_IO);
  CHECK(strstr(error.message, "No such file or directory") != NULL);
  CHECK_STATUS(rally_quantize(rater_path, rater_path, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK(symlink(rater_path[0] == '/' ? rater_path : "/", in_folder("link")) == 0);
  if (rater_path[0] == '/') CHECK_STATUS(rally_quantize(rater_path, in_folder("link"), NULL, &error), RALLY_INVALID_ARGUMENT);
  unlink(in_folder("link"));
}

/* A file that may not grow further is a disk that is full, at any place of it; the signal for that does not reach the host. */
static void test_full_disk(const char *out) {
  struct rlimit before, limit;
  CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
  static const rlim_t limits[] = {0, 100, 100000, 1000000};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    rally_error error = make_error();
    limit = before;
    limit.rlim_cur = limits[i];
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    rally_status status = rally_quantize(rater_path, out, NULL, &error);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK_STATUS(status, RALLY_IO);
    CHECK(strstr(error.message, "File too large") != NULL);
    CHECK(is_text(out) && file_count() == 1);
  }
  sigset_t pending;
  CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 0);
}

typedef struct watch {
  uint64_t calls, last, total, stop_at;
} watch;

static int32_t look(void *user, uint64_t done, uint64_t total) {
  watch *seen = user;
  CHECK(done >= seen->last && done <= total && total > 0);
  seen->last = done;
  seen->total = total;
  return ++seen->calls == seen->stop_at;
}

/* Cancelled at every call of the callback in turn. */
static void test_cancelling(const char *out) {
  watch all = {0, 0, 0, 0};
  rally_quantize_options options = options_of(RALLY_DTYPE_INT8);
  options.progress = look;
  options.progress_user = &all;
  CHECK_STATUS(rally_quantize(rater_path, in_folder("other.onnx"), &options, NULL), RALLY_OK);
  CHECK(all.calls > 2 && all.last == all.total);
  unlink(in_folder("other.onnx"));
  for (uint64_t call = 1; call <= all.calls; call += 1 + all.calls / 16) {
    watch some = {0, 0, 0, call};
    rally_error error = make_error();
    options.progress_user = &some;
    const rally_status status = rally_quantize(rater_path, out, &options, &error);
    CHECK_STATUS(status, RALLY_CANCELLED);
    CHECK(some.calls == call);
    CHECK(is_text(out) && file_count() == 1);
  }
}

void test_quantize(void) {
  if (!mkdtemp(folder)) {
    CHECK(!"a folder for the test");
    return;
  }
  test_calibration(language_model_path);
  test_types(language_model_path);
  test_types(rater_path);
  char out[256];
  snprintf(out, sizeof out, "%s", in_folder("out.onnx"));
  write_text(out);
  test_arguments_of_quantize(out);
  test_files_of_quantize(out);
  CHECK(is_text(out) && file_count() == 1);
  test_full_disk(out);
  test_cancelling(out);
  unlink(out);
  CHECK(rmdir(folder) == 0);
}
