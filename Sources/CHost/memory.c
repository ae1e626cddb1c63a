#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "chost.h"

/* The allocator takes at least a megabyte at a time where its own heap cannot grow. */
#define ALLOCATOR_STEP ((size_t)1 << 20)
/* Below this, only a process with a limit can run out, or one of a system that promises no more than it has. */
#define SMALL ((size_t)64 << 20)

/* As that of the floating-point state: finding it cannot fail. */
static pthread_key_t budget_key;
static bool has_budget_key = false;

__attribute__((constructor)) static void make_budget_key(void) { has_budget_key = pthread_key_create(&budget_key, NULL) == 0; }

const void *rh_budget(void) { return has_budget_key ? pthread_getspecific(budget_key) : NULL; }

bool rh_set_budget(const void *budget) {
  if (!has_budget_key) return budget == NULL;
  return pthread_setspecific(budget_key, budget) == 0;
}

static bool has_limit(void) {
  struct rlimit space = {RLIM_INFINITY, RLIM_INFINITY}, data = space;
  (void)getrlimit(RLIMIT_AS, &space);
  (void)getrlimit(RLIMIT_DATA, &data);
  return space.rlim_cur != RLIM_INFINITY || data.rlim_cur != RLIM_INFINITY;
}

/* vm.overcommit_memory 2, as servers with databases have it; looked at once. */
static bool system_is_strict(void) {
  enum { UNKNOWN, NO, YES };
  static atomic_int known = UNKNOWN;
  int found = atomic_load_explicit(&known, memory_order_relaxed);
  if (found != UNKNOWN) return found == YES;
  char mode = '0';
  const int file = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
  found = file >= 0 && read(file, &mode, 1) == 1 && mode == '2' ? YES : NO;
  if (file >= 0) (void)close(file);
  atomic_store_explicit(&known, found, memory_order_relaxed);
  return found == YES;
}

bool rh_has_headroom(size_t byte_count) {
  if (byte_count < SMALL && !has_limit() && !system_is_strict()) return true;
  if (byte_count > SIZE_MAX - ALLOCATOR_STEP) return false;
  const size_t size = byte_count + ALLOCATOR_STEP;
  void *place = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) return false;
  (void)munmap(place, size);
  return true;
}
