#include "targets.h"

#include "include/ckernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "disentangled.cpp"
#include <hwy/foreach_target.h>

#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

// Queries that run together: their scores and what they make of distances stay in the second-level cache.
constexpr size_t kTile = rk_disentangled_tile;

// out[r][n] = Σ_k x[r][k] · m[k][n] for R rows and two vectors of columns at a time; the sum runs over k in order,
// whatever R is and wherever a column stands.
template <size_t R>
HWY_INLINE void ProductRows(const float *HWY_RESTRICT x, size_t x_stride, const float *HWY_RESTRICT m, size_t m_stride,
                            size_t K, size_t columns, float *HWY_RESTRICT out, size_t out_stride) {
  const F d;
  const size_t N = hn::Lanes(d);
  for (size_t n = 0; n < columns; n += 2 * N) {
    const size_t low = columns - n < N ? columns - n : N;
    const size_t high = columns - n - low < N ? columns - n - low : N;
    V a[R], b[R];
    HWY_UNROLL(4)
    for (size_t r = 0; r < R; ++r) a[r] = b[r] = hn::Zero(d);
    for (size_t k = 0; k < K; ++k) {
      const float *HWY_RESTRICT row = m + k * m_stride + n;
      const V u = LoadLanes(d, row, low), v = LoadLanes(d, row + low, high);
      HWY_UNROLL(4)
      for (size_t r = 0; r < R; ++r) {
        const V s = hn::Set(d, x[r * x_stride + k]);
        a[r] = hn::MulAdd(s, u, a[r]);
        b[r] = hn::MulAdd(s, v, b[r]);
      }
    }
    HWY_UNROLL(4)
    for (size_t r = 0; r < R; ++r) {
      float *HWY_RESTRICT to = out + r * out_stride + n;
      if (high == N) {
        hn::StoreU(a[r], d, to);
        hn::StoreU(b[r], d, to + N);
      } else {
        StoreTail(d, a[r], to, low);
        StoreTail(d, b[r], to + low, high);
      }
    }
  }
}

void Product(const float *x, size_t x_stride, size_t rows, const float *m, size_t m_stride, size_t K, size_t columns,
             float *out, size_t out_stride) {
  size_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    ProductRows<4>(x + r * x_stride, x_stride, m, m_stride, K, columns, out + r * out_stride, out_stride);
  }
  for (; r < rows; ++r) {
    ProductRows<1>(x + r * x_stride, x_stride, m, m_stride, K, columns, out + r * out_stride, out_stride);
  }
}

// out[k][r] = x[r][k].
void Transpose(const float *x, size_t x_stride, size_t rows, size_t K, float *out) {
  for (size_t r = 0; r < rows; ++r) {
    for (size_t k = 0; k < K; ++k) out[k * rows + r] = x[r * x_stride + k];
  }
}

void SoftmaxRow(float *x, size_t n) {
  const F d;
  const V shift = hn::Set(d, LargestOf(x, n));
  ForEach(n, x, x, [=](V v, size_t, size_t) HWY_ATTR { return ExpOf(d, hn::Sub(v, shift)); });
  const V divisor = hn::Set(d, SumOf(n, x, [](V v, size_t, size_t) HWY_ATTR { return v; }));
  ForEach(n, x, x, [=](V v, size_t, size_t) HWY_ATTR { return hn::Div(v, divisor); });
}

void Disentangled(const float *q, const float *k, const float *v, size_t stride, size_t T, size_t K, const float *key_distances,
                  const float *query_distances, size_t distance_stride, const int32_t *buckets, float scale, float *out,
                  size_t out_stride, float *scratch) {
  const size_t first = static_cast<size_t>(buckets[0]);
  const size_t B = static_cast<size_t>(buckets[2 * T - 2]) - first + 1;
  const int32_t *at = buckets + T - 1;  // at[i - j]
  float *keys = scratch;                // [K, T]
  float *distances = keys + K * T;      // [K, B]
  float *of_keys = distances + K * B;   // [T, B], k_j · query_distances
  float *of_queries = of_keys + (query_distances != nullptr ? T * B : 0);  // [kTile, B], q_i · key_distances
  float *scores = of_queries + kTile * B;                                   // [kTile, T]
  Transpose(k, stride, T, K, keys);
  if (query_distances != nullptr) {
    Transpose(query_distances + first * distance_stride, distance_stride, B, K, distances);
    Product(k, stride, T, distances, B, K, B, of_keys, B);
  }
  if (key_distances != nullptr) {
    Transpose(key_distances + first * distance_stride, distance_stride, B, K, distances);
  }
  for (size_t start = 0; start < T; start += kTile) {
    const size_t rows = T - start < kTile ? T - start : kTile;
    Product(q + start * stride, stride, rows, keys, T, K, T, scores, T);
    if (key_distances != nullptr) Product(q + start * stride, stride, rows, distances, B, K, B, of_queries, B);
    for (size_t row = 0; row < rows; ++row) {
      float *s = scores + row * T;
      const float *mine = of_queries + row * B;
      const ptrdiff_t i = static_cast<ptrdiff_t>(start + row);
      for (size_t j = 0; j < T; ++j) {
        const size_t bucket = static_cast<size_t>(at[i - static_cast<ptrdiff_t>(j)]) - first;
        float sum = s[j];
        if (key_distances != nullptr) sum += mine[bucket];
        if (query_distances != nullptr) sum += of_keys[j * B + bucket];
        s[j] = sum * scale;
      }
      SoftmaxRow(s, T);
    }
    Product(scores, T, rows, v, stride, T, K, out + start * out_stride, out_stride);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(Disentangled);
}  // namespace rally

extern "C" size_t rk_disentangled_scratch(size_t T, size_t K, size_t buckets) {
  return K * T + K * buckets + T * buckets + rk_disentangled_tile * (buckets + T);
}

extern "C" void rk_disentangled(const float *q, const float *k, const float *v, size_t stride, size_t T, size_t K,
                                const float *key_distances, const float *query_distances, size_t distance_stride,
                                const int32_t *buckets, float scale, float *out, size_t out_stride, float *scratch) {
  using namespace rally;
  HWY_DYNAMIC_DISPATCH(Disentangled)(q, k, v, stride, T, K, key_distances, query_distances, distance_stride, buckets, scale,
                                     out, out_stride, scratch);
}
#endif
