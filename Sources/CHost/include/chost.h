// What the library asks of the process and the machine that it lives in, and what it must leave as it was.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma mark Floating point

/// The control registers of a thread: exceptions, rounding, subnormal numbers.
typedef struct rh_fp_state {
#if defined(__x86_64__)
  uint32_t mxcsr;
  uint8_t x87[28];
#elif defined(__aarch64__)
  uint64_t fpcr, fpsr;
#endif
  struct rh_fp_state *outer;
} rh_fp_state;

/// Keeps the calling thread's state in `host` and sets the one that computations are made in: to nearest, every exception
/// masked, subnormal numbers as they are. `host` stays where it is until `rh_fp_leave`; calls nest.
void rh_fp_enter(rh_fp_state *host);
/// The state as the host had it, flags included.
void rh_fp_leave(rh_fp_state *host);

/// Around a function of the host's that runs within a call: it finds the host's state, and what it changes stays. Answers what the
/// second one takes; NULL, and nothing happens, without a call in progress.
rh_fp_state *rh_fp_enter_host(void);
void rh_fp_leave_host(rh_fp_state *call);

/// Sets the state of computations, for a thread of our own.
void rh_fp_set_default(void);

#pragma mark Memory

/// Whether `byte_count` more bytes can be had, under the limits of the process and of the system. Takes and gives them back;
/// not a promise where other threads allocate.
bool rh_has_headroom(size_t byte_count);

/// What the calls in progress on this thread may take of memory, for whoever allocates; NULL for no limit.
const void *rh_budget(void);
/// false where the thread has no place for it.
bool rh_set_budget(const void *budget);

#pragma mark Forks

/// Begins to look after forks, once for all: with the first call of the host.
void rh_watch_forks(void);
/// Tells this process from its parent. The number that the system gives does not where each is the first of its namespace.
uint64_t rh_process(void);
/// Until `rh_release_forks`, a fork by another thread waits, so that its child does not find half made what this thread makes for
/// all. Nests. The functions of the host may not be called in between.
void rh_hold_forks(void);
void rh_release_forks(void);

#pragma mark Messages

/// What an error number of the system means, in English; NULL for one that is none. Static string.
const char *rh_system_message(int code);

#pragma mark Build

/// Lines `commit`, `compiler` and `architecture` with their values. Static string.
const char *rh_build(void);

#pragma mark Processors and threads

/// Processors that this process may use, at least 1: its affinity mask, and no more than the quota of its control group,
/// rounded up.
size_t rh_available_processors(void);

/// Processors of the affinity mask alone, at least 1: one call of the system.
size_t rh_affinity(void);

/// At most what the variables of its own take of a thread's stack, where the host and its libraries have such.
size_t rh_thread_local_bytes(void);

/// The calling thread's name in the system's tools; at most 15 bytes.
void rh_name_thread(const char *name);

#ifdef __cplusplus
}
#endif
