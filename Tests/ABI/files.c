/* What is not a model: each kind of wrong file has its own code, and the model parameter stays as it was. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <stdlib.h>
#include <unistd.h>

static void *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  void *bytes = malloc(*size + 1);
  if (bytes && fread(bytes, 1, *size, file) != *size) *size = 0;
  fclose(file);
  return bytes;
}

static void test_wrong_paths(void) {
  rally_model *model = NULL;
  rally_error error = make_error();
  CHECK_STATUS(rally_model_open("no/such/model.onnx", NULL, &model, &error), RALLY_FILE_NOT_FOUND);
  CHECK(strstr(error.message, "no/such/model.onnx") != NULL);
  CHECK_STATUS(rally_model_validate("no/such/model.onnx", NULL, &error), RALLY_FILE_NOT_FOUND);
  CHECK_STATUS(rally_model_open(".", NULL, &model, &error), RALLY_NOT_A_FILE);
  CHECK_STATUS(rally_model_open("/dev/null", NULL, &model, &error), RALLY_NOT_A_FILE);
  CHECK_STATUS(rally_model_open("", NULL, &model, &error), RALLY_FILE_NOT_FOUND);

  char path[] = "rally-abi-XXXXXX";
  int file = mkstemp(path);
  CHECK(file >= 0);
  CHECK_STATUS(rally_model_open(path, NULL, &model, &error), RALLY_EMPTY_FILE);
  CHECK(write(file, "this is not a model", 19) == 19);
  CHECK_STATUS(rally_model_open(path, NULL, &model, &error), RALLY_CORRUPT_FILE);
  close(file);
  unlink(path);
  CHECK(model == NULL);
}

/* Paths are bytes, and a long one keeps its end in messages. */
static void test_strange_paths(void) {
  rally_error error = make_error();
  size_t size = 0;
  void *bytes = read_file(rater_path, &size);
  const char *const names[] = {"rally-abi-\xFF\xFE\xC3.onnx", "rally-abi-\xF4\x8F\xBE\x80.onnx", "rally-abi-\xE2\x82\xAC.onnx"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    rally_model *model = NULL;
    CHECK_STATUS(rally_model_open(names[i], NULL, &model, &error), RALLY_FILE_NOT_FOUND);
    FILE *file = fopen(names[i], "wb");
    CHECK(file && bytes && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    CHECK_STATUS(rally_model_open(names[i], NULL, &model, &error), RALLY_OK);
    rally_model_close(model);
    char out[80];
    snprintf(out, sizeof out, "%s-out", names[i]);
    CHECK_STATUS(rally_quantize(names[i], out, NULL, &error), RALLY_OK);
    CHECK(access(out, R_OK) == 0);
    unlink(out);
    unlink(names[i]);
  }
  free(bytes);
  char path[3000];
  memset(path, 'x', sizeof path);
  for (size_t i = 100; i < sizeof path; i += 100) path[i] = '/';
  strcpy(path + sizeof path - 12, "/model.onnx");
  rally_model *model = NULL;
  CHECK_STATUS(rally_model_open(path, NULL, &model, &error), RALLY_FILE_NOT_FOUND);
  CHECK(strstr(error.message, "/model.onnx: expected a file") != NULL && strstr(error.message, "\xE2\x80\xA6") != NULL);
}

/* The good file from memory, and every cut of it that is shorter. */
static void test_memory(void) {
  size_t size = 0;
  rally_model *model = NULL;
  rally_error error = make_error();
  unsigned char *bytes = read_file(rater_path, &size);
  CHECK(bytes != NULL && size > 0);
  if (!bytes) return;
  CHECK_STATUS(rally_model_open_memory(bytes, size, NULL, &model, &error), RALLY_OK);
  rally_model_close(model);
  model = NULL;
  CHECK_STATUS(rally_model_open_memory(bytes, 0, NULL, &model, &error), RALLY_EMPTY_FILE);
  for (size_t cut = 1; cut < 64; cut++) {
    rally_status status = rally_model_open_memory(bytes, size / 64 * cut, NULL, &model, &error);
    CHECK(status >= RALLY_CORRUPT_FILE && status <= RALLY_INVALID_TOKENIZER);
    CHECK(status == error.code && model == NULL);
  }
  free(bytes);
}

static void test_validate(const char *path) {
  rally_error error = make_error();
  CHECK_STATUS(rally_model_validate(path, NULL, &error), RALLY_OK);
}

static void test_contents(rally_model *model, rally_kind kind) {
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  CHECK_STATUS(rally_model_get_info(model, &info, NULL), RALLY_OK);
  CHECK(info.kind == kind && info.dtype == RALLY_DTYPE_F32);
  CHECK(info.num_attention_heads % info.num_key_value_heads == 0);
  CHECK(info.parameter_count > 0 && info.effective_parameter_count >= info.parameter_count);
  CHECK((kind == RALLY_KIND_LM) == (info.kv_bytes_per_token > 0));

  uint64_t bytes = 0;
  const size_t count = rally_model_tensor_count(model);
  rally_tensor_info tensor;
  rally_tensor_info_init(&tensor, sizeof tensor);
  for (size_t i = 0; i < count; i++) {
    CHECK_STATUS(rally_model_tensor_at(model, i, &tensor, NULL), RALLY_OK);
    CHECK(tensor.name && tensor.dtype && tensor.rank >= 1 && tensor.rank <= 2 && tensor.shape[0] > 0);
    bytes += tensor.byte_count;
  }
  CHECK(count > 0 && bytes > 0);
  CHECK_STATUS(rally_model_tensor_at(model, count, &tensor, NULL), RALLY_INVALID_ARGUMENT);

  const char *key = NULL, *value = NULL, *again = NULL;
  for (size_t i = 0; i < rally_model_metadata_count(model); i++) {
    CHECK_STATUS(rally_model_metadata_at(model, i, &key, &value, NULL), RALLY_OK);
    CHECK_STATUS(rally_model_metadata_get(model, key, &again, NULL), RALLY_OK);
    CHECK(value && again && !strcmp(value, again));
  }
  CHECK_STATUS(rally_model_metadata_get(model, "rally.kind", &value, NULL), RALLY_OK);
  CHECK(!strcmp(value, kind == RALLY_KIND_LM ? "lm" : "rater"));
  CHECK_STATUS(rally_model_metadata_get(model, "no.such.key", &value, NULL), RALLY_MISSING_KEY);
}

void test_files(void) {
  test_wrong_paths();
  test_strange_paths();
  test_memory();
  test_validate(language_model_path);
  test_validate(rater_path);
  test_contents(language_model, RALLY_KIND_LM);
  test_contents(rater, RALLY_KIND_RATER);
}
