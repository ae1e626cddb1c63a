/*
 * Opens a mutant through rally.h and does with it what a host would.
 * Stages: 0 open, 1 describe, 2 text, 3 compute, 4 store again, 5 done.
 */
#include "server.h"

#include <rally.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the header promises; a broken promise is a death, and its line is the noise. */
#define REQUIRE(condition)                                       \
  do {                                                           \
    if (!(condition)) {                                          \
      fprintf(stderr, "rally.c:%d: %s\n", __LINE__, #condition); \
      abort();                                                   \
    }                                                            \
  } while (0)

static void check_error(rally_status status, const rally_error *error) {
  REQUIRE(error->code == status);
  REQUIRE(strcmp(rally_status_name(status), "RALLY_UNKNOWN_STATUS") != 0);
  size_t length = strnlen(error->message, sizeof error->message);
  REQUIRE(length > 0 && length < sizeof error->message);
  for (size_t i = 0; i < length; i++) REQUIRE((unsigned char)error->message[i] >= 0x20 && error->message[i] != 0x7F);
}

/* Calls that may fail for a mutant, with an error as good as any. */
static int passes(mutant *m, rally_status status, rally_error *error) {
  m->status = (int)status;
  if (status) check_error(status, error);
  return status == RALLY_OK;
}

static size_t describe(const rally_model *model, rally_model_info *info, rally_error *error) {
  rally_model_info_init(info, sizeof *info);
  REQUIRE(!rally_model_get_info(model, info, error));
  size_t sum = 0;
  for (size_t i = 0; i < rally_model_metadata_count(model); i++) {
    const char *key, *value;
    REQUIRE(!rally_model_metadata_at(model, i, &key, &value, error));
    sum += strlen(key) + strlen(value);
  }
  for (size_t i = 0; i < rally_model_tensor_count(model); i++) {
    rally_tensor_info tensor;
    rally_tensor_info_init(&tensor, sizeof tensor);
    REQUIRE(!rally_model_tensor_at(model, i, &tensor, error));
    REQUIRE(tensor.rank >= 0 && tensor.rank <= 2);
    sum += strlen(tensor.name) + strlen(tensor.dtype);
  }
  return sum;
}

/* There and back; a vocabulary may lack bytes, so only what was decoded must stay as it is. */
static int round_trip(mutant *m, const rally_model *model, const char *text, size_t length, rally_error *error) {
  int32_t tokens[256];
  char decoded[4096], streamed[4096];
  size_t count, size, total = 0;
  if (!passes(m, rally_encode(model, text, length, NULL, tokens, 256, &count, error), error)) return 0;
  REQUIRE(count <= 256);
  if (!passes(m, rally_decode(model, tokens, count, NULL, decoded, sizeof decoded, &size, error), error)) return 0;
  rally_decoder *decoder = NULL;
  if (!passes(m, rally_decoder_open(model, NULL, &decoder, error), error)) return 0;
  for (size_t i = 0; i < count; i++) {
    size_t piece;
    rally_status status = rally_decoder_push(decoder, tokens[i], streamed + total, sizeof streamed - total, &piece, error);
    if (!passes(m, status, error)) break;
    total += piece;
  }
  rally_decoder_close(decoder);
  return 1;
}

static void language_model(mutant *m, rally_runner *runner, const rally_model_info *info, rally_error *error) {
  size_t length = info->max_position_embeddings < 8 ? (size_t)info->max_position_embeddings : 8;
  int32_t tokens[11], depths[11];
  float logprobs[11];
  for (size_t i = 0; i < length + 1; i++) tokens[i] = (int32_t)((uint64_t)i * 7919 % (uint64_t)info->vocab_size);
  size_t offsets[3] = {0, length, length + 1}, position = 0;
  float *logits = malloc((size_t)info->vocab_size * sizeof *logits);
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.positions = &position;
  outputs.position_count = logits ? 1 : 0;
  outputs.logits = logits;
  outputs.logprobs = logprobs;
  outputs.depths = depths;
  for (int selection = 0; selection < 2; selection++) {
    rally_run_options options;
    rally_run_options_init(&options, sizeof options);
    options.selection = (rally_selection)selection;
    if (selection == 1 && info->exit != RALLY_EXIT_NONE) {
      options.selection = RALLY_SELECT_THRESHOLD;
      options.exit_threshold = 0.5;
      options.kv_policy = m->flags & TWO_THREADS ? RALLY_KV_FULL : RALLY_KV_DEFAULT;
    }
    if (passes(m, rally_run(runner, tokens, offsets, 2, &options, &outputs, error), error))
      for (size_t i = 0; i < length + 1; i++) REQUIRE(depths[i] >= 0 && depths[i] <= info->num_recursion);
  }
  free(logits);

  rally_request requests[2];
  for (int i = 0; i < 2; i++) {
    rally_request_init(&requests[i], sizeof requests[i]);
    requests[i].tokens = tokens;
    requests[i].token_count = i == 0 ? 1 : length;
    requests[i].max_tokens = 3;
    requests[i].temperature = (float)i;
    if (info->exit != RALLY_EXIT_NONE && i == 1) requests[i].exit_from = 1;
  }
  int32_t generated[6];
  size_t counts[2];
  rally_generation generation;
  rally_generation_init(&generation, sizeof generation);
  generation.stride = 3;
  generation.tokens = generated;
  generation.token_counts = counts;
  if (passes(m, rally_generate(runner, requests, 2, NULL, NULL, &generation, error), error))
    for (size_t i = 0; i < counts[0]; i++) REQUIRE(generated[i] >= 0 && generated[i] < info->vocab_size);
}

static void rater(mutant *m, rally_runner *runner, const rally_model_info *info, rally_error *error) {
  size_t length = info->max_position_embeddings < 8 ? (size_t)info->max_position_embeddings : 8;
  int32_t tokens[9];
  for (size_t i = 0; i < length + 1; i++) tokens[i] = (int32_t)((uint64_t)i * 7919 % (uint64_t)info->vocab_size);
  size_t offsets[3] = {0, length, length + 1};
  float scores[2];
  for (int squash = 0; squash < 2; squash++) {
    rally_rate_options options;
    rally_rate_options_init(&options, sizeof options);
    options.squash = squash ? RALLY_ON : RALLY_OFF;
    passes(m, rally_rate(runner, tokens, offsets, 2, &options, scores, error), error);
  }
}

/* What is written must be a model; what is not leaves nothing. */
static void store_again(mutant *m, rally_error *error) {
  static const rally_dtype types[] = {RALLY_DTYPE_INT8, RALLY_DTYPE_BF16, RALLY_DTYPE_F32, RALLY_DTYPE_Q4};
  char out[512];
  snprintf(out, sizeof out, "%s.new", m->path);
  rally_quantize_options options;
  rally_quantize_options_init(&options, sizeof options);
  options.dtype = types[m->size % 4];
  if (passes(m, rally_quantize(m->path, out, &options, error), error)) {
    REQUIRE(!rally_model_validate(out, NULL, error));
    REQUIRE(!unlink(out));
  } else {
    REQUIRE(access(out, F_OK) != 0);
  }
}

static void examine(mutant *m) {
  rally_error error;
  rally_error_init(&error, sizeof error);
  rally_model_options options;
  rally_model_options_init(&options, sizeof options);
  options.threads = m->flags & TWO_THREADS ? 2 : 1;
  rally_model *const untouched = (rally_model *)(uintptr_t)0xABAD1DEA;
  rally_model *model = untouched;
  m->stage = 0;
  rally_status status = m->flags & THROUGH_FILE ? rally_model_open(m->path, &options, &model, &error)
                                                : rally_model_open_memory(m->data, m->size, &options, &model, &error);
  if (!passes(m, status, &error)) {
    REQUIRE(model == untouched);
    return;
  }

  m->stage = 1;
  rally_model_info info;
  describe(model, &info, &error);

  m->stage = 2;
  static const char text[] = "Hello, w\xC3\xB6rld \xFF\xFE <|endoftext|> 12345\n\n\t  \xF0\x9F\x98";
  if (info.has_tokenizer) round_trip(m, model, text, sizeof text - 1, &error);

  m->stage = 3;
  rally_runner_options runner_options;
  rally_runner_options_init(&runner_options, sizeof runner_options);
  runner_options.threads = options.threads;
  rally_runner *runner = NULL;
  if (passes(m, rally_runner_open(model, &runner_options, &runner, &error), &error)) {
    if (info.kind == RALLY_KIND_LM) language_model(m, runner, &info, &error);
    else rater(m, runner, &info, &error);
  }
  rally_runner_close(runner);
  rally_model_close(model);

  m->stage = 4;
  if (m->status == RALLY_OK) store_again(m, &error);
  m->stage = 5;
}

#ifdef BY_COVERAGE
/* libFuzzer's own main() calls it with what it makes: as a file too, which quantising reads. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static char path[64];
  if (!*path) snprintf(path, sizeof path, "/dev/shm/rally-importer-%d.onnx", (int)getpid());
  FILE *file = fopen(path, "wb");
  REQUIRE(file && fwrite(data, 1, size, file) == size && !fclose(file));
  mutant m = {.data = data, .size = size, .path = path, .flags = size % 2 ? THROUGH_FILE : 0};
  examine(&m);
  REQUIRE(!unlink(path));
  return 0;
}
#else
int main(int argc, char **argv) { return serve(argc, argv, examine); }
#endif
