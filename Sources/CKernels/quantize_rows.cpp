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
HWY_INLINE void QuantizeGroup(const float *HWY_RESTRICT x, const float *HWY_RESTRICT factors, size_t n,
                              int8_t *HWY_RESTRICT out, float *scale, int32_t *sum) {
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
  *sum = 0;
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
  *sum = hn::GetLane(hn::SumOfLanes(integers, sums));
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
void QuantizeWhole(const float *HWY_RESTRICT x, const float *HWY_RESTRICT factors, size_t count, int8_t *HWY_RESTRICT out,
                   float *HWY_RESTRICT scales, int32_t *HWY_RESTRICT sums) {
  const F d;
  HWY_ALIGN float most[kTogether], inverses[kTogether];
  for (float &m : most) m = 1;
  bool is_plain = true;
  for (size_t group = 0; group < count; ++group) {
    const size_t start = group * kWhole;
    const int32_t bits = LargestOfGroup(x + start, From(factors, start));
    memcpy(most + group, &bits, sizeof bits);
    is_plain &= bits < 0x7F800000 && most[group] >= 0x1p-100f;
  }
  if (!is_plain) {
    for (size_t group = 0; group < count; ++group) {
      const size_t start = group * kWhole;
      QuantizeGroup(x + start, From(factors, start), kWhole, out + start, scales + group, sums + group);
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
    const size_t start = group * kWhole;
    sums[group] = RoundGroup(x + start, From(factors, start), inverses[group], out + start);
  }
}

void QuantizeRow(const float *HWY_RESTRICT x, const float *factors, size_t K, size_t group, int8_t *HWY_RESTRICT out,
                 float *scales, int32_t *sums) {
  if (group == kWhole && K % kWhole == 0) {
    for (size_t start = 0; start < K; start += kTogether * kWhole, scales += kTogether, sums += kTogether) {
      QuantizeWhole(x + start, From(factors, start), HWY_MIN(kTogether, (K - start) / kWhole), out + start, scales, sums);
    }
    return;
  }
  for (size_t start = 0; start < K; start += group, ++scales, ++sums) {
    QuantizeGroup(x + start, From(factors, start), HWY_MIN(group, K - start), out + start, scales, sums);
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

extern "C" void rk_quantize_rows(const float *x, size_t x_stride, const float *factors, size_t group, int8_t *out,
                                 size_t out_stride, float *scales, int32_t *sums, size_t N, size_t K) {
  const auto quantize = HWY_DYNAMIC_DISPATCH(QuantizeRow);
  const size_t width = group == 0 ? K : group, groups = (K + width - 1) / width;
  for (size_t row = 0; row < N; ++row) {
    quantize(x + row * x_stride, factors, K, width, out + row * out_stride, scales + row * groups, sums + row * groups);
  }
}
#endif
