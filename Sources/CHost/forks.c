#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "chost.h"

/*
 * A child has only the thread that forked. What another thread had begun then, and no third one may begin again, would never be
 * ready there: a lock stays taken, a table half made. Whoever makes such a thing holds forks off; the handler before a fork waits
 * for all of them, and they for the fork.
 */

/* Threads that hold forks off, threads that a fork keeps from it, and forks that wait or are under way. Signed: a handler of a
 * signal that forks may come between two of the steps below. */
static atomic_int holding, kept_off, forking;

/* How often this thread holds them off, as a pointer. As in floating_point.c, a key is found without memory. */
static pthread_key_t depth_key;
static bool has_depth_key = false;

/* Of a fork, in seconds: with those that hold it off, who may themselves wait for something that the forking thread has, such as
 * an allocator of the host's; and with those that have the turn, one of whom may be this very thread, forking in a handler. */
#define PATIENCE 60
#define PATIENCE_WITH_TURNS 2

static uintptr_t depth(void) { return has_depth_key ? (uintptr_t)pthread_getspecific(depth_key) : 0; }
static bool set_depth(uintptr_t depth) { return has_depth_key && pthread_setspecific(depth_key, (void *)depth) == 0; }

/* A thread that is cancelled meanwhile would leave its number behind. */
static void pause_briefly(void) {
  const struct timespec moment = {0, 50000};
  int before = PTHREAD_CANCEL_ENABLE;
  (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  (void)nanosleep(&moment, NULL);
  (void)pthread_setcancelstate(before, NULL);
}

static time_t seconds(void) {
  struct timespec time = {0, 0};
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec;
}

static bool begins_holding(void) {
  atomic_fetch_add(&holding, 1);
  if (atomic_load(&forking) == 0) return true;
  atomic_fetch_sub(&holding, 1);
  return false;
}

static void wait_and_hold(void) {
  atomic_fetch_add(&kept_off, 1);
  do {
    while (atomic_load(&forking) > 0) pause_briefly();
  } while (!begins_holding());
  atomic_fetch_sub(&kept_off, 1);
}

void rh_hold_forks(void) {
  const uintptr_t already = depth();
  if (already == 0 && !begins_holding()) wait_and_hold();
  if (!set_depth(already + 1) && already == 0) atomic_fetch_sub(&holding, 1);
}

void rh_release_forks(void) {
  const uintptr_t held = depth();
  if (held == 0) return;
  (void)set_depth(held - 1);
  if (held == 1) atomic_fetch_sub(&holding, 1);
}

static int held_here(void) { return depth() > 0; }

/* Those that the fork before kept off go first: else threads that fork again and again would keep them off for ever. */
static void before_fork(void) {
  const time_t begin = seconds();
  while (atomic_load(&kept_off) > 0 && seconds() - begin < PATIENCE_WITH_TURNS) pause_briefly();
  atomic_fetch_add(&forking, 1);
  while (atomic_load(&holding) > held_here() && seconds() - begin < PATIENCE) pause_briefly();
}

static void after_fork(void) { atomic_fetch_sub(&forking, 1); }

/* Forks between the process that loaded the library and this one. */
static atomic_uint generation;

uint64_t rh_process(void) { return (uint64_t)atomic_load(&generation) << 32 | (uint32_t)getpid(); }

static void after_fork_in_child(void) {
  atomic_fetch_add(&generation, 1);
  atomic_store(&holding, held_here());
  atomic_store(&kept_off, 0);
  atomic_store(&forking, 0);
}

static void watch_forks(void) { (void)pthread_atfork(before_fork, after_fork, after_fork_in_child); }

/* Not when the library is loaded: handlers run in reverse, and this one has to wait before an allocator of the host's takes its
 * locks. */
void rh_watch_forks(void) {
  static pthread_once_t watched = PTHREAD_ONCE_INIT;
  (void)pthread_once(&watched, watch_forks);
}

/* A thread that ended in a function of the host's holds nothing off any more. */
static void end_of_thread(void *depth) {
  if (depth) atomic_fetch_sub(&holding, 1);
}

__attribute__((constructor)) static void make_depth_key(void) {
  has_depth_key = pthread_key_create(&depth_key, end_of_thread) == 0;
}

/*
 * The Swift runtime in the shared library makes types and globals when they are first asked for, under locks of its own. The
 * linker sends its calls of these functions here (Package.swift, Packaging/static_archive).
 */
#ifdef RALLY_LINK_LIBRARY

#define ONCE_SLOW _ZN5swift14threading_impl9once_slowERNS0_6once_tEPFvPvES3_
#define JOINED(prefix, name) prefix##name
#define WRAPPED(name) JOINED(__wrap_, name)
#define REAL(name) JOINED(__real_, name)
#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN void WRAPPED(ONCE_SLOW)(void *once, void (*make)(void *), void *context);
HIDDEN int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
HIDDEN int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
HIDDEN int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
HIDDEN int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until);
HIDDEN int __wrap___cxa_guard_acquire(int64_t *guard);
HIDDEN void __wrap___cxa_guard_release(int64_t *guard);
HIDDEN void __wrap___cxa_guard_abort(int64_t *guard);

void REAL(ONCE_SLOW)(void *once, void (*make)(void *), void *context);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __real_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until);
int __real___cxa_guard_acquire(int64_t *guard);
void __real___cxa_guard_release(int64_t *guard);
void __real___cxa_guard_abort(int64_t *guard);

void WRAPPED(ONCE_SLOW)(void *once, void (*make)(void *), void *context) {
  rh_hold_forks();
  REAL(ONCE_SLOW)(once, make, context);
  rh_release_forks();
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex) {
  rh_hold_forks();
  const int status = __real_pthread_mutex_lock(mutex);
  if (status != 0) rh_release_forks();
  return status;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex) {
  const int status = __real_pthread_mutex_unlock(mutex);
  if (status == 0) rh_release_forks();
  return status;
}

/* A thread that waits does not hold its lock. */
static uintptr_t stop_holding(void) {
  const uintptr_t held = depth();
  if (held > 0 && set_depth(0)) atomic_fetch_sub(&holding, 1);
  return held;
}

/* It has the lock again: whoever waits for that lock may hold a fork off, so this cannot wait for the fork. */
static void go_on_holding(uintptr_t held) {
  if (held > 0 && set_depth(held)) atomic_fetch_add(&holding, 1);
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
  const uintptr_t held = stop_holding();
  const int status = __real_pthread_cond_wait(condition, mutex);
  go_on_holding(held);
  return status;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
  const uintptr_t held = stop_holding();
  const int status = __real_pthread_cond_timedwait(condition, mutex, until);
  go_on_holding(held);
  return status;
}

int __wrap___cxa_guard_acquire(int64_t *guard) {
  rh_hold_forks();
  const int mine = __real___cxa_guard_acquire(guard);
  if (!mine) rh_release_forks();
  return mine;
}

void __wrap___cxa_guard_release(int64_t *guard) {
  __real___cxa_guard_release(guard);
  rh_release_forks();
}

void __wrap___cxa_guard_abort(int64_t *guard) {
  __real___cxa_guard_abort(guard);
  rh_release_forks();
}

#endif
