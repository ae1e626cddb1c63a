#include "targets.h"

#include <math.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convert.cpp"
#include <hwy/foreach_target.h>

#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

// Integer loops without branches: the compiler vectorises them for each instruction set.

HWY_INLINE float FromBits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

void FromBf16(const uint16_t *HWY_RESTRICT x, float *HWY_RESTRICT out, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = FromBits(static_cast<uint32_t>(x[i]) << 16);
}

void FromF16(const uint16_t *HWY_RESTRICT x, float *HWY_RESTRICT out, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const uint32_t bits = x[i];
    // Exponent and mantissa in f32's places are 2^112 too small, subnormals included: the exponent
    // biases are 127 and 15. The product is exact.
    const float magnitude = FromBits((bits & 0x7FFFu) << 13) * 0x1p112f;
    uint32_t result;
    memcpy(&result, &magnitude, sizeof result);
    const uint32_t infinite = (bits & 0x7C00u) == 0x7C00u ? 0x7F800000u : 0u;
    out[i] = FromBits(result | infinite | (bits & 0x8000u) << 16);
  }
}

void ToBf16(const float *HWY_RESTRICT x, uint16_t *HWY_RESTRICT out, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    const uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    const uint32_t quiet = bits >> 16 | 0x40u;
    out[i] = static_cast<uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
  }
}

float LargestMagnitude(const float *HWY_RESTRICT x, size_t n) {
  const F d;
  const size_t N = hn::Lanes(d);
  V largest = hn::Zero(d);
  size_t i = 0;
  for (; i + N <= n; i += N) largest = hn::Max(largest, hn::Abs(hn::LoadU(d, x + i)));
  if (i < n) largest = hn::Max(largest, hn::Abs(LoadTail(d, x + i, n - i)));
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

float QuantizeRow(const float *HWY_RESTRICT x, int8_t *HWY_RESTRICT out, size_t n) {
  const F d;
  const hn::Rebind<int8_t, F> narrow;
  const size_t N = hn::Lanes(d);
  const float fraction = LargestMagnitude(x, n) / 127.0f;
  const float scale = fraction > 0.0f ? fraction : 1.0f;
  const V divisor = hn::Set(d, scale), bound = hn::Set(d, 127.0f);
  // A subnormal scale has few digits: the quotient may lie beyond 127.
  const auto quantize = [&](V v) {
    const V quotient = hn::Max(hn::Neg(bound), hn::Min(bound, hn::Div(v, divisor)));
    return hn::DemoteTo(narrow, hn::NearestInt(quotient));
  };
  size_t i = 0;
  for (; i + N <= n; i += N) hn::StoreU(quantize(hn::LoadU(d, x + i)), narrow, out + i);
  if (i < n) {
    HWY_ALIGN int8_t lanes[HWY_MAX_BYTES / sizeof(float)];
    hn::Store(quantize(LoadTail(d, x + i, n - i)), narrow, lanes);
    memcpy(out + i, lanes, n - i);
  }
  return scale;
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(FromBf16);
HWY_EXPORT(FromF16);
HWY_EXPORT(ToBf16);
HWY_EXPORT(QuantizeRow);
}  // namespace rally

using namespace rally;

extern "C" void rk_bf16_to_f32(const uint16_t *x, float *out, size_t n) { HWY_DYNAMIC_DISPATCH(FromBf16)(x, out, n); }

extern "C" void rk_f16_to_f32(const uint16_t *x, float *out, size_t n) { HWY_DYNAMIC_DISPATCH(FromF16)(x, out, n); }

extern "C" void rk_f32_to_bf16(const float *x, uint16_t *out, size_t n) { HWY_DYNAMIC_DISPATCH(ToBf16)(x, out, n); }

extern "C" float rk_quantize_row(const float *x, int8_t *out, size_t n) { return HWY_DYNAMIC_DISPATCH(QuantizeRow)(x, out, n); }
#endif
