/* Stop strings through the C interface: every case of the table, by a runner with arrays and events, and by an engine. */
#include "check.h"
#include "stop_cases.h"

typedef struct heard {
  const stop_case *expected;
  int count, ends, differ;
} heard;

static int32_t hear(void *user, const rally_event *event) {
  heard *all = user;
  const stop_case *expected = all->expected;
  const int last = all->count == expected->piece_count - 1;
  const char *piece = all->count < expected->piece_count ? expected->pieces[all->count] : "none";
  const rally_finish_reason reason = strcmp(expected->finish_reason, "stop") ? RALLY_FINISH_LIMIT : RALLY_FINISH_STOP;
  all->differ |= event->text_length != strlen(piece) || (event->text_length && memcmp(event->text, piece, strlen(piece)));
  all->differ |= event->finish_reason != (last ? reason : RALLY_NOT_FINISHED);
  all->differ |= event->stop_string != (last ? expected->stop_string : -1);
  all->differ |= event->cut_length != (last ? (size_t)expected->cut_length : 0);
  all->count++;
  all->ends += event->finish_reason != RALLY_NOT_FINISHED;
  return 0;
}

static void check_heard(const heard *all) {
  const int right = !all->differ && all->ends == 1 && all->count == all->expected->piece_count;
  if (!right) fprintf(stderr, "stops: %s\n", all->expected->name);
  CHECK(right);
}

static void check_case(rally_model *model, rally_runner *runner, const stop_case *expected) {
  rally_error error = make_error();
  int32_t prompt[8], tokens[32], stop = -7;
  size_t prompt_count = 0, token_count = 0, cut = 99;
  CHECK_STATUS(rally_encode(model, expected->prompt, strlen(expected->prompt), NULL, prompt, 8, &prompt_count, &error),
               RALLY_OK);
  rally_request request;
  rally_request_init(&request, sizeof request);
  request.tokens = prompt;
  request.token_count = prompt_count;
  request.max_tokens = (size_t)expected->max_tokens;
  request.stop_strings = expected->stops;
  request.stop_string_count = (size_t)expected->stop_count;
  request.include_stop = expected->include_stop ? RALLY_ON : RALLY_DEFAULT;
  request.skip_special = expected->skip_special ? RALLY_ON : RALLY_OFF;

  rally_generation generation;
  rally_generation_init(&generation, sizeof generation);
  generation.stride = 32;
  generation.tokens = tokens;
  generation.token_counts = &token_count;
  generation.stop_strings = &stop;
  generation.cut_lengths = &cut;
  heard all = {expected, 0, 0, 0};
  CHECK_STATUS(rally_generate(runner, &request, 1, hear, &all, &generation, &error), RALLY_OK);
  check_heard(&all);
  CHECK(stop == expected->stop_string && cut == (size_t)expected->cut_length);

  /* The decoded tokens without what was cut are the text. */
  char text[256], joined[256] = "";
  size_t length = 0;
  rally_tokenizer_options options;
  rally_tokenizer_options_init(&options, sizeof options);
  options.skip_special = request.skip_special;
  CHECK_STATUS(rally_decode(model, tokens, token_count, &options, text, sizeof text, &length, &error), RALLY_OK);
  for (int i = 0; i < expected->piece_count; i++) strcat(joined, expected->pieces[i]);
  CHECK(length - cut == strlen(joined) && !memcmp(text, joined, length - cut));

  rally_engine *engine = NULL;
  CHECK_STATUS(rally_engine_open(model, NULL, &engine, &error), RALLY_OK);
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, &error), RALLY_OK);
  all = (heard){expected, 0, 0, 0};
  CHECK_STATUS(rally_engine_run(engine, hear, &all, &error), RALLY_OK);
  check_heard(&all);
  request.include_stop = (rally_switch)5;
  CHECK_STATUS(rally_engine_submit(engine, &request, NULL, &error), RALLY_INVALID_ARGUMENT);
  rally_engine_close(engine);
}

void test_stop_strings(void) {
  rally_error error = make_error();
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  stop_case one;
  FILE *table = fopen(STOP_CASES, "r");
  CHECK(table != NULL);
  CHECK_STATUS(rally_model_open(STOP_MODEL, NULL, &model, &error), RALLY_OK);
  CHECK_STATUS(rally_runner_open(model, NULL, &runner, &error), RALLY_OK);
  int count = 0;
  if (table && runner && stop_case_read(table, &one)) /* the names of the columns */
    for (; stop_case_read(table, &one); count++) check_case(model, runner, &one);
  CHECK(count >= 19);
  if (table) fclose(table);
  rally_runner_close(runner);
  rally_model_close(model);
}
