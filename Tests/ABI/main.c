/* Runs every test of the ABI and prints one line: how many checks were made and how many failed. */
#include "check.h"
#include <stdlib.h>

int checks_made = 0, checks_failed = 0;
const char *language_model_path, *rater_path;
rally_model *language_model, *rater;
const int32_t greeting[2] = {1, 2};

rally_request make_request(size_t count) {
  rally_request request;
  rally_request_init(&request, sizeof request);
  request.tokens = greeting;
  request.token_count = 2;
  request.max_tokens = count;
  request.stop_at_eos = RALLY_OFF;
  return request;
}

static rally_model *open_or_leave(const char *path) {
  rally_error error = make_error();
  rally_model *model = NULL;
  if (rally_model_open(path, NULL, &model, &error)) {
    fprintf(stderr, "%s: %s\n", rally_status_name(error.code), error.message);
    exit(1);
  }
  return model;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } tests[] = {
      {"layout", test_layout},
      {"struct sizes", test_struct_sizes},
      {"null", test_null},
      {"arguments", test_arguments},
      {"handles", test_handles},
      {"fork", test_fork},
      {"threads", test_threads},
      {"files", test_files},
      {"text", test_text},
      {"results", test_results},
      {"quantize", test_quantize},
      {"prepare", test_prepare},
      {"pool", test_pool},
      {"room", test_room},
      {"documents", test_documents},
      {"stops", test_stop_strings},
      {"identity", test_identity},
      {"select", test_select},
      {"cascade", test_cascade},
      {"distributions", test_distributions},
      {"lineage", test_lineage},
      {"exposure", test_exposure},
      {"engine", test_engine},
      {"engine args", test_engine_arguments},
      {"engine states", test_engine_states},
      {"engine threads", test_engine_threads},
      {"engine server", test_engine_server},
      {"floating point", test_floating_point},
      {"coroutines", test_coroutines},
  };
  if (argc != 3) {
    fprintf(stderr, "usage: %s LANGUAGE-MODEL RATER\n", argv[0]);
    return 2;
  }
  language_model_path = argv[1];
  rater_path = argv[2];
  language_model = open_or_leave(language_model_path);
  rater = open_or_leave(rater_path);

  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
    int made = checks_made, failed = checks_failed;
    tests[i].run();
    printf("  %-16s %4d checks, %d failed\n", tests[i].name, checks_made - made, checks_failed - failed);
    fflush(stdout);
  }
  rally_model_close(language_model);
  rally_model_close(rater);
  printf("abi: %d checks, %d failed (%s, Rally %s)\n", checks_made, checks_failed, rally_instruction_set(), rally_version());
  return checks_failed != 0;
}
