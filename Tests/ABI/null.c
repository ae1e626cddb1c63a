/* NULL in every place that takes a pointer: an answer, never a crash, and out-parameters as they were. */
#include "check.h"

static void test_null_handles(void) {
  const size_t row_offsets[] = {0, 2};
  int32_t token = 7;
  size_t count = 7;
  uint64_t bytes = 7;
  float score = 7;
  char text[8] = "7";
  const char *key = text, *value = text;
  rally_model *model = (rally_model *)text;
  rally_runner *runner = (rally_runner *)text;
  rally_decoder *decoder = (rally_decoder *)text;
  rally_model_info info;
  rally_tensor_info tensor;
  rally_outputs outputs;
  rally_request request = make_request(1);
  rally_generation generation;
  rally_model_info_init(&info, sizeof info);
  rally_tensor_info_init(&tensor, sizeof tensor);
  rally_outputs_init(&outputs, sizeof outputs);
  rally_generation_init(&generation, sizeof generation);

  rally_model_close(NULL);
  rally_runner_close(NULL);
  rally_runner_cancel(NULL);
  rally_decoder_close(NULL);
  CHECK(rally_model_metadata_count(NULL) == 0);
  CHECK(rally_model_tensor_count(NULL) == 0);

  CHECK_STATUS(rally_model_open(NULL, NULL, &model, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_open_memory(NULL, 10, NULL, &model, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_validate(NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_get_info(NULL, &info, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_metadata_at(NULL, 0, &key, &value, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_metadata_get(NULL, "rally.kind", &value, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_tensor_at(NULL, 0, &tensor, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_encode(NULL, "a", 1, NULL, &token, 1, &count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decode(NULL, &token, 1, NULL, text, sizeof text, &count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decoder_open(NULL, NULL, &decoder, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decoder_push(NULL, 1, text, sizeof text, &count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decoder_finish(NULL, text, sizeof text, &count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_runner_open(NULL, NULL, &runner, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_runner_memory(NULL, row_offsets, 1, 0, &bytes, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_run(NULL, greeting, row_offsets, 1, NULL, &outputs, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_rate(NULL, greeting, row_offsets, 1, NULL, &score, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_generate(NULL, &request, 1, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);

  CHECK(token == 7 && count == 7 && bytes == 7 && score == 7 && !strcmp(text, "7"));
  CHECK(key == text && value == text);
  CHECK((char *)model == text && (char *)runner == text && (char *)decoder == text);
}

static void test_null_model_arguments(void) {
  rally_error error = make_error();
  const char *key = "unchanged", *value = "unchanged";
  size_t count = 7;
  int32_t token = 1;
  CHECK_STATUS(rally_model_open(language_model_path, NULL, NULL, &error), RALLY_INVALID_ARGUMENT);
  CHECK(error.code == RALLY_INVALID_ARGUMENT && strlen(error.message) > 0 && !strchr(error.message, '\n'));
  CHECK_STATUS(rally_model_open_memory("a", 1, NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_get_info(language_model, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_metadata_at(language_model, 0, NULL, &value, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_metadata_at(language_model, 0, &key, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_metadata_at(language_model, SIZE_MAX, &key, &value, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_metadata_get(language_model, NULL, &value, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_metadata_get(language_model, "rally.kind", NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_model_tensor_at(language_model, 0, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_encode(language_model, NULL, 3, NULL, &token, 1, &count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_encode(language_model, "a", 1, NULL, NULL, 4, &count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_encode(language_model, "a", 1, NULL, &token, 1, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decode(language_model, NULL, 1, NULL, NULL, 0, &count, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decode(language_model, &token, 1, NULL, NULL, 0, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_decoder_open(language_model, NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_runner_open(language_model, NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(count == 7 && !strcmp(key, "unchanged") && !strcmp(value, "unchanged"));
}

static void test_null_runner_arguments(void) {
  const size_t row_offsets[] = {0, 2};
  uint64_t bytes = 7;
  float score = 7;
  rally_runner *runner = NULL, *judge = NULL;
  CHECK_STATUS(rally_runner_open(language_model, NULL, &runner, NULL), RALLY_OK);
  CHECK_STATUS(rally_runner_open(rater, NULL, &judge, NULL), RALLY_OK);
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  int32_t depths[2] = {7, 7};
  outputs.depths = depths;

  CHECK_STATUS(rally_runner_memory(runner, NULL, 1, 0, &bytes, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_runner_memory(runner, row_offsets, 1, 0, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_run(runner, NULL, row_offsets, 1, NULL, &outputs, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_run(runner, greeting, NULL, 1, NULL, &outputs, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_run(runner, greeting, row_offsets, 1, NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_rate(judge, NULL, row_offsets, 1, NULL, &score, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_rate(judge, greeting, NULL, 1, NULL, &score, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_rate(judge, greeting, row_offsets, 1, NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);

  rally_request request = make_request(1);
  rally_generation generation;
  int32_t token = 7;
  size_t count = 7;
  rally_generation_init(&generation, sizeof generation);
  generation.stride = 1;
  generation.tokens = &token;
  generation.token_counts = &count;
  CHECK_STATUS(rally_generate(runner, NULL, 1, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, NULL, NULL), RALLY_INVALID_ARGUMENT);
  request.tokens = NULL;
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);
  request = make_request(1);
  request.stop_token_count = 3;
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);
  request = make_request(1);
  generation.tokens = NULL;
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);
  generation.tokens = &token;
  generation.token_counts = NULL;
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);

  CHECK(bytes == 7 && score == 7 && depths[0] == 7 && depths[1] == 7 && token == 7 && count == 7);
  rally_runner_close(judge);
  rally_runner_close(runner);
}

void test_null(void) {
  test_null_handles();
  test_null_model_arguments();
  test_null_runner_arguments();
}
