/*
 * A language model continues a sentence and shows how many recursions each token took; a rater then scores what was written.
 *
 *     cc -std=c11 -Iinclude Examples/c/rally_story.c .build/release/librally.so.0 -Wl,-rpath,$PWD/.build/release -o rally_story
 *     ./rally_story Examples/models/rally-tiny.onnx Examples/models/rally-rater-tiny.onnx
 */
#include <rally.h>
#include <stdio.h>
#include <string.h>

enum { CAPACITY = 512, NEW_TOKENS = 64 };

/* What the callback needs, and what it gathers. */
typedef struct story {
  rally_decoder *decoder;
  char text[CAPACITY * 8];
  size_t length;
  int32_t depth_sum;
} story;

/* Appends the characters that are complete by now and prints them with the token's depth. */
static int32_t take_token(void *user, const rally_event *event) {
  story *told = user;
  size_t length = 0;
  if (event->token < 0 || event->finish_reason == RALLY_FINISH_STOP) return 0;
  char *end = told->text + told->length;
  if (rally_decoder_push(told->decoder, event->token, end, sizeof told->text - told->length, &length, NULL)) return 1;
  printf("%.*s[%d]", (int)length, end, (int)event->depth);
  told->length += length;
  told->depth_sum += event->depth;
  return 0;
}

static rally_status tell(const char *path, const char *beginning, story *told, rally_error *error) {
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  int32_t prompt[CAPACITY];
  size_t prompt_count = 0, generated = 0;
  int32_t tokens[NEW_TOKENS];

  rally_status status = rally_model_open(path, NULL, &model, error);
  if (!status) status = rally_runner_open(model, NULL, &runner, error);
  if (!status) status = rally_decoder_open(model, NULL, &told->decoder, error);
  if (!status) status = rally_encode(model, beginning, strlen(beginning), NULL, prompt, CAPACITY, &prompt_count, error);
  if (!status) {
    rally_request request;
    rally_request_init(&request, sizeof request);
    request.tokens = prompt;
    request.token_count = prompt_count;
    request.max_tokens = NEW_TOKENS;

    rally_generation generation;
    rally_generation_init(&generation, sizeof generation);
    generation.stride = NEW_TOKENS;
    generation.tokens = tokens;
    generation.token_counts = &generated;

    told->length = strlen(beginning);
    memcpy(told->text, beginning, told->length);
    printf("%s", beginning);
    status = rally_generate(runner, &request, 1, take_token, told, &generation, error);
  }
  if (!status && generated > 0) printf("\n\n%.2f recursions per token\n", (double)told->depth_sum / (double)generated);

  rally_decoder_close(told->decoder);
  rally_runner_close(runner);
  rally_model_close(model);
  return status;
}

static rally_status rate(const char *path, const story *told, float *score, rally_error *error) {
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  int32_t tokens[CAPACITY];
  size_t count = 0;

  rally_status status = rally_model_open(path, NULL, &model, error);
  if (!status) status = rally_runner_open(model, NULL, &runner, error);
  if (!status) status = rally_encode(model, told->text, told->length, NULL, tokens, CAPACITY, &count, error);
  if (!status) {
    const size_t row_offsets[] = {0, count};
    status = rally_rate(runner, tokens, row_offsets, 1, NULL, score, error);
  }
  rally_runner_close(runner);
  rally_model_close(model);
  return status;
}

int main(int argc, char **argv) {
  const char *model = argc > 1 ? argv[1] : "Examples/models/rally-tiny.onnx";
  const char *rater = argc > 2 ? argv[2] : "Examples/models/rally-rater-tiny.onnx";
  static story told;
  float score = 0;
  rally_error error;
  rally_error_init(&error, sizeof error);

  if (tell(model, "Once upon a time", &told, &error) || rate(rater, &told, &score, &error)) {
    fprintf(stderr, "%s: %s\n", rally_status_name(error.code), error.message);
    return 1;
  }
  printf("the rater's score: %.3f\n", (double)score);
  return 0;
}
