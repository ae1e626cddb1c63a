// libprotobuf and libonnx cannot go on where one of their many small allocations fails: room for all of them is shown to be there first.
#pragma once

#include <cstddef>
#include <new>

#include <sys/mman.h>

namespace rox {

// Throws std::bad_alloc where the process cannot get so many bytes more; takes none. As CHost's rh_has_headroom, which is not in here: the
// reader is a library of its own, and of C++ alone.
inline void require_room(size_t byte_count) {
  constexpr size_t kAllocatorStep = size_t{1} << 20;
  const size_t size = byte_count + kAllocatorStep;
  void *place = size < byte_count
                    ? MAP_FAILED
                    : mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) throw std::bad_alloc();
  munmap(place, size);
}

}  // namespace rox
