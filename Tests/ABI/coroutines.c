/* Coroutines of a host share a thread: a call begins in the callback of another one and ends after it. Each computes what it computes
 * alone, in its own floating-point environment and within its own limit of memory. */
#define _GNU_SOURCE
#include "check.h"
#include <fenv.h>
#include <ucontext.h>

enum { COROUTINES = 3, STACK_BYTES = 256 << 10, LONGEST = 24 };

typedef struct coroutine {
  ucontext_t context;
  rally_model *model;
  rally_runner *runner;
  int32_t tokens[LONGEST];
  float logprobs[LONGEST];
  size_t count;
  rally_status status;
  int is_done;
} coroutine;

static coroutine all[COROUTINES];
static char stacks[COROUTINES][STACK_BYTES];
static ucontext_t host;
static int takes_turns;

static int32_t give_way(void *user, const rally_event *event) {
  coroutine *const own = user;
  own->tokens[own->count] = event->token;
  own->logprobs[own->count++] = event->logprob;
  if (takes_turns) swapcontext(&own->context, &host);
  return 0;
}

/* The first to begin is the first to end. */
static void generate(int index) {
  coroutine *const own = &all[index];
  rally_request request = make_request(LONGEST / 3 * (size_t)(index + 1));
  request.temperature = 0.8f;
  request.seed = (uint64_t)index;
  own->count = 0;
  own->status = rally_generate(own->runner, &request, 1, give_way, own, NULL, NULL);
  own->is_done = 1;
}

static void begin(int index) {
  coroutine *const own = &all[index];
  getcontext(&own->context);
  own->context.uc_stack.ss_sp = stacks[index];
  own->context.uc_stack.ss_size = STACK_BYTES;
  own->context.uc_link = &host;
  own->is_done = 0;
  makecontext(&own->context, (void (*)(void))generate, 1, index);
}

/* One event of each that has not ended. What one was opened with goes when it ends, the limit of its memory as well. */
static int take_turns(void) {
  int unfinished = 0;
  for (int i = 0; i < COROUTINES; i++) {
    if (all[i].is_done) continue;
    swapcontext(&host, &all[i].context);
    unfinished += !all[i].is_done;
    if (!all[i].is_done) continue;
    rally_runner_close(all[i].runner);
    rally_model_close(all[i].model);
  }
  return unfinished;
}

void test_coroutines(void) {
  static coroutine alone[COROUTINES];
  rally_model_options options;
  rally_model_options_init(&options, sizeof options);
  options.max_memory_bytes = (uint64_t)200 << 20;
  for (int i = 0; i < COROUTINES; i++) {
    CHECK_STATUS(rally_model_open(language_model_path, &options, &all[i].model, NULL), RALLY_OK);
    CHECK_STATUS(rally_runner_open(all[i].model, NULL, &all[i].runner, NULL), RALLY_OK);
    generate(i);
    alone[i] = all[i];
  }
  fesetround(FE_UPWARD);
  takes_turns = 1;
  for (int i = 0; i < COROUTINES; i++) begin(i);
  while (take_turns()) {}
  takes_turns = 0;
  CHECK(fegetround() == FE_UPWARD);
  fesetenv(FE_DFL_ENV);
  for (int i = 0; i < COROUTINES; i++) {
    CHECK_STATUS(all[i].status, RALLY_OK);
    CHECK(all[i].count == alone[i].count && all[i].count == (size_t)(LONGEST / 3 * (i + 1)));
    CHECK(!memcmp(all[i].tokens, alone[i].tokens, all[i].count * sizeof *all[i].tokens));
    CHECK(!memcmp(all[i].logprobs, alone[i].logprobs, all[i].count * sizeof *all[i].logprobs));
  }
  /* The thread has no limit any more: what a call needs is its own affair. */
  rally_model *model = NULL;
  CHECK_STATUS(rally_model_open(rater_path, NULL, &model, NULL), RALLY_OK);
  rally_model_close(model);
}
