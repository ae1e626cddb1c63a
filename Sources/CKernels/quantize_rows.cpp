#include "targets.h"

#include <math.h>
#include <string.h>

#include "include/ckernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quantize_rows.cpp"
#include <hwy/foreach_target.h>

#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

// The factors from the i-th on, if there are any.
HWY_INLINE const float *From(const float *factors, size_t i) { return factors == nullptr ? nullptr : factors + i; }

// A vector of x from the i-th on, times its factors.
HWY_INLINE V LoadScaled(F d, const float *HWY_RESTRICT x, const float *HWY_RESTRICT factors, size_t i) {
  const V v = hn::LoadU(d, x + i);
  return factors == nullptr ? v : hn::Mul(v, hn::LoadU(d, factors + i));
}

// out[0 ..< n] = x · factors / scale, to nearest, ties to even, zeros up to a multiple of four. `factors` may be null.
HWY_INLINE void QuantizeGroup(const float *HWY_RESTRICT x, const float *HWY_RESTRICT factors, size_t n, int32_t zero,
                              int8_t *HWY_RESTRICT out, float *scale, int32_t *start) {
  const F d;
  const hn::RebindToSigned<F> integers;
  const hn::Rebind<int8_t, F> narrow;
  const size_t N = hn::Lanes(d);
  // Magnitudes are ordered as their bits are, and what is not finite lies above.
  const auto magnitude = hn::Set(integers, 0x7FFFFFFF);
  auto largest = hn::Zero(integers);
  const auto take = [&](V v) { largest = hn::Max(largest, hn::And(hn::BitCast(integers, v), magnitude)); };
  const auto load_tail = [&](size_t i) {
    const V v = LoadTail(d, x + i, n - i);
    return factors == nullptr ? v : hn::Mul(v, LoadTail(d, factors + i, n - i));
  };
  size_t i = 0;
  for (; i + N <= n; i += N) take(LoadScaled(d, x, factors, i));
  if (i < n) take(load_tail(i));
  const int32_t bits = hn::GetLane(hn::MaxOfLanes(integers, largest));
  float most;
  memcpy(&most, &bits, sizeof most);

  const bool is_finite = bits < 0x7F800000;
  // Below 2^-100 the factor would overflow; what is so small counts as zero.
  const bool is_zero = !is_finite || most < 0x1p-100f;
  *scale = is_finite ? (is_zero ? 0.0f : most / 127.0f) : NAN;
  *start = 0;
  if (n % 4 != 0) memset(out + n / 4 * 4, 0, 4);
  if (is_zero) {
    memset(out, 0, n);
    return;
  }
  const V factor = hn::Set(d, 127.0f / most);
  auto sums = hn::Zero(integers);
  const auto quantize = [&](V v) {
    const auto rounded = hn::NearestInt(hn::Mul(v, factor));
    sums = hn::Add(sums, rounded);
    return hn::DemoteTo(narrow, rounded);
  };
  for (i = 0; i + N <= n; i += N) hn::StoreU(quantize(LoadScaled(d, x, factors, i)), narrow, out + i);
  if (i < n) {
    HWY_ALIGN int8_t lanes[HWY_MAX_BYTES / sizeof(float)];
    hn::Store(quantize(load_tail(i)), narrow, lanes);
    memcpy(out + i, lanes, n - i);
  }
  *start = -zero * hn::GetLane(hn::SumOfLanes(integers, sums));
}

// Groups of `kWhole` that are quantised together, so that their scales are divided at once.
constexpr size_t kWhole = rk_matmul_group, kTogether = 16;

// The largest magnitude of a whole group, as bits.
HWY_INLINE int32_t LargestOfGroup(const float *HWY_RESTRICT x, const float *HWY_RESTRICT factors) {
  const F d;
  const hn::RebindToSigned<F> integers;
  const size_t N = HWY_MIN(hn::Lanes(d), kWhole);
  auto largest = hn::Zero(integers);
  for (size_t i = 0; i < kWhole; i += N) {
    largest = hn::Max(largest, hn::BitCast(integers, hn::Abs(LoadScaled(d, x, factors, i))));
  }
  return hn::GetLane(hn::MaxOfLanes(integers, largest));
}

