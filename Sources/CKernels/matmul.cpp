#include "targets.h"

#include <math.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul.cpp"
#include <hwy/foreach_target.h>

#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

constexpr size_t kColumns = rk_matmul_columns;

// Vectors per panel, from the instruction set's width (scalable ones count as 128 bits).
constexpr size_t kVectors =
    HWY_LANES(float) >= kColumns ? 1 : kColumns / HWY_LANES(float);

// Rows at a time: rows × vectors accumulators, twelve where there are 16 registers (the rest hold
// weights and a broadcast), twelve too where there are 32, enough for a latency of 4 on two units.
constexpr size_t kRows = 12 / kVectors;

// y[0 ..< R] = x[0 ..< R] · panel, panel [K, 16].
template <size_t R>
HWY_INLINE void Tile(const float *HWY_RESTRICT x, size_t x_stride, const float *HWY_RESTRICT panel,
                     float *HWY_RESTRICT y, size_t y_stride, size_t columns, size_t K) {
  const hn::CappedTag<float, kColumns> d;
  using W = hn::Vec<decltype(d)>;
  const size_t N = hn::Lanes(d);
  W sum[R][kVectors];
  for (size_t r = 0; r < R; ++r) {
    for (size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::Zero(d);
  }
  for (size_t k = 0; k < K; ++k, panel += kColumns) {
    W weight[kVectors];
    for (size_t v = 0; v < kVectors; ++v) weight[v] = hn::LoadU(d, panel + v * N);
    for (size_t r = 0; r < R; ++r) {
      const W element = hn::Set(d, x[r * x_stride + k]);
      for (size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(element, weight[v], sum[r][v]);
    }
  }
  for (size_t r = 0; r < R; ++r) {
    if (columns == kColumns) {
      for (size_t v = 0; v < kVectors; ++v) hn::StoreU(sum[r][v], d, y + r * y_stride + v * N);
    } else {
      float all[kColumns];
      for (size_t v = 0; v < kVectors; ++v) hn::StoreU(sum[r][v], d, all + v * N);
      memcpy(y + r * y_stride, all, columns * sizeof(float));
    }
  }
}

template <size_t R>
HWY_INLINE void Rest(const float *x, size_t x_stride, const float *panel, float *y, size_t y_stride,
                     size_t rows, size_t columns, size_t K) {
  if (rows == R) return Tile<R>(x, x_stride, panel, y, y_stride, columns, K);
  if constexpr (R > 1) Rest<R - 1>(x, x_stride, panel, y, y_stride, rows, columns, K);
}

void MatMul(const float *x, size_t x_stride, const float *packed, float *y, size_t y_stride,
            size_t M, size_t n, size_t K) {
  for (size_t column = 0; column < n; column += kColumns, packed += K * kColumns) {
    const size_t columns = n - column < kColumns ? n - column : kColumns;
    size_t row = 0;
    for (; row + kRows <= M; row += kRows) {
      Tile<kRows>(x + row * x_stride, x_stride, packed, y + row * y_stride + column, y_stride,
                  columns, K);
    }
    if (row < M) {
      Rest<kRows>(x + row * x_stride, x_stride, packed, y + row * y_stride + column, y_stride,
                  M - row, columns, K);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(MatMul);
}  // namespace rally

extern "C" void rk_matmul_pack(const float *weight, size_t n, size_t K, float *out) {
  for (size_t column = 0; column < n; column += rk_matmul_columns) {
    for (size_t k = 0; k < K; ++k) {
      for (size_t j = 0; j < rk_matmul_columns; ++j) {
        *out++ = column + j < n ? weight[(column + j) * K + k] : 0.0f;
      }
    }
  }
}

extern "C" void rk_matmul(const float *x, size_t x_stride, const float *packed, float *y,
                          size_t y_stride, size_t M, size_t n, size_t K) {
  using namespace rally;
  HWY_DYNAMIC_DISPATCH(MatMul)(x, x_stride, packed, y, y_stride, M, n, K);
}
#endif
