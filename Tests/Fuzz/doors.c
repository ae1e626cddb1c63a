/*
 * The doors of rally.h that take bytes, other than model files: texts, tokens, saved states, distributions, labels,
 * options and calls in any order. For libFuzzer: RALLY_MODEL and RALLY_RATER name the models. What is checked is that every call
 * answers, and that what it says of sizes is true.
 */
#include <math.h>
#include <rally.h>
#include <sanitizer/lsan_interface.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 16, STEPS = 48 };

typedef struct input {
  const uint8_t *data;
  size_t size;
} input;

static rally_model *models[2]; /* a language model, a rater */
static rally_engine *engine;
static rally_runner *runners[2];
static rally_decoder *decoder;
static rally_distribution *distribution;
static uint8_t *state;
static size_t state_size;

#define MUST(condition)                                               \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                        \
    }                                                                 \
  } while (0)

static uint8_t take(input *in) {
  if (!in->size) return 0;
  in->size--;
  return *in->data++;
}

/* A copy of its very size of the next bytes, in memory of its own. */
static uint8_t *take_bytes(input *in, size_t *size) {
  const size_t wanted = (size_t)take(in) << (take(in) % 5);
  *size = wanted < in->size ? wanted : in->size;
  uint8_t *copy = malloc(*size + !*size);
  if (*size) memcpy(copy, in->data, *size);
  in->data += *size;
  in->size -= *size;
  return copy;
}

static double take_number(input *in) {
  static const double odd[] = {0, -1, 1, 0.5, 1e-300, 1e300, -0.0, 1.0 / 3};
  const uint8_t kind = take(in);
  if (kind < 8) return odd[kind];
  if (kind == 8) return (double)INFINITY;
  if (kind == 9) return (double)NAN;
  return kind / 16.0;
}

static void encode(input *in) {
  size_t size = 0, count = 0, again = 0;
  uint8_t *text = take_bytes(in, &size);
  rally_tokenizer_options options;
  rally_tokenizer_options_init(&options, sizeof options);
  const uint8_t switches = take(in);
  options.parse_special = (rally_switch)(switches % 4 - 1);
  options.add_bos = (rally_switch)(switches / 4 % 4 - 1);
  rally_model *model = models[switches >> 7];
  int32_t *tokens = malloc(ROOM * sizeof *tokens);
  const rally_status asked = rally_encode(model, (const char *)text, size, &options, NULL, 0, &count, NULL);
  MUST(asked == RALLY_OK || asked == RALLY_INVALID_ARGUMENT);
  if (!asked && count <= ROOM) {
    MUST(rally_encode(model, (const char *)text, size, &options, tokens, count, &again, NULL) == RALLY_OK && again == count);
    size_t length = 0;
    MUST(rally_decode(model, tokens, count, NULL, NULL, 0, &length, NULL) == RALLY_OK);
    /* The rater's tokenizer joins white space; the language model's loses nothing. */
    const int keeps_all = model == models[0] && options.parse_special == RALLY_OFF && options.add_bos == RALLY_OFF;
    if (keeps_all) MUST(length >= size);
  }
  free(tokens);
  free(text);
}

static void decode(input *in) {
  size_t size = 0, wanted = 0, length = 0;
  uint8_t *bytes = take_bytes(in, &size);
  char text[512];
  for (size_t i = 0; i + 1 < size; i += 2) {
    const int32_t token = (int32_t)(int16_t)(bytes[i] | bytes[i + 1] << 8);
    const rally_status asked = rally_decoder_push(decoder, token, NULL, 0, &wanted, NULL);
    MUST(asked == RALLY_OK || asked == RALLY_INVALID_TOKEN);
    if (asked) continue;
    MUST(wanted <= sizeof text && rally_decoder_push(decoder, token, text, wanted, &length, NULL) == RALLY_OK
         && length == wanted);
  }
  MUST(rally_decoder_finish(decoder, text, sizeof text, &length, NULL) == RALLY_OK);
  free(bytes);
}

static void load_distribution(input *in) {
  size_t size = 0;
  uint8_t *bytes = take_bytes(in, &size);
  rally_distribution *other = NULL;
  if (!rally_distribution_load(bytes, size, &other, NULL)) {
    rally_distribution_merge(distribution, other, NULL);
    rally_distribution_close(other);
  }
  free(bytes);
}

static void add_scores(input *in) {
  float scores[8];
  double numbers[8], found[8];
  for (int i = 0; i < 8; i++) scores[i] = (float)(numbers[i] = take_number(in));
  rally_distribution_add(distribution, scores, 8, NULL);
  rally_distribution_cdf(distribution, scores, 8, found, NULL);
  rally_distribution_quantile(distribution, numbers, 8, scores, NULL);
  rally_acceptance(numbers, 8, take(in), take(in), found, NULL);
  size_t kept[8];
  rally_select_top(scores, 8, take(in) % 10, kept, NULL);
  size_t count;
  rally_draw_count(take(in), take_number(in), &count, NULL);
}

static void save_and_change(input *in) {
  static uint8_t data[1 << 20];
  size_t size = 0;
  if (rally_distribution_save(distribution, data, sizeof data, &size, NULL)) return;
  for (int i = take(in) % 8; i > 0; i--) data[(take(in) | take(in) << 8) % size] = take(in);
  rally_distribution *other = NULL;
  rally_distribution_load(data, size - take(in) % size, &other, NULL);
  rally_distribution_close(other);
}

static void restore(input *in) {
  uint8_t *copy = malloc(state_size);
  memcpy(copy, state, state_size);
  for (int i = take(in) % 8; i > 0; i--) copy[(take(in) | take(in) << 8) % state_size] = take(in);
  rally_request request;
  rally_request_init(&request, sizeof request);
  request.max_tokens = 3 + take(in) % 4;
  rally_engine_restore(engine, copy, state_size - (take(in) % 4 ? 0 : take(in)), &request, NULL, NULL);
  free(copy);
}