// Returns the sum of the integers.
HWY_INLINE int32_t RoundGroup(const float *HWY_RESTRICT x, const float *HWY_RESTRICT factors, float factor,
                              int8_t *HWY_RESTRICT out) {
  const F d;
  const hn::RebindToSigned<F> integers;
  const hn::Rebind<int8_t, F> narrow;
  const size_t N = HWY_MIN(hn::Lanes(d), kWhole);
  auto sums = hn::Zero(integers);
  for (size_t i = 0; i < kWhole; i += N) {
    const auto rounded = hn::NearestInt(hn::Mul(LoadScaled(d, x, factors, i), hn::Set(d, factor)));
    sums = hn::Add(sums, rounded);
    hn::StoreU(hn::DemoteTo(narrow, rounded), narrow, out + i);
  }
  return hn::GetLane(hn::SumOfLanes(integers, sums));
}

// `QuantizeGroup` of `count` ≤ kTogether whole groups.
void QuantizeWhole(const float *HWY_RESTRICT x, const float *HWY_RESTRICT factors, size_t count, int32_t zero,
                   int8_t *HWY_RESTRICT out, float *HWY_RESTRICT scales, int32_t *HWY_RESTRICT starts) {
  const F d;
  HWY_ALIGN float most[kTogether], inverses[kTogether];
  for (float &m : most) m = 1;
  bool is_plain = true;
  for (size_t group = 0; group < count; ++group) {
    const size_t first = group * kWhole;
    const int32_t bits = LargestOfGroup(x + first, From(factors, first));
    memcpy(most + group, &bits, sizeof bits);
    is_plain &= bits < 0x7F800000 && most[group] >= 0x1p-100f;
  }
  if (!is_plain) {
    for (size_t group = 0; group < count; ++group) {
      const size_t first = group * kWhole;
      QuantizeGroup(x + first, From(factors, first), kWhole, zero, out + first, scales + group, starts + group);
    }
    return;
  }
  const V bound = hn::Set(d, 127.0f);
  for (size_t i = 0; i < kTogether; i += hn::Lanes(d)) {
    const V largest = hn::Load(d, most + i);
    hn::Store(hn::Div(bound, largest), d, inverses + i);
    hn::Store(hn::Div(largest, bound), d, most + i);
  }
  memcpy(scales, most, count * sizeof(float));
  for (size_t group = 0; group < count; ++group) {
    const size_t first = group * kWhole;
    starts[group] = -zero * RoundGroup(x + first, From(factors, first), inverses[group], out + first);
  }
}

void QuantizeRow(const float *HWY_RESTRICT x, const float *factors, size_t K, size_t group, int32_t zero,
                 int8_t *HWY_RESTRICT out, float *scales, int32_t *starts) {
  if (group == kWhole && K % kWhole == 0) {
    for (size_t k = 0; k < K; k += kTogether * kWhole, scales += kTogether, starts += kTogether) {
      QuantizeWhole(x + k, From(factors, k), HWY_MIN(kTogether, (K - k) / kWhole), zero, out + k, scales, starts);
    }
    return;
  }
  for (size_t k = 0; k < K; k += group, ++scales, ++starts) {
    QuantizeGroup(x + k, From(factors, k), HWY_MIN(group, K - k), zero, out + k, scales, starts);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(QuantizeRow);
}  // namespace rally

using namespace rally;

extern "C" void rk_quantize_rows(const float *x, size_t x_stride, const float *factors, size_t group, int32_t zero, int8_t *out,
                                 size_t out_stride, float *scales, int32_t *starts, size_t N, size_t K) {
  const auto quantize = HWY_DYNAMIC_DISPATCH(QuantizeRow);
  const size_t width = group == 0 ? K : group, groups = (K + width - 1) / width;
  for (size_t row = 0; row < N; ++row) {
    quantize(x + row * x_stride, factors, K, width, zero, out + row * out_stride, scales + row * groups, starts + row * groups);
  }
}
#endif
