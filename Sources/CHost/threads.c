#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>

#include "chost.h"

void rh_name_thread(const char *name) { (void)pthread_setname_np(pthread_self(), name); }

static int add_thread_locals(struct dl_phdr_info *file, size_t size, void *sum) {
  (void)size;
  for (size_t i = 0; i < file->dlpi_phnum; i++) {
    if (file->dlpi_phdr[i].p_type == PT_TLS) *(size_t *)sum += file->dlpi_phdr[i].p_memsz + file->dlpi_phdr[i].p_align;
  }
  return 0;
}

size_t rh_thread_local_bytes(void) {
  size_t sum = 0;
  (void)dl_iterate_phdr(add_thread_locals, &sum);
  return sum;
}
