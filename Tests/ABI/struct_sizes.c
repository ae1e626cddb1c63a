/* Programs compiled against an older header, and structs that nobody initialised. */
#include "check.h"

/* An init function given `size` bytes leaves all after them as they were. */
#define CHECK_INIT_STAYS_INSIDE(type, init)                                                       \
  do {                                                                                            \
    for (size_t size = sizeof(size_t); size <= sizeof(type); size++) {                            \
      union {                                                                                     \
        type value;                                                                               \
        unsigned char bytes[sizeof(type)];                                                        \
      } memory;                                                                                   \
      memset(&memory, 0xA5, sizeof memory);                                                       \
      init(&memory.value, size);                                                                  \
      int outside_untouched = 1;                                                                  \
      for (size_t i = size; i < sizeof memory; i++) outside_untouched &= memory.bytes[i] == 0xA5; \
      if (!outside_untouched || memory.value.struct_size != size) {                               \
        CHECK(outside_untouched);                                                                 \
        CHECK(memory.value.struct_size == size);                                                  \
        break;                                                                                    \
      }                                                                                           \
    }                                                                                             \
    init(NULL, sizeof(type));                                                                     \
    CHECK(1);                                                                                     \
  } while (0)

static void test_inits(void) {
#define INIT(type, init) CHECK_INIT_STAYS_INSIDE(type, init);
#include "generated/inits.inc"
#undef INIT

  rally_request request;
  rally_request_init(&request, sizeof request);
  CHECK(request.top_p == 1.0f && request.temperature == 0.0f && request.min_p == 0.0f && request.top_k == 0);
  CHECK(request.stop_at_eos == RALLY_DEFAULT && request.max_tokens == 0 && request.max_depth == 0 && request.tokens == NULL);
  CHECK(request.repetition_penalty == 1.0f && request.presence_penalty == 0.0f && request.frequency_penalty == 0.0f);
  CHECK(request.target_depth == 0.0 && request.bias_count == 0 && request.stop_string_count == 0);
  CHECK(request.top_logprobs == 0 && request.priority == 0);
  rally_engine_options engine;
  rally_engine_options_init(&engine, sizeof engine);
  CHECK(engine.threads == 0 && engine.max_step_tokens == 0 && engine.max_sequences == 0 && engine.cache_bytes == 0);
  CHECK(engine.batching == RALLY_BATCH_DEPTH && engine.share_prefixes == RALLY_DEFAULT);
  rally_tokenizer_options text;
  rally_tokenizer_options_init(&text, sizeof text);
  CHECK(text.add_bos == RALLY_DEFAULT && text.add_eos == RALLY_DEFAULT);
  CHECK(text.parse_special == RALLY_DEFAULT && text.skip_special == RALLY_DEFAULT);
  rally_error error = make_error();
  CHECK(error.code == RALLY_OK && error.message[0] == '\0');
}

/* A smaller error takes a shorter message, always terminated; one without a size takes nothing. */
static void test_errors(void) {
  rally_error error;
  rally_model *model = NULL;
  const size_t message = offsetof(rally_error, message);
  for (size_t capacity = 0; capacity <= 20; capacity++) {
    memset(&error, 0x5A, sizeof error);
    rally_error_init(&error, message + capacity);
    CHECK_STATUS(rally_model_open("no/such/model.onnx", NULL, &model, &error), RALLY_FILE_NOT_FOUND);
    CHECK(error.code == RALLY_FILE_NOT_FOUND);
    CHECK(capacity == 0 || memchr(error.message, '\0', capacity) != NULL);
    CHECK(error.message[capacity] == 0x5A);
  }
  memset(&error, 0x5A, sizeof error);
  error.struct_size = 0;
  CHECK_STATUS(rally_model_open("no/such/model.onnx", NULL, &model, &error), RALLY_FILE_NOT_FOUND);
  CHECK(error.message[0] == 0x5A);
  CHECK(model == NULL);
}

/* The model info of an older header: the fields it knows are filled, what lies after is not. */
static void test_older_info(void) {
  rally_model_info info;
  memset(&info, 0x5A, sizeof info);
  rally_model_info_init(&info, offsetof(rally_model_info, num_layers));
  CHECK_STATUS(rally_model_get_info(language_model, &info, NULL), RALLY_OK);
  CHECK(info.kind == RALLY_KIND_LM && info.vocab_size > 0);
  CHECK(info.num_layers == 0x5A5A5A5A);
}

static void test_older_request(rally_runner *runner) {
  rally_request request = make_request(4);
  rally_generation generation;
  int32_t tokens[8];
  size_t count = 0;
  rally_generation_init(&generation, offsetof(rally_generation, finish_reasons));
  generation.stride = 4;
  generation.tokens = tokens;
  generation.token_counts = &count;
  request.struct_size = offsetof(rally_request, stop_at_eos);
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_OK);
  CHECK(count >= 1 && count <= 4);

  request.struct_size = 0;
  count = 77;
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(count == 77);
  request = make_request(4);
  generation.struct_size = 0;
  CHECK_STATUS(rally_generate(runner, &request, 1, NULL, NULL, &generation, NULL), RALLY_INVALID_ARGUMENT);
}

/* Options that were never initialised, or are smaller than their first field. */
static void test_zero_sizes(rally_runner *runner) {
  rally_error error = make_error();
  rally_model_options model_options;
  memset(&model_options, 0, sizeof model_options);
  rally_model *model = NULL;
  CHECK_STATUS(rally_model_open(language_model_path, &model_options, &model, &error), RALLY_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "struct_size") != NULL);
  CHECK(model == NULL);

  rally_runner_options runner_options;
  memset(&runner_options, 0, sizeof runner_options);
  rally_runner *other = NULL;
  CHECK_STATUS(rally_runner_open(language_model, &runner_options, &other, NULL), RALLY_INVALID_ARGUMENT);
  CHECK(other == NULL);

  rally_model_info info;
  memset(&info, 0, sizeof info);
  CHECK_STATUS(rally_model_get_info(language_model, &info, NULL), RALLY_INVALID_ARGUMENT);
  rally_tensor_info tensor;
  memset(&tensor, 0, sizeof tensor);
  CHECK_STATUS(rally_model_tensor_at(language_model, 0, &tensor, NULL), RALLY_INVALID_ARGUMENT);

  const size_t row_offsets[] = {0, 2};
  float logits = 0;
  rally_outputs outputs;
  memset(&outputs, 0, sizeof outputs);
  outputs.logits = &logits;
  CHECK_STATUS(rally_run(runner, greeting, row_offsets, 1, NULL, &outputs, NULL), RALLY_INVALID_ARGUMENT);
}

void test_struct_sizes(void) {
  rally_runner *runner = NULL;
  CHECK_STATUS(rally_runner_open(language_model, NULL, &runner, NULL), RALLY_OK);
  test_inits();
  test_errors();
  test_older_info();
  test_older_request(runner);
  test_zero_sizes(runner);
  rally_runner_close(runner);
}
