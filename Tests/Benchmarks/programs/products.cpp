// The engine's own matrix products, alongside what memory gives.
//
//     products [SAMPLES]
//
// y[M, N] = x[M, K] Wᵀ by format, rows and threads, for the two feed-forward matrices of the 360M shape. Weights come
// from memory: many matrices in turn, far beyond the last cache, as in a step of a model. Panels of 128 outputs times
// tiles of 64 rows, as the engine cuts them. The best sample counts: a ceiling is what was reached once. One thread is
// measured by its processor time, which others on the machine disturb less.
#include <omp.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "ckernels.h"

namespace {

constexpr size_t panel = 4 * rk_matmul_columns, tile = 64;

template <class T>
struct Buffer {
  explicit Buffer(size_t count, int value = 0)
      : data(static_cast<T *>(std::aligned_alloc(64, (count * sizeof(T) + 63) / 64 * 64))) {
    if (!data) std::exit(1);
    std::memset(data, value, count * sizeof(T));
  }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  ~Buffer() { std::free(data); }
  T *data;
};

double now(int threads) {
  if (threads > 1) return omp_get_wtime();
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Shape {
  size_t inputs, outputs;
};

struct Format {
  const char *name;
  size_t bytes;  // per weight
};

struct Operands {
  Shape shape;
  size_t rows;
  Buffer<float> x, y;
  Buffer<int8_t> x8;
  Buffer<float> scales, row_scales;  // [groups of a row, outputs], [rows, groups]
  Buffer<int32_t> row_starts;

  Operands(Shape shape, size_t rows)
      : shape(shape),
        rows(rows),
        x(rows * shape.inputs),
        y(rows * shape.outputs),
        x8(rows * shape.inputs),
        scales(shape.inputs / rk_matmul_group * shape.outputs),
        row_scales(rows * shape.inputs / rk_matmul_group),
        row_starts(rows * shape.inputs / rk_matmul_group) {}
};

void multiply(const Operands &o, const Format &format, const uint8_t *weights, size_t first_row, size_t first_output) {
  const size_t K = o.shape.inputs, N = o.shape.outputs;
  const size_t rows = std::min(tile, o.rows - first_row), outputs = std::min(panel, N - first_output);
  const uint8_t *own = weights + first_output * K * format.bytes;
  const float *x = o.x.data + first_row * K;
  float *y = o.y.data + first_row * N + first_output;
  if (format.bytes == 4) rk_matmul_f32(x, K, reinterpret_cast<const float *>(own), nullptr, y, N, rows, outputs, K);
  if (format.bytes == 2) rk_matmul_bf16(x, K, reinterpret_cast<const uint32_t *>(own), nullptr, y, N, rows, outputs, K);
  if (format.bytes == 1) {
    const size_t groups = K / rk_matmul_group;
    rk_matmul_int8(o.x8.data + first_row * K, K, o.row_scales.data + first_row * groups, o.row_starts.data + first_row * groups,
                   rk_matmul_group, own, o.scales.data + first_output * groups, nullptr, y, N, rows, outputs, K);
  }
}

// Seconds for one matrix, over all of `matrices` in turn. int8 rows are made once for each, as the engine does.
double seconds(const Operands &o, const Format &format, const uint8_t *weights, size_t matrices) {
  const size_t K = o.shape.inputs, byte_count = K * o.shape.outputs * format.bytes;
  const long panels = (o.shape.outputs + panel - 1) / panel, tiles = (o.rows + tile - 1) / tile;
  const int threads = omp_get_max_threads();
  const double start = now(threads);
#pragma omp parallel
  for (size_t matrix = 0; matrix < matrices; ++matrix) {
    if (format.bytes == 1) {
#pragma omp for schedule(dynamic)
      for (long row = 0; row < static_cast<long>(o.rows); row += 8) {
        const size_t count = std::min<size_t>(8, o.rows - row);
        const size_t groups = K / rk_matmul_group;
        rk_quantize_rows(o.x.data + row * K, K, nullptr, rk_matmul_group, rk_int8_zero, o.x8.data + row * K, K,
                         o.row_scales.data + row * groups, o.row_starts.data + row * groups, count, K);
      }
    }
#pragma omp for schedule(dynamic)
    for (long index = 0; index < panels * tiles; ++index) {
      multiply(o, format, weights + matrix * byte_count, index % tiles * tile, index / tiles * panel);
    }
  }
  return (now(threads) - start) / static_cast<double>(matrices);
}

// Bytes per second, prefetched like weights.
double read_rate(const Buffer<uint8_t> &memory, size_t byte_count) {
  const auto *words = reinterpret_cast<const uint64_t *>(memory.data);
  const int threads = omp_get_max_threads();
  const double start = now(threads);
  uint64_t sum = 0;
#pragma omp parallel for reduction(+ : sum) schedule(static)
  for (size_t block = 0; block < byte_count / 256; ++block) {
    for (size_t line = 0; line < 4; ++line) __builtin_prefetch(words + block * 32 + line * 8 + 1024);
    for (size_t i = 0; i < 32; ++i) sum += words[block * 32 + i];
  }
  const double rate = static_cast<double>(byte_count) / (now(threads) - start);
  return sum ? rate : 0;
}

}  // namespace

int main(int argc, char **argv) {
  const int samples = argc > 1 ? std::atoi(argv[1]) : 10;
  const Format formats[] = {{"f32", 4}, {"bf16", 2}, {"int8", 1}};
  constexpr size_t byte_count = size_t{768} << 20;
  // Small bf16 and f32 numbers, so that nothing is subnormal.
  const Buffer<uint8_t> memory(byte_count, 0x3C);
  std::printf("%s\n", rk_target_name());
  for (int threads = 1; threads <= 2; ++threads) {
    omp_set_num_threads(threads);
    double read = 0;
    for (int sample = 0; sample < samples; ++sample) read = std::max(read, read_rate(memory, byte_count));
    std::printf("\nthreads %d, memory read %.1f GB/s\n", threads, read * 1e-9);
    for (const Shape shape : {Shape{960, 2560}, Shape{2560, 960}}) {
      for (const Format &format : formats) {
        for (const size_t rows : {1, 4, 8, 16, 32, 64, 512}) {
          Operands operands(shape, rows);
          for (size_t i = 0; i < rows * shape.inputs; ++i) operands.x.data[i] = static_cast<float>(i % 7) - 3;
          const size_t matrix = shape.inputs * shape.outputs * format.bytes;
          const size_t matrices = std::max<size_t>(1, byte_count / matrix / (rows > 64 ? 16 : rows > 8 ? 4 : 1));
          double best = 1e9;
          for (int sample = 0; sample < samples; ++sample)
            best = std::min(best, seconds(operands, format, memory.data, matrices));
          const double operations = 2.0 * static_cast<double>(shape.inputs * shape.outputs * rows);
          std::printf("%-4s K %4zu N %4zu M %3zu: %6.1f GFLOP/s, weights %5.1f GB/s = %3.0f %% of memory\n", format.name,
                      shape.inputs, shape.outputs, rows, operations / best * 1e-9, static_cast<double>(matrix) / best * 1e-9,
                      100 * static_cast<double>(matrix) / best / read);
          std::fflush(stdout);
        }
      }
    }
  }
}
