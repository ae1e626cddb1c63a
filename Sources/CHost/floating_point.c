#include <pthread.h>

#include "chost.h"

/* The state of the host's that the innermost call of this thread keeps. A key costs no memory per thread, and finding it cannot
 * fail as the first use of a thread-local variable can. */
static pthread_key_t key;
static bool has_key;

__attribute__((constructor)) static void make_key(void) { has_key = pthread_key_create(&key, NULL) == 0; }

static rh_fp_state *innermost(void) { return has_key ? pthread_getspecific(key) : NULL; }

#if defined(__x86_64__)

/* Every exception masked, to nearest, subnormal numbers kept; and for x87 all 64 bits of the significand. */
#define DEFAULT_MXCSR 0x1F80u
#define DEFAULT_X87 0x037Fu

static void save(rh_fp_state *state) {
  __asm__ volatile("stmxcsr %0" : "=m"(state->mxcsr));
  __asm__ volatile("fnstenv %0" : "=m"(state->x87));
}

static void load(const rh_fp_state *state) {
  __asm__ volatile("fldenv %0" : : "m"(state->x87));
  __asm__ volatile("ldmxcsr %0" : : "m"(state->mxcsr));
}

void rh_fp_set_default(void) {
  const uint32_t mxcsr = DEFAULT_MXCSR;
  const uint16_t x87 = DEFAULT_X87;
  __asm__ volatile("fnclex");
  __asm__ volatile("fldcw %0" : : "m"(x87));
  __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

#elif defined(__aarch64__)

static void save(rh_fp_state *state) {
  __asm__ volatile("mrs %0, fpcr" : "=r"(state->fpcr));
  __asm__ volatile("mrs %0, fpsr" : "=r"(state->fpsr));
}

static void load(const rh_fp_state *state) {
  __asm__ volatile("msr fpcr, %0" : : "r"(state->fpcr));
  __asm__ volatile("msr fpsr, %0" : : "r"(state->fpsr));
}

void rh_fp_set_default(void) {
  __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
  __asm__ volatile("msr fpsr, %0" : : "r"((uint64_t)0));
}

#else
#error "the control registers of this processor are not known here"
#endif

void rh_fp_enter(rh_fp_state *host) {
  save(host);
  host->outer = innermost();
  if (has_key) (void)pthread_setspecific(key, host);
  rh_fp_set_default();
}

void rh_fp_leave(rh_fp_state *host) {
  if (has_key) (void)pthread_setspecific(key, host->outer);
  load(host);
}

/* Within a function of the host's no call is in progress: others may begin there and end later than this one, where coroutines of
 * the host share the thread. */
rh_fp_state *rh_fp_enter_host(void) {
  rh_fp_state *call = innermost();
  if (!call) return NULL;
  (void)pthread_setspecific(key, NULL);
  load(call);
  return call;
}

void rh_fp_leave_host(rh_fp_state *call) {
  if (!call) return;
  save(call);
  (void)pthread_setspecific(key, call);
  rh_fp_set_default();
}
