// The rule of q4 weights. Plain C++, and only operations that are rounded correctly, in one order: the same bits wherever it
// is compiled, as long as products and sums are not fused, hence one operation in a statement.
#include <string.h>

#include "include/ckernels.h"

namespace {

constexpr int kGroup = rk_matmul_group, kLanes = 8;

// To nearest, ties to even, for |x| < 2^22.
inline float Rounded(float x) {
  const float shifted = x + 12582912.0f;
  return shifted - 12582912.0f;
}

inline float Bounded(float x) {
  const float below = x > 7.0f ? 7.0f : x;
  return below < -8.0f ? -8.0f : below;
}

float SumOf(const float *lanes) {
  float pairs[4];
  for (int i = 0; i < 4; ++i) pairs[i] = lanes[i] + lanes[i + 4];
  const float first = pairs[0] + pairs[2], second = pairs[1] + pairs[3];
  return first + second;
}

uint32_t BitsOf(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

// To nearest, ties to even; 65504 at most.
uint16_t HalfOf(float x) {
  const uint32_t bits = BitsOf(x), magnitude = bits & 0x7FFFFFFFu, sign = bits >> 16 & 0x8000u;
  uint32_t half;
  if (magnitude >= 0x477FF000u) {
    half = 0x7BFFu;
  } else if (magnitude < 0x38800000u) {
    // What is below 2^-14 counts steps of 2^-24, which are those of the numbers from 0.5 on.
    float absolute;
    memcpy(&absolute, &magnitude, sizeof absolute);
    half = BitsOf(absolute + 0.5f) - 0x3F000000u;
  } else {
    half = (magnitude - 0x38000000u + 0xFFFu + (magnitude >> 13 & 1u)) >> 13;
  }
  return static_cast<uint16_t>(half | sign);
}

// Σ w·q and Σ q² of w / divisor rounded.
struct Fit {
  float products, squares;
};

Fit FitOf(const float *x, float divisor) {
  const float factor = 1.0f / divisor;
  float products[kLanes] = {}, squares[kLanes] = {};
  for (int start = 0; start < kGroup; start += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const float scaled = x[start + lane] * factor;
      const float q = Rounded(Bounded(scaled));
      const float product = x[start + lane] * q;
      const float square = q * q;
      products[lane] += product;
      squares[lane] += square;
    }
  }
  return {SumOf(products), SumOf(squares)};
}

// Of all scales that are tried, that whose rounded numbers leave the least squares: Σ w² − (Σ w·q)² / Σ q².
float BestScale(const float *x, float most) {
  float best = 0.0f, scale = most / -8.0f;
  for (int i = 0; i < 24; ++i) {
    const float excess = 0.2f * static_cast<float>(i / 2);
    const float steps = 6.8f + excess;
    const Fit fit = FitOf(x, (i % 2 == 0 ? -most : most) / steps);
    if (!(fit.squares > 0.0f)) continue;
    const float slope = fit.products / fit.squares;
    const float gain = slope * fit.products;
    if (gain > best) {
      best = gain;
      scale = slope;
    }
  }
  return scale;
}

}  // namespace

extern "C" void rk_f32_to_f16(const float *x, uint16_t *out, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = HalfOf(x[i]);
}

extern "C" float rk_q4_scale(const float *x) {
  float most = 0.0f, magnitude = 0.0f;
  for (int i = 0; i < kGroup; ++i) {
    const float own = x[i] < 0.0f ? -x[i] : x[i];
    if (own > magnitude) {
      magnitude = own;
      most = x[i];
    }
  }
  if (magnitude == 0.0f) return 1.0f;
  // Squares of what is tiny or huge would vanish or overflow: its scale is that of the largest alone.
  const bool is_common = magnitude > 0x1p-40f && magnitude < 0x1p40f;
  uint16_t half = HalfOf(is_common ? BestScale(x, most) : most / -8.0f);
  if ((half & 0x7FFFu) == 0) half = static_cast<uint16_t>(half | 1u);
  float scale;
  rk_f16_to_f32(&half, &scale, 1);
  return scale;
}

extern "C" void rk_q4_round(const float *x, float scale, int8_t *out) {
  for (int i = 0; i < kGroup; ++i) out[i] = static_cast<int8_t>(Rounded(Bounded(x[i] / scale)));
}

extern "C" void rk_q4_store(const int8_t *x, uint8_t *out) {
  for (int i = 0; i < kGroup / 2; ++i) {
    out[i] = static_cast<uint8_t>((x[i] + 8) | (x[i + kGroup / 2] + 8) << 4);
  }
}

extern "C" void rk_q4_load(const uint8_t *x, float scale, float *out) {
  for (int i = 0; i < kGroup / 2; ++i) {
    out[i] = static_cast<float>((x[i] & 0x0F) - 8) * scale;
    out[i + kGroup / 2] = static_cast<float>((x[i] >> 4) - 8) * scale;
  }
}
