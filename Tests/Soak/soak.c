/*
 * Two engines on one model, each driven by a thread of its own, under random load: arrivals in bursts, prompts of 1 to
 * 2000 tokens that often begin alike, depth budgets and targets, priorities, stop tokens, cancellations from the other
 * thread, and a cache too small for all. Whatever ends is compared, bit for bit, with the same request run alone.
 *
 *     soak MODEL SECONDS [SEED]
 *
 * Ends with 0 when nothing was lost, doubled or different and the memory stayed flat.
 */
#include <pthread.h>
#include <rally.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PROMPT = 2000, MAX_NEW = 200, MAX_OPEN = 24, ENGINES = 2, STEM_COUNT = 4, TOP = 3 };

/* One sequence of full length and little more, so that blocks run out. */
static const uint64_t CACHE_BYTES = 10u << 20;
/* Growth that would be seen in a day, and that noise of the allocator does not reach in half an hour. */
static const double MAX_SLOPE_MIB_PER_HOUR = 16;

typedef struct text {
  int32_t tokens[MAX_NEW], depths[MAX_NEW];
  float logprobs[MAX_NEW];
  size_t count;
  rally_finish_reason reason;
} text;

typedef struct job {
  bool open;
  size_t id;
  rally_request request;
  int32_t prompt[MAX_PROMPT], stop;
  text got;
} job;

typedef struct load {
  const rally_model *model;
  rally_engine *engine;
  rally_runner *alone;
  uint64_t dice;
  job jobs[MAX_OPEN];
  int32_t stems[STEM_COUNT][MAX_PROMPT];
  size_t submitted, finished, cancelled, compared, tokens;
  _Atomic size_t newest; /* the last number given out, for the other thread */
  struct load *other;
} load;

static atomic_int failures;
static atomic_bool stopping;
static int32_t vocab_size;

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("soak: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  atomic_fetch_add(&failures, 1);
}

static uint32_t roll(load *l, uint32_t bound) {
  l->dice = l->dice * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)((l->dice >> 33) % bound);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double resident_mib(void) {
  long pages = 0, unused = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f) return 0;
  if (fscanf(f, "%ld %ld", &unused, &pages) != 2) pages = 0;
  fclose(f);
  return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1048576;
}

