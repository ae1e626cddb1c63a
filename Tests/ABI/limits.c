/*
 * Under every limit of its address space the host lives: calls answer RALLY_OK or RALLY_OUT_OF_MEMORY and print nothing.
 * A program of its own, with a child for each limit: limits.c LANGUAGE-MODEL RATER FOLDER.
 */
#define _GNU_SOURCE
#include "children.h"
#include <sys/resource.h>

static const char *lm, *rater;
static char out[4096];
static int32_t tokens[500];
static const size_t offsets[] = {0, 400, 500};

static rally_status run(rally_runner *runner) {
  static float logits[500 * 4096];
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.logits = logits;
  return rally_run(runner, tokens, offsets, 2, NULL, &outputs, NULL);
}

static rally_status rate(rally_runner *runner) {
  float scores[2];
  return rally_rate(runner, tokens, offsets, 2, NULL, scores, NULL);
}

static rally_status generate(rally_runner *runner) {
  rally_request request;
  rally_request_init(&request, sizeof request);
  request.tokens = tokens;
  request.token_count = 200;
  request.max_tokens = 8;
  return rally_generate(runner, &request, 1, ignore, NULL, NULL, NULL);
}

static rally_status open_only(const char *path) {
  rally_model *model = NULL;
  const rally_status status = rally_model_open(path, NULL, &model, NULL);
  rally_model_close(model);
  return status;
}

static rally_status open_language_model(void) { return open_only(lm); }
static rally_status open_rater(void) { return open_only(rater); }
static rally_status run_rows(void) { return with_runner(lm, run); }
static rally_status rate_rows(void) { return with_runner(rater, rate); }
static rally_status continue_text(void) { return with_runner(lm, generate); }
static rally_status quantize(void) { return rally_quantize(lm, out, NULL, NULL); }

static rally_status engine(void) {
  rally_model *model = NULL;
  rally_engine *engine = NULL;
  rally_engine_options options;
  rally_engine_options_init(&options, sizeof options);
  options.threads = 2;
  rally_status status = rally_model_open(lm, NULL, &model, NULL);
  if (!status) status = rally_engine_open(model, &options, &engine, NULL);
  rally_request request;
  rally_request_init(&request, sizeof request);
  request.tokens = tokens;
  request.token_count = 60;
  request.max_tokens = 4;
  for (int i = 0; !status && i < 8; i++) status = rally_engine_submit(engine, &request, NULL, NULL);
  if (!status) status = rally_engine_run(engine, ignore, NULL, NULL);
  rally_engine_close(engine);
  rally_model_close(model);
  return status;
}

static rally_status compare(void) { return lineage_with_itself(lm); }

typedef struct limited {
  size_t limit;
  rally_status (*work)(void);
} limited;

static int under_limit(const void *argument) {
  const limited *const call = argument;
  setrlimit(RLIMIT_AS, &(struct rlimit){call->limit, call->limit});
  return (int)call->work();
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  lm = argv[1];
  rater = argv[2];
  snprintf(out, sizeof out, "%s/limits-out.onnx", argv[3]);
  for (int i = 0; i < 500; i++) tokens[i] = (i * 31 + 7) % 4000;
  rally_version();
  size_t pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%zu", &pages) != 1) return 2;
  fclose(file);
  const size_t base = pages * (size_t)sysconf(_SC_PAGESIZE);
  static const struct {
    const char *name;
    rally_status (*work)(void);
  } jobs[] = {{"opening a language model", open_language_model},
              {"opening a rater", open_rater},
              {"quantizing", quantize},
              {"running", run_rows},
              {"rating", rate_rows},
              {"generating", continue_text},
              {"an engine", engine},
              {"lineage", compare}};
  int failed = 0;
  for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
    /* From nothing more than there is up to what suffices, and some more. */
    int enough = 0, tried = 0, wrong = 0;
    size_t more = 0;
    for (; enough < 3 && more < ((size_t)400 << 20); more += (size_t)1 << 20, tried++) {
      const int answer = in_child(under_limit, &(limited){base + more, jobs[i].work});
      enough = answer == RALLY_OK ? enough + 1 : 0;
      if (answer == RALLY_OK || answer == RALLY_OUT_OF_MEMORY) continue;
      wrong++;
      printf("  %s with %zu MB more: %d\n", jobs[i].name, more >> 20, answer);
    }
    if (!enough) printf("  %s never worked\n", jobs[i].name);
    failed += wrong > 0 || !enough;
    printf("  %-26s %3d limits, works with %zu MB\n", jobs[i].name, tried, more >> 20);
    fflush(stdout);
  }
  unlink(out);
  printf("limits: %d of %zu kinds of call FAILED\n", failed, sizeof jobs / sizeof *jobs);
  return failed != 0;
}
