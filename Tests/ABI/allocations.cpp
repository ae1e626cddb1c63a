/*
 * Generation allocates nothing per token once the prompts have been computed.
 *
 * This program puts its own malloc family and operator new before everybody else's, and books each call on the library it comes
 * from. Between token FIRST and token FIRST + COUNT Rally's own account must stay at zero. oneDNN allocates a few small objects
 * each time a product is executed; they are counted apart and printed.
 */
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <link.h>
#include <new>
#include <rally.h>

namespace {

constexpr size_t FIRST = 8, COUNT = 48, LAST = FIRST + COUNT;

struct Account {
  const char *library;
  uintptr_t begin, end;
  std::atomic<long> calls, bytes;
};
Account accounts[] = {{"librally.so", 0, 0, {0}, {0}}, {"libdnnl.so", 0, 0, {0}, {0}}, {"others", 0, 0, {0}, {0}}};
Account &rally = accounts[0], &onednn = accounts[1], &others = accounts[2];
std::atomic<bool> counting{false};

void book(const void *caller, size_t size) {
  if (!counting.load(std::memory_order_relaxed)) return;
  const auto address = reinterpret_cast<uintptr_t>(caller);
  Account *account = &others;
  for (Account *known : {&rally, &onednn})
    if (address >= known->begin && address < known->end) account = known;
  account->calls++;
  account->bytes += static_cast<long>(size);
}

/* Where the two libraries lie in memory. */
int find_libraries(dl_phdr_info *info, size_t, void *) {
  for (Account *account : {&rally, &onednn}) {
    if (!std::strstr(info->dlpi_name, account->library)) continue;
    account->begin = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
      const auto &part = info->dlpi_phdr[i];
      const uintptr_t end = info->dlpi_addr + part.p_vaddr + part.p_memsz;
      if (part.p_type == PT_LOAD && end > account->end) account->end = end;
    }
  }
  return 0;
}

int32_t count_from_first(void *user, const rally_event *event) {
  if (event->request == 0 && event->index == FIRST) counting = true;
  if (event->request == 0 && event->index == LAST) counting = false;
  ++*static_cast<size_t *>(user);
  return 0;
}

int fail(const rally_error &error) {
  std::fprintf(stderr, "%s: %s\n", rally_status_name(error.code), error.message);
  return 1;
}

}  // namespace

extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t size) {
  book(__builtin_return_address(0), size);
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  book(__builtin_return_address(0), count * size);
  return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
  book(__builtin_return_address(0), size);
  return __libc_realloc(old, size);
}
void *memalign(size_t alignment, size_t size) {
  book(__builtin_return_address(0), size);
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  book(__builtin_return_address(0), size);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **memory, size_t alignment, size_t size) {
  book(__builtin_return_address(0), size);
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : 12;
}
}

void *operator new(size_t size) {
  book(__builtin_return_address(0), size);
  return __libc_malloc(size);
}
void *operator new[](size_t size) {
  book(__builtin_return_address(0), size);
  return __libc_malloc(size);
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, size_t) noexcept { std::free(memory); }

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  rally_error error;
  rally_error_init(&error, sizeof error);
  rally_model *model = nullptr;
  rally_runner *runner = nullptr;
  if (rally_model_open(argv[1], nullptr, &model, &error) || rally_runner_open(model, nullptr, &runner, &error)) return fail(error);
  dl_iterate_phdr(find_libraries, nullptr);
  if (!rally.begin || !onednn.begin) {
    std::fprintf(stderr, "allocations: librally.so or libdnnl.so is not loaded\n");
    return 1;
  }

  /* Three requests of different lengths; one is sampled. */
  const int32_t prompt[] = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  rally_request requests[3];
  for (int i = 0; i < 3; i++) {
    rally_request_init(&requests[i], sizeof requests[i]);
    requests[i].tokens = prompt;
    requests[i].token_count = static_cast<size_t>(4 * i + 1);
    requests[i].max_tokens = LAST + 8;
    requests[i].stop_at_eos = RALLY_OFF;
  }
  requests[1].temperature = 0.9f;
  requests[1].top_k = 40;
  requests[1].top_p = 0.95f;

  size_t events = 0;
  if (rally_generate(runner, requests, 3, count_from_first, &events, nullptr, &error)) return fail(error);
  rally_runner_close(runner);
  rally_model_close(model);

  for (const Account &account : accounts)
    std::printf("  %-12s %6ld allocations, %8ld bytes in %zu steps\n", account.library, account.calls.load(), account.bytes.load(),
                COUNT);
  const bool passed = events >= 3 * (LAST + 8) && rally.calls == 0 && others.calls == 0;
  std::printf("allocations: %s\n", passed ? "none of Rally's own" : "FAILED, Rally allocates per token");
  return !passed;
}
