/* Kinds of call, for programs that put each of them to the test in children of their own. */
#ifndef RALLY_TESTS_JOBS_H
#define RALLY_TESTS_JOBS_H

#define _GNU_SOURCE
#include "children.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { COMPUTING = 4 };

static const char *lm, *rater, *folder;
static char out[4096];
static int32_t tokens[60];
static const size_t offsets[] = {0, 20, 60};
static float *expected; /* two scores that all children see */
static int failed;

static void report(int good, const char *what) {
  printf("  %s%s\n", good ? "" : "DOES NOT HOLD: ", what);
  fflush(stdout);
  failed += !good;
}

/* ---- kinds of call; each opens what it needs, and answers RALLY_OK ---- */

static rally_request make_request(void) {
  rally_request request;
  rally_request_init(&request, sizeof request);
  request.tokens = tokens;
  request.token_count = 20;
  request.max_tokens = 12;
  request.temperature = 0.7f;
  return request;
}

static rally_status validate(void) {
  const rally_status status = rally_model_validate(lm, NULL, NULL);
  return status ? status : rally_model_validate(rater, NULL, NULL);
}

static rally_status text(void) {
  static const char words[] = "The sea, 12345 caf\xC3\xA9 \xF0\x9F\x98\x80\n\n\tand it's over";
  int32_t ids[256];
  char back[512];
  size_t count = 0, length = 0;
  rally_model *model = NULL;
  rally_status status = rally_model_open(lm, NULL, &model, NULL);
  if (!status) status = rally_encode(model, words, sizeof words - 1, NULL, ids, 256, &count, NULL);
  if (!status) status = rally_decode(model, ids, count, NULL, back, sizeof back, &length, NULL);
  rally_model_close(model);
  return status;
}

static rally_status rate_on(rally_runner *runner) {
  float scores[2] = {0, 0};
  const rally_status status = rally_rate(runner, tokens, offsets, 2, NULL, scores, NULL);
  return !status && memcmp(scores, expected, sizeof scores) ? (rally_status)99 : status;
}

static rally_status expect_on(rally_runner *runner) { return rally_rate(runner, tokens, offsets, 2, NULL, expected, NULL); }

static int expect(const void *nothing) {
  (void)nothing;
  return (int)with_runner(rater, expect_on);
}

static rally_status run_on(rally_runner *runner) {
  float logprobs[60];
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.logprobs = logprobs;
  return rally_run(runner, tokens, offsets, 2, NULL, &outputs, NULL);
}

static rally_status generate_on(rally_runner *runner) {
  const rally_request request = make_request();
  return rally_generate(runner, &request, 1, ignore, NULL, NULL, NULL);
}

static rally_status rate(void) { return with_runner(rater, rate_on); }
static rally_status run(void) { return with_runner(lm, run_on); }
static rally_status generate(void) { return with_runner(lm, generate_on); }

static rally_status drive(void) {
  rally_model *model = NULL;
  rally_engine *engine = NULL;
  rally_request request = make_request();
  const char *const stop = "no such text";
  request.stop_strings = &stop;
  request.stop_string_count = 1;
  rally_status status = rally_model_open(lm, NULL, &model, NULL);
  if (!status) status = rally_engine_open(model, NULL, &engine, NULL);
  for (int i = 0; !status && i < 8; i++) status = rally_engine_submit(engine, &request, NULL, NULL);
  if (!status) status = rally_engine_run(engine, ignore, NULL, NULL);
  rally_engine_close(engine);
  rally_model_close(model);
  return status;
}

static rally_status quantize(void) { return rally_quantize(lm, out, NULL, NULL); }
static rally_status prepare(void) { return rally_model_prepare(lm, out, NULL, NULL); }
static rally_status compare(void) { return lineage_with_itself(lm); }

static rally_status distribute(void) {
  rally_distribution *distribution = NULL;
  float scores[500];
  for (int i = 0; i < 500; i++) scores[i] = (float)(i * 37 % 101);
  rally_status status = rally_distribution_open("hosts", 64, &distribution, NULL);
  if (!status) status = rally_distribution_add(distribution, scores, 500, NULL);
  double parts[2] = {0.2, 0.9};
  if (!status) status = rally_distribution_quantile(distribution, parts, 2, scores, NULL);
  rally_distribution_close(distribution);
  return status;
}

typedef struct job {
  const char *name;
  rally_status (*work)(void);
} job;

static const job jobs[] = {{"validating", validate}, {"text", text},
                           {"rating", rate},         {"running", run},
                           {"generating", generate}, {"an engine", drive},
                           {"quantizing", quantize}, {"preparing", prepare},
                           {"lineage", compare},     {"a distribution", distribute}};
enum { JOBS = sizeof jobs / sizeof *jobs };

static void *work_on(void *argument) { return (void *)(intptr_t)((const job *)argument)->work(); }

/* ---- threads that go through kinds of call ---- */

static atomic_int closing, computed;

static void *compute(void *argument) {
  const int number = (int)(intptr_t)argument;
  rally_status (*const own[COMPUTING])(void) = {rate, generate, drive, text};
  while (!atomic_load(&closing)) {
    if (own[number]()) return (void *)1;
    atomic_fetch_add(&computed, 1);
  }
  return NULL;
}

/* The status of a child that runs `work`, or 98 where it does not end by itself. */
static int status_of_child(rally_status (*work)(void)) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(300);
    _exit((int)work());
  }
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

/* The arguments LANGUAGE-MODEL RATER FOLDER. The program itself makes no call, so that each child's is the first of its process. */
static int has_arguments(int argc, char **argv) {
  if (argc != 4) return 0;
  lm = argv[1];
  rater = argv[2];
  folder = argv[3];
  snprintf(out, sizeof out, "%s/out-%d.onnx", folder, (int)getpid());
  for (int i = 0; i < 60; i++) tokens[i] = (i * 31 + 7) % 4000;
  expected = mmap(NULL, 2 * sizeof *expected, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return expected != MAP_FAILED && !in_child(expect, NULL);
}

/* The exit status of a program that has reported all. */
static int finish(const char *program) {
  unlink(out);
  printf("%s: %d FAILED\n", program, failed);
  return failed != 0;
}

#endif
