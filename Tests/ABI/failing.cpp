/*
 * Every allocation that can fail fails once: those of numbers in librally.so.0 (posix_memalign), and while a model is opened those
 * of the reader of ONNX files (malloc, operator new). The call answers RALLY_OUT_OF_MEMORY or what it answers otherwise, nothing is
 * lost, and the same call works afterwards. What Swift, libonnx and libprotobuf allocate for themselves is not failed: room for it
 * is proved beforehand, which limits.c tests.
 * Linux calls main's malloc and operator new for all libraries: failing.cpp LANGUAGE-MODEL RATER.
 */
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <link.h>
#include <malloc.h>
#include <new>
#include <rally.h>

namespace {

struct Library {
  const char *name;
  uintptr_t begin, end;
  bool holds(const void *caller) const {
    const auto address = reinterpret_cast<uintptr_t>(caller);
    return address >= begin && address < end;
  }
};
Library engine{"/librally.so", 0, 0}, reader{"/librally-onnx.so", 0, 0};

/* Allocations until one fails; that one is 0. Below, none does. */
std::atomic<long> left{-1};
std::atomic<long> asked{0};
bool reads_too = false; /* the reader's as well */
bool fails_here() {
  asked++;
  return left.load(std::memory_order_relaxed) >= 0 && left.fetch_sub(1) == 0;
}

int find(dl_phdr_info *info, size_t, void *) {
  for (Library *library : {&engine, &reader}) {
    if (!std::strstr(info->dlpi_name, library->name)) continue;
    library->begin = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
      const auto &part = info->dlpi_phdr[i];
      const uintptr_t end = info->dlpi_addr + part.p_vaddr + part.p_memsz;
      if (part.p_type == PT_LOAD && end > library->end) library->end = end;
    }
  }
  return 0;
}

}  // namespace

extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t size) {
  return reads_too && reader.holds(__builtin_return_address(0)) && fails_here() ? nullptr : __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  return reads_too && reader.holds(__builtin_return_address(0)) && fails_here() ? nullptr : __libc_calloc(count, size);
}
/* Numbers begin at a cache line; Swift asks for less. */
int posix_memalign(void **memory, size_t alignment, size_t size) {
  if (alignment == 64 && engine.holds(__builtin_return_address(0)) && fails_here()) return 12;
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : 12;
}
}