static job *find(load *l, size_t id) {
  for (size_t i = 0; i < MAX_OPEN; i++)
    if (l->jobs[i].open && l->jobs[i].id == id) return &l->jobs[i];
  return NULL;
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

static void fill_prompt(load *l, job *j) {
  /* Lengths spread over the magnitudes; half of the prompts begin like others. */
  size_t length = 1 + roll(l, 1u << (2 + roll(l, 10)));
  if (length > MAX_PROMPT) length = MAX_PROMPT;
  const size_t alike = roll(l, 2) ? roll(l, (uint32_t)length + 1) : 0;
  const int32_t *stem = l->stems[roll(l, STEM_COUNT)];
  for (size_t i = 0; i < length; i++) j->prompt[i] = i < alike ? stem[i] : (int32_t)roll(l, (uint32_t)vocab_size);
  j->request.token_count = length;
}

static void submit(load *l, job *j) {
  memset(j, 0, sizeof *j);
  rally_request *r = &j->request;
  rally_request_init(r, sizeof *r);
  fill_prompt(l, j);
  r->tokens = j->prompt;
  r->max_tokens = 1 + roll(l, roll(l, 4) ? 40 : MAX_NEW);
  r->temperature = roll(l, 2) ? 0.9f : 0;
  r->top_k = roll(l, 3) ? 0 : 20;
  r->seed = roll(l, 1000);
  if (roll(l, 4) == 0) r->max_depth = 1 + roll(l, 3);
  if (roll(l, 4) == 0) r->target_depth = 1 + 0.25 * roll(l, 9);
  if (roll(l, 4) == 0) r->repetition_penalty = 1.3f;
  if (roll(l, 4) == 0) r->top_logprobs = TOP;
  r->priority = roll(l, 5) ? 0 : (int32_t)roll(l, 3) - 1;
  j->stop = (int32_t)roll(l, (uint32_t)vocab_size);
  r->stop_tokens = &j->stop;
  r->stop_token_count = roll(l, 2);
  rally_error error;
  rally_error_init(&error, sizeof error);
  if (rally_engine_submit(l->engine, r, &j->id, &error)) {
    fail("submit: %s", error.message);
    return;
  }
  j->open = true;
  l->submitted++;
  atomic_store(&l->newest, j->id);
}

/* ---- what comes back ------------------------------------------------------------------------------------------- */

static int32_t on_event(void *user, const rally_event *event) {
  load *l = user;
  job *j = find(l, event->request);
  if (!j) {
    fail("an event for request %zu, which has ended", event->request);
    return 0;
  }
  if (event->index != j->got.count) fail("request %zu: token %zu after %zu", j->id, event->index, j->got.count);
  if (event->token >= 0 && event->index < MAX_NEW) {
    if (event->top_count != j->request.top_logprobs) fail("request %zu: %zu top tokens", j->id, event->top_count);
    j->got.tokens[event->index] = event->token;
    j->got.depths[event->index] = event->depth;
    j->got.logprobs[event->index] = event->logprob;
    j->got.count++;
    l->tokens++;
  }
  j->got.reason = event->finish_reason;
  return 0;
}

/* The request alone; a cancelled one as far as it came. */
static void compare(load *l, job *j) {
  static _Thread_local text alone;
  const bool cancelled = j->got.reason == RALLY_FINISH_CANCELLED;
  rally_request request = j->request;
  if (cancelled) request.max_tokens = j->got.count;
  if (request.max_tokens == 0) return;
  rally_generation g;
  rally_generation_init(&g, sizeof g);
  size_t count = 0;
  g.stride = MAX_NEW;
  g.tokens = alone.tokens;
  g.depths = alone.depths;
  g.logprobs = alone.logprobs;
  g.token_counts = &count;
  g.finish_reasons = &alone.reason;
  rally_error error;
  rally_error_init(&error, sizeof error);
  if (rally_generate(l->alone, &request, 1, NULL, NULL, &g, &error)) {
    fail("alone: %s", error.message);
    return;
  }
  l->compared++;
  const size_t n = j->got.count;
  if (count != n || memcmp(alone.tokens, j->got.tokens, n * sizeof(int32_t)) ||
      memcmp(alone.depths, j->got.depths, n * sizeof(int32_t)) ||
      memcmp(alone.logprobs, j->got.logprobs, n * sizeof(float)) || (!cancelled && alone.reason != j->got.reason))
    fail("request %zu: %zu tokens of a prompt of %zu differ from its run alone (%zu)", j->id, n, j->request.token_count, count);
}

static void collect(load *l) {
  for (size_t i = 0; i < MAX_OPEN; i++) {
    job *j = &l->jobs[i];
    if (!j->open || j->got.reason == RALLY_NOT_FINISHED) continue;
    if (j->got.reason == RALLY_FINISH_CANCELLED) l->cancelled++;
    l->finished++;
    j->open = false;
    compare(l, j);
  }
}

static double counter(load *l, const char *name) {
  double values[64];
  const size_t count = rally_engine_counter_count(l->engine);
  if (count > 64 || rally_engine_counters(l->engine, values, 64, NULL)) return -1;
  for (size_t i = 0; i < count; i++)
    if (!strcmp(rally_engine_counter_name(l->engine, i), name)) return values[i];
  fail("no counter '%s'", name);
  return -1;
}

static void *drive(void *user) {
  load *l = user;
  rally_error error;
  rally_error_init(&error, sizeof error);
  int32_t busy = 0;
  while (!atomic_load(&stopping) || busy) {
    if (!atomic_load(&stopping) && roll(l, 4) == 0)
      for (size_t i = 0, burst = 1 + roll(l, 6); i < MAX_OPEN && burst > 0; i++)
        if (!l->jobs[i].open) submit(l, &l->jobs[i]), burst--;
    /* Cancels somebody of the other thread, while that one steps. */
    if (roll(l, 40) == 0) rally_engine_cancel(l->other->engine, atomic_load(&l->other->newest) - roll(l, 3));
    if (rally_engine_step(l->engine, on_event, l, &busy, &error)) {
      fail("step: %s", error.message);
      break;
    }
    collect(l);
  }
  return NULL;
}

/* ---- the run --------------------------------------------------------------------------------------------------- */

static bool open_load(load *l, const rally_model *model, uint64_t seed, rally_error *error) {
  l->model = model;
  l->dice = seed;
  for (size_t i = 0; i < STEM_COUNT; i++)
    for (size_t t = 0; t < MAX_PROMPT; t++) l->stems[i][t] = (int32_t)roll(l, (uint32_t)vocab_size);
  rally_engine_options options;
  rally_engine_options_init(&options, sizeof options);
  options.threads = 1;
  options.max_step_tokens = 128;
  options.max_sequences = 16;
  options.cache_bytes = CACHE_BYTES;
  rally_runner_options alone;
  rally_runner_options_init(&alone, sizeof alone);
  alone.threads = 1;
  return !rally_engine_open(model, &options, &l->engine, error) && !rally_runner_open(model, &alone, &l->alone, error);
}

/* Least squares of memory over time behind the first fifth, in MiB per hour. */
static double slope(const double *at, const double *mib, size_t count) {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (size_t i = count / 5; i < count; i++) n++, x += at[i], y += mib[i], xx += at[i] * at[i], xy += at[i] * mib[i];
  const double spread = n * xx - x * x;
  return spread > 0 ? (n * xy - x * y) / spread * 3600 : 0;
}

static void report(const load *l, int index) {
  load *engine = (load *)(uintptr_t)l;
  const double prompts = counter(engine, "prompt_tokens_total"), shared = counter(engine, "prompt_tokens_shared_total");
  const double preemptions = counter(engine, "preemptions_total"), passes = counter(engine, "passes_total");
  printf("engine %d  %zu submitted, %zu finished (%zu cancelled), %zu compared, %zu tokens generated\n", index, l->submitted,
         l->finished, l->cancelled, l->compared, l->tokens);
  printf("          %.0f prompt tokens computed, %.0f shared, %.0f preemptions, %.0f passes\n", prompts, shared, preemptions,
         passes);
  if (l->submitted != l->finished) fail("engine %d: %zu submitted, %zu finished", index, l->submitted, l->finished);
  if (counter(engine, "requests_submitted_total") != (double)l->submitted ||
      counter(engine, "requests_finished_total") != (double)l->finished ||
      counter(engine, "requests_cancelled_total") != (double)l->cancelled ||
      counter(engine, "generated_tokens_total") != (double)l->tokens)
    fail("engine %d: its counters tell another story", index);
  if (preemptions == 0 || shared == 0 || l->cancelled == 0) fail("engine %d: the load was too light", index);
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: soak MODEL SECONDS [SEED]\n"), 2;
  const double seconds = atof(argv[2]);
  const uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
  static load loads[ENGINES];
  rally_error error;
  rally_error_init(&error, sizeof error);
  rally_model *model = NULL;
  rally_model_info info;
  rally_model_info_init(&info, sizeof info);
  if (rally_model_open(argv[1], NULL, &model, &error) || rally_model_get_info(model, &info, &error))
    return fprintf(stderr, "soak: %s\n", error.message), 2;
  vocab_size = info.vocab_size;
  for (int i = 0; i < ENGINES; i++) {
    loads[i].other = &loads[(i + 1) % ENGINES];
    if (!open_load(&loads[i], model, seed + (uint64_t)i, &error)) return fprintf(stderr, "soak: %s\n", error.message), 2;
  }
  rally_model_close(model); /* the engines keep it */

  enum { SAMPLES = 4096 };
  static double at[SAMPLES], mib[SAMPLES];
  size_t samples = 0;
  pthread_t threads[ENGINES];
  const double start = now(), every = seconds / SAMPLES > 0.5 ? seconds / SAMPLES : 0.5;
  for (int i = 0; i < ENGINES; i++) pthread_create(&threads[i], NULL, drive, &loads[i]);
  for (double t = 0; t < seconds && samples < SAMPLES; t = now() - start) {
    at[samples] = t;
    mib[samples++] = resident_mib();
    nanosleep(&(struct timespec){(time_t)every, (long)((every - (double)(time_t)every) * 1e9)}, NULL);
  }
  atomic_store(&stopping, true);
  for (int i = 0; i < ENGINES; i++) pthread_join(threads[i], NULL);

  for (int i = 0; i < ENGINES; i++) report(&loads[i], i);
  const double growth = slope(at, mib, samples);
  printf("memory    %.1f MiB after a fifth of %.0f s, %.1f MiB at the end, slope %+.2f MiB/h\n", mib[samples / 5], seconds,
         mib[samples - 1], growth);
  /* A short run says nothing of slopes: the first long prompts still take their tables. */
  if (seconds >= 600 && growth > MAX_SLOPE_MIB_PER_HOUR) fail("memory grows by %.1f MiB per hour", growth);
  for (int i = 0; i < ENGINES; i++) {
    rally_engine_close(loads[i].engine);
    rally_runner_close(loads[i].alone);
  }
  const int failed = atomic_load(&failures);
  printf("soak: %s, %d failures\n", failed ? "FAILED" : "passed", failed);
  return failed != 0;
}
