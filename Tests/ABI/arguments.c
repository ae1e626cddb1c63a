/* Arguments that are there but wrong: the code says which kind, the message names the thing, outputs stay as they were. */
#include "check.h"
#include <math.h>
#include <stdlib.h>

static void test_rows(rally_runner *runner) {
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  CHECK_STATUS(rally_model_get_info(language_model, &info, NULL), RALLY_OK);
  int32_t depths[4] = {7, 7, 7, 7};
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.depths = depths;
  rally_error error = make_error();

  const int32_t outside[] = {0, info.vocab_size, -1, INT32_MAX};
  const size_t two[] = {0, 2}, empty_row[] = {0, 2, 2}, descending[] = {0, 2, 1}, late[] = {1, 2};
  const size_t huge[] = {0, SIZE_MAX / 2};
  CHECK_STATUS(rally_run(runner, outside, two, 1, NULL, &outputs, &error), RALLY_INVALID_TOKEN);
  char number[16];
  snprintf(number, sizeof number, "%d", (int)info.vocab_size);
  CHECK(strstr(error.message, number) != NULL);
  CHECK_STATUS(rally_run(runner, outside + 2, two, 1, NULL, &outputs, &error), RALLY_INVALID_TOKEN);
  CHECK_STATUS(rally_run(runner, greeting, two, 0, NULL, &outputs, &error), RALLY_EMPTY_INPUT);
  CHECK_STATUS(rally_run(runner, greeting, empty_row, 2, NULL, &outputs, &error), RALLY_EMPTY_INPUT);
  CHECK_STATUS(rally_run(runner, greeting, descending, 2, NULL, &outputs, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_run(runner, greeting, late, 1, NULL, &outputs, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_run(runner, greeting, huge, 1, NULL, &outputs, &error), RALLY_INVALID_ARGUMENT);
  const size_t no_memory[] = {0, SIZE_MAX / 8};
  CHECK_STATUS(rally_run(runner, greeting, no_memory, 1, NULL, &outputs, &error), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_run(runner, greeting, two, SIZE_MAX / 16, NULL, &outputs, &error), RALLY_INVALID_ARGUMENT);
  const size_t too_long[] = {0, (size_t)info.max_position_embeddings + 1};
  int32_t *zeros = calloc(too_long[1], sizeof(int32_t));
  CHECK_STATUS(rally_run(runner, zeros, too_long, 1, NULL, &outputs, &error), RALLY_CONTEXT_EXCEEDED);
  free(zeros);
  CHECK(strstr(error.message, "\n") == NULL && strlen(error.message) > 10);
  CHECK(depths[0] == 7 && depths[1] == 7 && depths[2] == 7 && depths[3] == 7);

  uint64_t bytes = 0;
  CHECK_STATUS(rally_runner_memory(runner, two, 1, 8, &bytes, &error), RALLY_OK);
  CHECK(bytes > 0);
}

static void test_alignment(rally_runner *runner) {
  const size_t two[] = {0, 2};
  int32_t room[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  double wide[8] = {0};
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.depths = room;
  CHECK_STATUS(rally_run(runner, misaligned(room), two, 1, NULL, &outputs, NULL), RALLY_INVALID_ARGUMENT);
  outputs.depths = misaligned(room);
  CHECK_STATUS(rally_run(runner, greeting, two, 1, NULL, &outputs, NULL), RALLY_INVALID_ARGUMENT);
  outputs.depths = NULL;
  outputs.logprobs = misaligned(wide);
  CHECK_STATUS(rally_run(runner, greeting, two, 1, NULL, &outputs, NULL), RALLY_INVALID_ARGUMENT);
  CHECK_STATUS(rally_run(runner, greeting, misaligned(wide), 1, NULL, &outputs, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(room[0] == 1 && room[1] == 2 && room[2] == 3);
}

static void test_kinds(rally_runner *runner, rally_runner *judge) {
  const size_t two[] = {0, 2};
  float score = 7;
  int32_t token = 7;
  size_t count = 7;
  rally_error error = make_error();
  rally_request request = make_request(1);
  rally_generation generation;
  rally_generation_init(&generation, sizeof generation);
  generation.stride = 1;
  generation.tokens = &token;
  generation.token_counts = &count;
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.depths = &token;
  CHECK_STATUS(rally_rate(runner, greeting, two, 1, NULL, &score, &error), RALLY_WRONG_KIND);
  CHECK_STATUS(rally_generate(judge, &request, 1, NULL, NULL, &generation, &error), RALLY_WRONG_KIND);
  CHECK_STATUS(rally_run(judge, greeting, two, 1, NULL, &outputs, &error), RALLY_WRONG_KIND);
  CHECK(score == 7 && token == 7 && count == 7);
}

static void test_request_numbers(rally_runner *runner) {
  int32_t token = 7;
  size_t count = 7;
  rally_generation generation;
  rally_generation_init(&generation, sizeof generation);
  generation.stride = 1;
  generation.tokens = &token;
  generation.token_counts = &count;
  const float not_a_number = nanf(""), infinite = INFINITY;
  const struct {
    float temperature, top_p, min_p;
    int32_t top_k;
  } wrong[] = {
      {-1, 1, 0, 0},           {not_a_number, 1, 0, 0}, {infinite, 1, 0, 0}, {1, 0, 0, 0},
      {1, 1.5f, 0, 0},         {1, not_a_number, 0, 0}, {1, 1, -0.1f, 0},    {1, 1, 1.1f, 0},
      {1, 1, not_a_number, 0}, {1, 1, 0, -1},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    rally_request request = make_request(1);
    request.temperature = wrong[i].temperature;
    request.top_p = wrong[i].top_p;
    request.min_p = wrong[i].min_p;
    request.top_k = wrong[i].top_k;
    CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);
  }
  rally_request request = make_request(2); /* more than the stride has room for */
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_BUFFER_TOO_SMALL);
  request = make_request(1);
  rally_request three[3] = {request, request, request}; /* whose places no memory has */
  generation.stride = SIZE_MAX / 4;
  CHECK_STATUS(rally_generate(runner, three, 3, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);
  generation.stride = SIZE_MAX;
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);
  generation.stride = 1;
  request.token_count = 0;
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_EMPTY_INPUT);
  request = make_request(1);
  CHECK_STATUS(rally_generate(runner, &request, 0, NULL, NULL, &generation, NULL), RALLY_EMPTY_INPUT);
  generation.timeout_seconds = -1;
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);
  generation.timeout_seconds = (double)not_a_number;
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(token == 7 && count == 7);
}

static void test_options(void) {
  rally_runner *runner = NULL;
  rally_runner_options options;
  rally_runner_options_init(&options, sizeof options);
  options.threads = 257;
  CHECK_STATUS(rally_runner_open(language_model, &options, &runner, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(runner == NULL);

  rally_model *model = NULL;
  rally_error error = make_error();
  rally_model_options model_options;
  rally_model_options_init(&model_options, sizeof model_options);
  model_options.dtype = (rally_dtype)42;
  CHECK_STATUS(rally_model_open(language_model_path, &model_options, &model, &error), RALLY_INVALID_ARGUMENT);
  rally_model_options_init(&model_options, sizeof model_options);
  model_options.max_file_bytes = 100;
  CHECK_STATUS(rally_model_open(language_model_path, &model_options, &model, &error), RALLY_LIMIT_EXCEEDED);
  rally_model_options_init(&model_options, sizeof model_options);
  model_options.max_tensor_bytes = 16;
  CHECK_STATUS(rally_model_open(language_model_path, &model_options, &model, &error), RALLY_LIMIT_EXCEEDED);
  CHECK(model == NULL);
}

void test_arguments(void) {
  rally_runner *runner = NULL, *judge = NULL;
  CHECK_STATUS(rally_runner_open(language_model, NULL, &runner, NULL), RALLY_OK);
  CHECK_STATUS(rally_runner_open(rater, NULL, &judge, NULL), RALLY_OK);
  test_rows(runner);
  test_alignment(runner);
  test_kinds(runner, judge);
  test_request_numbers(runner);
  test_options();
  rally_runner_close(judge);
  rally_runner_close(runner);
}
