/*
 * Under every max_memory_bytes calls answer RALLY_OK or RALLY_OUT_OF_MEMORY, later ones that need less go on, and the process grows
 * by no more than that and what the header says is not counted. A program of its own, with a child for each limit:
 * budgets.c LANGUAGE-MODEL RATER.
 */
#define _GNU_SOURCE
#include <rally.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is not counted: a mapped model file of 8 MB, its graph and texts while it opens, stacks, lists, and what the allocator keeps. */
#define SLACK ((size_t)20 << 20)
#define STEP ((size_t)2 << 20)
#define LAST ((size_t)160 << 20)

enum { ROWS = 3, TOKENS = 900 };

static int32_t tokens[TOKENS];
static const size_t all_rows[] = {0, 400, 500, TOKENS}, short_row[] = {0, 2};
static float results[TOKENS];

/* What a child found: kinds of call that worked, and by how much it grew at most. */
typedef struct finding {
  int opened, large, small, engine;
  size_t grown;
  int fault; /* the line of what does not hold */
} finding;

#define HOLDS(condition)                                        \
  do {                                                          \
    if (!(condition) && !found->fault) found->fault = __LINE__; \
  } while (0)

static size_t status_bytes(const char *name) {
  char line[256];
  size_t kilobytes = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, name, strlen(name))) kilobytes = strtoul(line + strlen(name), NULL, 10);
  if (file) fclose(file);
  return kilobytes << 10;
}

static rally_error make_error(void) {
  rally_error error;
  rally_error_init(&error, sizeof error);
  return error;
}

/* Whether it worked; where it did not, it was the limit, and the message says so. */
static int worked(rally_status status, const rally_error *error, finding *found) {
  HOLDS(!status || (status == RALLY_OUT_OF_MEMORY && strstr(error->message, "max_memory_bytes")));
  return !status;
}

static rally_status compute(rally_runner *runner, int is_rater, const size_t *rows, size_t count, rally_error *error) {
  if (is_rater) return rally_rate(runner, tokens, rows, count, NULL, results, error);
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.logprobs = results;
  return rally_run(runner, tokens, rows, count, NULL, &outputs, error);
}

static int32_t ignore(void *user, const rally_event *event) {
  (void)user, (void)event;
  return 0;
}

static void run_engine(const rally_model *model, finding *found) {
  rally_error error = make_error();
  rally_engine_options options;
  rally_engine_options_init(&options, sizeof options);
  options.threads = 2;
  options.max_step_tokens = 128;
  rally_engine *engine = NULL;
  if (!worked(rally_engine_open(model, &options, &engine, &error), &error, found)) return;
  rally_request request;
  rally_request_init(&request, sizeof request);
  request.tokens = tokens;
  request.token_count = 60;
  request.max_tokens = 4;
  for (int i = 0; i < 8; i++) {
    const rally_status status = rally_engine_submit(engine, &request, NULL, &error);
    HOLDS(!status || status == RALLY_LIMIT_EXCEEDED); /* a cache of what is left may be too small for it */
  }
  found->engine = worked(rally_engine_run(engine, ignore, NULL, &error), &error, found);
  rally_engine_close(engine);
}

/* Everything under one limit. */
static void use(const char *path, int is_rater, size_t limit, finding *found) {
  rally_error error = make_error();
  rally_model_options options;
  rally_model_options_init(&options, sizeof options);
  options.threads = 2;
  options.max_memory_bytes = limit;
  rally_runner_options runner_options;
  rally_runner_options_init(&runner_options, sizeof runner_options);
  runner_options.threads = 2;
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  found->opened = worked(rally_model_open(path, &options, &model, &error), &error, found);
  if (!found->opened || !worked(rally_runner_open(model, &runner_options, &runner, &error), &error, found)) return;
  /* What a small call can do it can do again, whatever failed or was kept in between. */
  for (int i = 0; i < 2; i++) {
    const int small = worked(compute(runner, is_rater, short_row, 1, &error), &error, found);
    HOLDS(i == 0 || small == found->small);
    found->small = small;
    const int large = worked(compute(runner, is_rater, all_rows, ROWS, &error), &error, found);
    HOLDS(!large || small);
    HOLDS(i == 0 || large == found->large);
    found->large = large;
  }
  rally_runner_close(runner);
  if (!is_rater) run_engine(model, found);
  rally_model_close(model);
}

static finding under(const char *path, int is_rater, size_t limit) {
  finding found = {0, 0, 0, 0, 0, -1};
  int ends[2];
  if (pipe(ends)) return found;
  const pid_t child = fork();
  if (child == 0) {
    found.fault = 0;
    const size_t before = status_bytes("VmRSS:");
    use(path, is_rater, limit, &found);
    const size_t most = status_bytes("VmHWM:");
    found.grown = most > before ? most - before : 0;
    _exit(write(ends[1], &found, sizeof found) != sizeof found);
  }
  close(ends[1]);
  if (read(ends[0], &found, sizeof found) != sizeof found) found.fault = -1;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status)) found.fault = -1;
  return found;
}

static int try_all(const char *path, int is_rater, const char *noun) {
  int failed = 0, tried = 0;
  size_t opens = 0, smalls = 0, larges = 0, engines = 0, beyond = 0, enough = 0;
  for (size_t limit = STEP; limit <= LAST && enough < 2; limit += STEP, tried++) {
    const finding found = under(path, is_rater, limit);
    if (found.opened && !opens) opens = limit;
    if (found.small && !smalls) smalls = limit;
    if (found.large && !larges) larges = limit;
    if (found.engine && !engines) engines = limit;
    enough += found.large && (is_rater || found.engine);
    if (found.grown > limit && found.grown - limit > beyond) beyond = found.grown - limit;
    const int lost = (opens && !found.opened) || (smalls && !found.small) || (larges && !found.large);
    if (!found.fault && !lost && found.grown <= limit + SLACK) continue;
    failed++;
    printf("  %s within %zu MB: fault %d, lost %d, grew by %.1f MB\n", noun, limit >> 20, found.fault, lost,
           (double)found.grown / (1 << 20));
  }
  printf(
      "  %-16s %2d limits: opens within %zu MB, a row within %zu, all rows within %zu, an engine within %zu; at most %.1f MB "
      "beyond\n",
      noun, tried, opens >> 20, smalls >> 20, larges >> 20, engines >> 20, (double)beyond / (1 << 20));
  return failed + (enough == 0);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  for (int i = 0; i < TOKENS; i++) tokens[i] = (i * 31 + 7) % 4000;
  memset(results, 1, sizeof results);
  /* What the library loads once, and shares. */
  rally_model *model = NULL;
  if (rally_model_open(argv[1], NULL, &model, NULL)) return 2;
  rally_model_close(model);
  const int failed = try_all(argv[1], 0, "a language model") + try_all(argv[2], 1, "a rater");
  printf("budgets: %d limits FAILED\n", failed);
  return failed != 0;
}