static void submit(input *in) {
  int32_t tokens[8], stops[2], biased[2];
  float biases[2];
  for (int i = 0; i < 8; i++) tokens[i] = take(in) + (int8_t)take(in) * 256;
  rally_request request;
  rally_request_init(&request, sizeof request);
  request.tokens = tokens;
  request.token_count = take(in) % 9;
  request.max_tokens = 1 + take(in) % 4;
  request.temperature = (float)take_number(in);
  request.top_p = (float)take_number(in);
  request.min_p = (float)take_number(in);
  request.top_k = (int8_t)take(in);
  request.repetition_penalty = (float)take_number(in);
  request.presence_penalty = (float)take_number(in);
  request.target_depth = take_number(in);
  request.timeout_seconds = take_number(in);
  request.top_logprobs = take(in);
  request.max_depth = take(in) % 5;
  stops[0] = biased[0] = take(in);
  stops[1] = biased[1] = (int8_t)take(in);
  biases[0] = (float)take_number(in);
  biases[1] = (float)take_number(in);
  request.stop_tokens = stops;
  request.stop_token_count = take(in) % 3;
  request.bias_tokens = biased;
  request.bias_values = biases;
  request.bias_count = take(in) % 3;
  size_t size = 0;
  char *text = (char *)take_bytes(in, &size);
  if (size) text[size - 1] = 0;
  const char *stop = text;
  request.stop_strings = &stop;
  request.stop_string_count = size && take(in) % 2;
  size_t id = 0;
  if (!rally_engine_submit(engine, &request, &id, NULL) && take(in) % 4 == 0) rally_engine_cancel(engine, id);
  free(text);
}

static void rate(input *in) {
  int32_t tokens[32];
  size_t offsets[4] = {0};
  for (int i = 0; i < 32; i++) tokens[i] = take(in);
  for (int i = 1; i < 4; i++) offsets[i] = offsets[i - 1] + take(in) % 11;
  float scores[4], windows[32];
  rally_rate(runners[1], tokens, offsets, 3, NULL, scores, NULL);
  rally_document_options options;
  rally_document_options_init(&options, sizeof options);
  options.window_tokens = take(in);
  options.stride_tokens = take(in);
  options.max_windows = take(in) % 4;
  options.reading = (rally_reading)(take(in) % 6);
  options.join = (rally_join)(take(in) % 5);
  rally_document_scores wanted;
  rally_document_scores_init(&wanted, sizeof wanted);
  wanted.mean = scores;
  wanted.window_scores = windows;
  wanted.window_capacity = take(in) % 33;
  size_t starts[4];
  wanted.window_offsets = starts;
  rally_rate_documents(runners[1], tokens, offsets, 3, &options, &wanted, NULL);
}

static void label(input *in) {
  size_t size = 0, needed = 0;
  char *more = (char *)take_bytes(in, &size), text[4096];
  if (size) more[size - 1] = 0;
  rally_label_options options;
  rally_label_options_init(&options, sizeof options);
  options.more = size ? more : NULL;
  options.window_tokens = take(in);
  rally_score_label(models[1], &options, text, sizeof text, &needed, NULL);
  free(more);
}

static void open_all(void) {
  const char *paths[] = {getenv("RALLY_MODEL"), getenv("RALLY_RATER")};
  for (int i = 0; i < 2; i++) {
    MUST(paths[i] && !rally_model_open(paths[i], NULL, &models[i], NULL)
         && !rally_runner_open(models[i], NULL, &runners[i], NULL));
  }
  rally_engine_options options;
  rally_engine_options_init(&options, sizeof options);
  options.threads = 1;
  options.max_sequences = 4;
  options.max_queue = 8;
  MUST(!rally_engine_open(models[0], &options, &engine, NULL) && !rally_decoder_open(models[0], NULL, &decoder, NULL));
  MUST(!rally_distribution_open("fuzz", 8, &distribution, NULL));
  const int32_t tokens[] = {5, 6, 7};
  rally_request request;
  rally_request_init(&request, sizeof request);
  request.tokens = tokens;
  request.token_count = 3;
  request.max_tokens = 8;
  size_t id = 0;
  MUST(!rally_engine_submit(engine, &request, &id, NULL) && !rally_engine_step(engine, NULL, NULL, NULL, NULL));
  MUST(!rally_engine_save(engine, id, NULL, 0, &state_size, NULL));
  state = malloc(state_size);
  MUST(!rally_engine_save(engine, id, state, state_size, &state_size, NULL));
  rally_engine_cancel_all(engine);
  MUST(!rally_engine_run(engine, NULL, NULL, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!models[0]) {
    /* Held to the end. Swift keeps marks in unused bits of some pointers, and the search for leaks does not follow those. */
    __lsan_disable();
    open_all();
    __lsan_enable();
  }
  input in = {data, size};
  for (int i = 0; i < STEPS && in.size; i++) {
    switch (take(&in) % 10) {
      case 0: encode(&in); break;
      case 1: decode(&in); break;
      case 2: load_distribution(&in); break;
      case 3: add_scores(&in); break;
      case 4: save_and_change(&in); break;
      case 5: restore(&in); break;
      case 6: submit(&in); break;
      case 7: rate(&in); break;
      case 8: label(&in); break;
      default: MUST(rally_engine_step(engine, NULL, NULL, NULL, NULL) == RALLY_OK);
    }
  }
  MUST(rally_engine_run(engine, NULL, NULL, NULL) == RALLY_OK);
  return 0;
}
