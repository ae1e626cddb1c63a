/* The host's floating-point environment has no influence, is left as it was, and is the one that callbacks run in. */
#define _GNU_SOURCE
#include "check.h"
#include <fenv.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#define ROWS 10
#define LENGTH 60

static int32_t tokens[ROWS * LENGTH];
static size_t offsets[ROWS + 1];

typedef void (*setter)(void);
static void plain(void) {}
static void upward(void) { fesetround(FE_UPWARD); }
static void to_zero(void) { fesetround(FE_TOWARDZERO); }
static void traps(void) { feenableexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW); }
static void flushes(void) {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
}

/* What a host can see of its environment. */
typedef struct state {
  int rounding, traps, flags;
  unsigned control;
} state;

static state look(void) {
  state seen = {fegetround(), fegetexcept(), fetestexcept(FE_ALL_EXCEPT), 0};
#if defined(__x86_64__)
  seen.control = _mm_getcsr();
#endif
  return seen;
}

static int same(state a, state b) {
  return a.rounding == b.rounding && a.traps == b.traps && a.flags == b.flags && a.control == b.control;
}

static void rate(uint32_t threads, setter before, setter after, float *scores) {
  rally_runner_options options;
  rally_runner_options_init(&options, sizeof options);
  options.threads = threads;
  rally_model *model = NULL;
  rally_runner *runner = NULL;
  before();
  const rally_status opened = rally_model_open(rater_path, NULL, &model, NULL);
  const rally_status started = rally_runner_open(model, &options, &runner, NULL);
  after();
  const state host = look();
  const rally_status rated = rally_rate(runner, tokens, offsets, ROWS, NULL, scores, NULL);
  const int kept = same(host, look());
  fesetenv(FE_DFL_ENV);
  CHECK(opened == RALLY_OK && started == RALLY_OK && rated == RALLY_OK && kept);
  rally_runner_close(runner);
  rally_model_close(model);
}

static state host_state, callback_state;

static int32_t look_in_callback(void *user, const rally_event *event) {
  (void)event;
  callback_state = look();
  if (*(int *)user) fesetround(FE_DOWNWARD);
  return 0;
}

/* Callbacks find the host's environment, and what they change stays. */
static void test_callbacks(void) {
  rally_runner *runner = NULL;
  CHECK_STATUS(rally_runner_open(language_model, NULL, &runner, NULL), RALLY_OK);
  rally_request request = make_request(3);
  for (int changes = 0; changes < 2; changes++) {
    fesetround(FE_UPWARD);
    host_state = look();
    const rally_status status = rally_generate(runner, &request, 1, look_in_callback, &changes, NULL, NULL);
    const int rounding = fegetround();
    fesetenv(FE_DFL_ENV);
    CHECK_STATUS(status, RALLY_OK);
    CHECK(callback_state.rounding == (changes ? FE_DOWNWARD : FE_UPWARD));
    CHECK(rounding == (changes ? FE_DOWNWARD : FE_UPWARD));
  }
  rally_runner_close(runner);
}

void test_floating_point(void) {
  for (int i = 0; i < ROWS * LENGTH; i++) tokens[i] = (i * 37 + 11) % 4000;
  for (size_t i = 0; i <= ROWS; i++) offsets[i] = i * LENGTH;
  float expected[ROWS], scores[ROWS];
  rate(1, plain, plain, expected);
  const setter setters[] = {upward, to_zero, flushes, traps};
  for (size_t i = 0; i < sizeof setters / sizeof *setters; i++) {
    for (uint32_t threads = 1; threads <= 2; threads++) {
      /* Children, because an exception that nobody expects ends them. */
      for (int when = 0; when < 2; when++) {
        const pid_t child = fork();
        if (child == 0) {
          checks_failed = 0;
          rate(threads, when ? plain : setters[i], when ? setters[i] : plain, scores);
          _exit(checks_failed != 0 || memcmp(scores, expected, sizeof scores) != 0);
        }
        int status = -1;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
      }
    }
  }
  test_callbacks();
}
