#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/resource.h>

#include "chost.h"

/* The allocator takes at least a megabyte at a time where its own heap cannot grow. */
#define ALLOCATOR_STEP ((size_t)1 << 20)
/* Below this, only a process with a limit can run out. */
#define SMALL ((size_t)64 << 20)

static bool has_limit(void) {
  struct rlimit space = {RLIM_INFINITY, RLIM_INFINITY}, data = space;
  (void)getrlimit(RLIMIT_AS, &space);
  (void)getrlimit(RLIMIT_DATA, &data);
  return space.rlim_cur != RLIM_INFINITY || data.rlim_cur != RLIM_INFINITY;
}

bool rh_has_headroom(size_t byte_count) {
  if (byte_count < SMALL && !has_limit()) return true;
  if (byte_count > SIZE_MAX - ALLOCATOR_STEP) return false;
  const size_t size = byte_count + ALLOCATOR_STEP;
  void *place = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) return false;
  (void)munmap(place, size);
  return true;
}