void *operator new(size_t size) {
  void *memory = reads_too && reader.holds(__builtin_return_address(0)) && fails_here() ? nullptr : __libc_malloc(size);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void *operator new[](size_t size) {
  void *memory = reads_too && reader.holds(__builtin_return_address(0)) && fails_here() ? nullptr : __libc_malloc(size);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, size_t) noexcept { std::free(memory); }

namespace {

const char *paths[2]; /* a language model, a rater */
rally_model *models[2];
int32_t tokens[120];
const size_t offsets[] = {0, 30, 120};

rally_status open_language_model() {
  rally_model *model = nullptr;
  const rally_status status = rally_model_open(paths[0], nullptr, &model, nullptr);
  rally_model_close(model);
  return status;
}

rally_status open_rater() {
  rally_model *model = nullptr;
  const rally_status status = rally_model_open(paths[1], nullptr, &model, nullptr);
  rally_model_close(model);
  return status;
}

rally_runner_options two_threads() {
  rally_runner_options options;
  rally_runner_options_init(&options, sizeof options);
  options.threads = 2;
  return options;
}

float known_logprobs[120], known_scores[2]; /* of the first call, in which nothing fails */

/* What a call that succeeds must have found, bit for bit: any other status is a fault. */
template <size_t count>
rally_status same(const float (&found)[count], float (&known)[count]) {
  static bool is_known = false;
  if (!is_known) std::memcpy(known, found, sizeof known);
  is_known = true;
  return std::memcmp(known, found, sizeof known) ? RALLY_NOT_FINITE : RALLY_OK;
}

rally_status run() {
  const auto options = two_threads();
  rally_runner *runner = nullptr;
  float logprobs[120] = {0}; /* of each row one less than tokens */
  rally_outputs outputs;
  rally_outputs_init(&outputs, sizeof outputs);
  outputs.logprobs = logprobs;
  rally_status status = rally_runner_open(models[0], &options, &runner, nullptr);
  if (!status) status = rally_run(runner, tokens, offsets, 2, nullptr, &outputs, nullptr);
  rally_runner_close(runner);
  return status ? status : same(logprobs, known_logprobs);
}

rally_status rate() {
  const auto options = two_threads();
  rally_runner *runner = nullptr;
  float scores[2] = {0};
  rally_status status = rally_runner_open(models[1], &options, &runner, nullptr);
  if (!status) status = rally_rate(runner, tokens, offsets, 2, nullptr, scores, nullptr);
  rally_runner_close(runner);
  return status ? status : same(scores, known_scores);
}

int32_t ignore(void *, const rally_event *) { return 0; }

rally_status generate() {
  rally_engine *opened = nullptr;
  rally_engine_options options;
  rally_engine_options_init(&options, sizeof options);
  options.threads = 2;
  rally_request request;
  rally_request_init(&request, sizeof request);
  request.tokens = tokens;
  request.token_count = 30;
  request.max_tokens = 4;
  request.temperature = 0.5f;
  rally_status status = rally_engine_open(models[0], &options, &opened, nullptr);
  for (int i = 0; !status && i < 3; i++) status = rally_engine_submit(opened, &request, nullptr, nullptr);
  if (!status) status = rally_engine_run(opened, ignore, nullptr, nullptr);
  rally_engine_close(opened);
  return status;
}

rally_status quantize() { return rally_quantize(paths[0], "/dev/shm/rally-failing-out.onnx", nullptr, nullptr); }

/* Bytes that are taken and not given back. */
size_t held() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

/* Whether each allocation of the call may fail. Long stretches are sampled: every one of the first 200, then each 13th. */
bool survives(const char *name, rally_status (*call)()) {
  if (call() || call()) return std::printf("  %s does not work\n", name), false;
  asked = 0;
  call();
  const long count = asked;
  size_t before = 0;
  int tried = 0, wrong = 0, refused = 0;
  for (long n = 0; n < count; n += n < 200 ? 1 : 13, tried++) {
    left = n;
    const rally_status status = call();
    left = -1;
    refused += status == RALLY_OUT_OF_MEMORY;
    /* A check by libonnx may be left out, and a block of one thread may be had by another. */
    if (status != RALLY_OUT_OF_MEMORY && status != RALLY_OK && ++wrong < 5)
      std::printf("  %s answers %s where allocation %ld of %ld failed\n", name, rally_status_name(status), n, count);
    if (n == 20) before = held();
  }
  const long lost = count > 20 ? static_cast<long>(held()) - static_cast<long>(before) : 0;
  const bool works = call() == RALLY_OK, leaks = lost > 256 << 10;
  std::printf("  %-26s %5ld allocations, %4d failed one by one, %4d refused, %+ld bytes held\n", name, count, tried, refused,
              lost);
  std::fflush(stdout);
  if (!works) std::printf("  %s does not work afterwards\n", name);
  return works && !leaks && !wrong && refused > 0;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  for (int i = 0; i < 2; i++) {
    paths[i] = argv[i + 1];
    if (rally_model_open(paths[i], nullptr, &models[i], nullptr)) return 2;
  }
  for (int i = 0; i < 120; i++) tokens[i] = (i * 31 + 7) % 4000;
  dl_iterate_phdr(find, nullptr);
  if (!engine.begin || !reader.begin) return std::fprintf(stderr, "failing: the libraries are not loaded\n"), 1;
  int failed = 0;
  reads_too = true;
  failed += !survives("opening a language model", open_language_model);
  failed += !survives("opening a rater", open_rater);
  reads_too = false;
  failed += !survives("running", run);
  failed += !survives("rating", rate);
  failed += !survives("an engine", generate);
  failed += !survives("quantizing", quantize);
  for (rally_model *model : models) rally_model_close(model);
  std::remove("/dev/shm/rally-failing-out.onnx");
  std::printf("failing: %d of 6 kinds of call FAILED\n", failed);
  return failed != 0;
}
