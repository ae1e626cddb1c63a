/* Handles outlive the mistakes made with them: closed twice, in any order, used after, taken through fork(). */
#include "check.h"
#include <sys/wait.h>
#include <unistd.h>

static void test_closed(void) {
  rally_error error = make_error();
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  rally_decoder *decoder = NULL;
  CHECK_STATUS(rally_model_open(language_model_path, NULL, &model, &error), RALLY_OK);
  CHECK_STATUS(rally_runner_open(model, NULL, &runner, &error), RALLY_OK);
  CHECK_STATUS(rally_decoder_open(model, NULL, &decoder, &error), RALLY_OK);

  /* The model goes first; what was opened on it keeps working. */
  rally_model_close(model);
  rally_model_close(model);
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  CHECK_STATUS(rally_model_get_info(model, &info, &error), RALLY_CLOSED);
  CHECK(error.code == RALLY_CLOSED && info.vocab_size == 0);
  CHECK(rally_model_tensor_count(model) == 0 && rally_model_metadata_count(model) == 0);
  rally_runner *late = NULL;
  CHECK_STATUS(rally_runner_open(model, NULL, &late, &error), RALLY_CLOSED);
  CHECK(late == NULL);

  const size_t row_offsets[] = {0, 2};
  int32_t depths[2];
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.depths = depths;
  CHECK_STATUS(rally_run(runner, greeting, row_offsets, 1, NULL, &outputs, &error), RALLY_OK);
  char text[64];
  size_t length = 0;
  CHECK_STATUS(rally_decoder_push(decoder, 40, text, sizeof text, &length, &error), RALLY_OK);

  rally_runner_close(runner);
  rally_runner_close(runner);
  rally_runner_cancel(runner);
  CHECK_STATUS(rally_run(runner, greeting, row_offsets, 1, NULL, &outputs, &error), RALLY_CLOSED);
  rally_decoder_close(decoder);
  rally_decoder_close(decoder);
  CHECK_STATUS(rally_decoder_push(decoder, 40, text, sizeof text, &length, &error), RALLY_CLOSED);
}

/* An address that never was a handle. */
static void test_foreign(void) {
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  int here = 0;
  CHECK_STATUS(rally_model_get_info((rally_model *)&here, &info, NULL), RALLY_CLOSED);
  rally_model_close((rally_model *)&here);
  rally_runner_close((rally_runner *)&here);
  rally_decoder_close((rally_decoder *)&here);
}

void test_handles(void) {
  test_closed();
  test_foreign();
}

/* In the child: 0 if all is as the header says, else the number of the first step that was not. */
static int child(rally_runner *runner, rally_decoder *decoder) {
  const size_t row_offsets[] = {0, 2};
  int32_t depths[2];
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.depths = depths;
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  char text[16];
  size_t length;
  if (rally_run(runner, greeting, row_offsets, 1, NULL, &outputs, NULL) != RALLY_FORKED) return 1;
  if (rally_model_get_info(language_model, &info, NULL) != RALLY_FORKED) return 2;
  if (rally_decoder_push(decoder, 1, text, sizeof text, &length, NULL) != RALLY_FORKED) return 3;
  rally_model *model = NULL;
  rally_runner *own = NULL;
  if (rally_runner_open(language_model, NULL, &own, NULL) != RALLY_FORKED) return 4;
  if (rally_model_open(language_model_path, NULL, &model, NULL)) return 5;
  if (rally_runner_open(model, NULL, &own, NULL)) return 6;
  if (rally_run(own, greeting, row_offsets, 1, NULL, &outputs, NULL)) return 7;
  rally_runner_close(own);
  rally_model_close(model);
  rally_runner_close(runner); /* must neither hang nor crash */
  rally_decoder_close(decoder);
  return 0;
}

void test_fork(void) {
  const size_t row_offsets[] = {0, 2};
  int32_t depths[2];
  rally_runner *runner = NULL;
  rally_decoder *decoder = NULL;
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.depths = depths;
  CHECK_STATUS(rally_runner_open(language_model, NULL, &runner, NULL), RALLY_OK);
  CHECK_STATUS(rally_decoder_open(language_model, NULL, &decoder, NULL), RALLY_OK);
  CHECK_STATUS(rally_run(runner, greeting, row_offsets, 1, NULL, &outputs, NULL), RALLY_OK);

  fflush(NULL);
  pid_t process = fork();
  if (process == 0) {
    alarm(600);
    _exit(child(runner, decoder));
  }
  int status = 0;
  CHECK(process > 0 && waitpid(process, &status, 0) == process);
  CHECK(WIFEXITED(status));
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  if (WIFEXITED(status) && WEXITSTATUS(status)) fprintf(stderr, "  the child's step %d\n", WEXITSTATUS(status));

  CHECK_STATUS(rally_run(runner, greeting, row_offsets, 1, NULL, &outputs, NULL), RALLY_OK);
  rally_decoder_close(decoder);
  rally_runner_close(runner);
}
