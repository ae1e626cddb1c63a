/*
 * Generation allocates nothing per token once the prompts have been computed, and an engine takes the bytes that it says.
 *
 * This program puts its own malloc family and operator new before everybody else's, and books each call on the library it comes
 * from. Between token FIRST and token FIRST + COUNT Rally's own account must stay at zero.
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
Account accounts[] = {{"librally.so", 0, 0, {0}, {0}}, {"others", 0, 0, {0}, {0}}};
Account &rally = accounts[0], &others = accounts[1];
std::atomic<bool> counting{false};

void book(const void *caller, size_t size) {
  if (!counting.load(std::memory_order_relaxed)) return;
  const auto address = reinterpret_cast<uintptr_t>(caller);
  Account *account = address >= rally.begin && address < rally.end ? &rally : &others;
  account->calls++;
  account->bytes += static_cast<long>(size);
}

/* Where the library lies in memory. */
int find_libraries(dl_phdr_info *info, size_t, void *) {
  if (!std::strstr(info->dlpi_name, rally.library)) return 0;
  rally.begin = info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const auto &part = info->dlpi_phdr[i];
    const uintptr_t end = info->dlpi_addr + part.p_vaddr + part.p_memsz;
    if (part.p_type == PT_LOAD && end > rally.end) rally.end = end;
  }
  return 0;
}

/* Counts between two tokens of the first request. */
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

namespace {

const int32_t prompt[] = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
const int32_t biased[] = {3, 4};
const float biases[] = {1.5f, -2};
const char *const stop_strings[] = {"no such text", "nor this one, which is longer than all that is written"};

/* Requests of different lengths, one for each thing that a token may cost. */
constexpr size_t REQUESTS = 7;
void make_requests(rally_request *requests) {
  for (size_t i = 0; i < REQUESTS; i++) {
    rally_request_init(&requests[i], sizeof requests[i]);
    requests[i].tokens = prompt;
    requests[i].token_count = i + 1;
    requests[i].max_tokens = LAST + 8;
    requests[i].stop_at_eos = RALLY_OFF;
  }
  requests[1].temperature = 0.9f;
  requests[1].top_k = 40;
  requests[1].top_p = 0.95f;
  requests[2].repetition_penalty = 1.2f;
  requests[2].frequency_penalty = 0.1f;
  requests[3].bias_tokens = biased;
  requests[3].bias_values = biases;
  requests[3].bias_count = 2;
  requests[4].top_logprobs = 5;
  requests[5].target_depth = 1.5;
  requests[6].stop_strings = stop_strings;
  requests[6].stop_string_count = 2;
}

/* Prints the accounts and empties them; whether Rally's own were empty. */
bool settle(const char *what, size_t events) {
  const bool passed = events >= REQUESTS * (LAST + 8) && rally.calls == 0 && others.calls == 0;
  for (Account &account : accounts) {
    std::printf("  %-9s %-12s %6ld allocations, %8ld bytes in %zu steps\n", what, account.library, account.calls.load(),
                account.bytes.load(), COUNT);
    account.calls = account.bytes = 0;
  }
  return passed;
}

bool generate(rally_model *model, const rally_request *requests, rally_error *error) {
  rally_runner *runner = nullptr;
  size_t events = 0;
  if (rally_runner_open(model, nullptr, &runner, error)) return !fail(*error);
  if (rally_generate(runner, requests, REQUESTS, count_from_first, &events, nullptr, error)) return !fail(*error);
  rally_runner_close(runner);
  return settle("generate", events);
}

bool engine_steps(rally_model *model, const rally_request *requests, rally_error *error) {
  rally_engine *engine = nullptr;
  size_t events = 0;
  if (rally_engine_open(model, nullptr, &engine, error)) return !fail(*error);
  for (size_t i = 0; i < REQUESTS; i++)
    if (rally_engine_submit(engine, &requests[i], nullptr, error)) return !fail(*error);
  if (rally_engine_run(engine, count_from_first, &events, error)) return !fail(*error);
  rally_engine_close(engine);
  return settle("engine", events);
}

struct Sizes {
  uint64_t cache_bytes;
  uint32_t step_tokens, sequences, threads;
};
constexpr uint64_t MB = 1 << 20;
const Sizes sizes[] = {
    {0, 0, 0, 0}, {8 * MB, 2048, 0, 4}, {100 * MB, 2048, 0, 1}, {200 * MB, 64, 1024, 2}, {8 * MB, 8192, 1, 1}};

/* Opening takes no more than rally_engine_memory says, and little less. */
bool engine_memory(rally_model *model, rally_error *error) {
  bool passed = true;
  for (const Sizes &size : sizes) {
    rally_engine_options options;
    rally_engine_options_init(&options, sizeof options);
    options.cache_bytes = size.cache_bytes;
    options.max_step_tokens = size.step_tokens;
    options.max_sequences = size.sequences;
    options.threads = size.threads;
    rally_engine *engine = nullptr;
    uint64_t said = 0;
    if (rally_engine_memory(model, &options, &said, error)) return !fail(*error);
    counting = true;
    const rally_status status = rally_engine_open(model, &options, &engine, error);
    counting = false;
    if (status) return !fail(*error);
    long taken = 0;
    for (Account &account : accounts) taken += account.bytes.exchange(0), account.calls = 0;
    std::printf("  memory    said %9.2f MB, taken %9.2f MB\n", static_cast<double>(said) * 1e-6,
                static_cast<double>(taken) * 1e-6);
    const long difference = taken - static_cast<long>(said);
    passed = passed && difference <= 0 && difference > -(1 << 19);
    rally_engine_close(engine);
  }
  return passed;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  rally_error error;
  rally_error_init(&error, sizeof error);
  rally_model *model = nullptr;
  if (rally_model_open(argv[1], nullptr, &model, &error)) return fail(error);
  dl_iterate_phdr(find_libraries, nullptr);
  if (!rally.begin) {
    std::fprintf(stderr, "allocations: librally.so is not loaded\n");
    return 1;
  }
  rally_request requests[REQUESTS];
  make_requests(requests);
  const bool quiet = generate(model, requests, &error) & engine_steps(model, requests, &error);
  const bool honest = engine_memory(model, &error);
  rally_model_close(model);
  std::printf("allocations: %s; memory: %s\n", quiet ? "none of Rally's own" : "FAILED, Rally allocates per token",
              honest ? "as said" : "FAILED, not as said");
  return !(quiet && honest);
}
