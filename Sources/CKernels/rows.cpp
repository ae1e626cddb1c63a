#include "targets.h"

#include <math.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "rows.cpp"
#include <hwy/foreach_target.h>

#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

// Element-wise loops are left to the compiler, which vectorises them per instruction set: each
// element is one expression, contracted alike in body and tail.

void Rope(float *x, size_t x_stride, const float *cosines, const float *sines, const int32_t *position, size_t N, size_t heads,
          size_t K) {
  const size_t half = K / 2;
  for (size_t row = 0; row < N; ++row, x += x_stride) {
    const float *HWY_RESTRICT c = cosines + static_cast<size_t>(position[row]) * half;
    const float *HWY_RESTRICT s = sines + static_cast<size_t>(position[row]) * half;
    for (size_t head = 0; head < heads; ++head) {
      float *HWY_RESTRICT low = x + head * K;
      float *HWY_RESTRICT high = low + half;
      for (size_t i = 0; i < half; ++i) {
        const float a = low[i], b = high[i];
        low[i] = a * c[i] - b * s[i];
        high[i] = b * c[i] + a * s[i];
      }
    }
  }
}

void AddTo(float *HWY_RESTRICT x, const float *HWY_RESTRICT y, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] += y[i];
}

void Scale(float *x, float factor, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] *= factor;
}

void AddScaled(float *HWY_RESTRICT x, float factor, const float *HWY_RESTRICT y, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] += factor * y[i];
}

void MeanRows(const float *x, size_t x_stride, float *out, size_t N, size_t D) {
  memcpy(out, x, D * sizeof(float));
  for (size_t row = 1; row < N; ++row) AddTo(out, x + row * x_stride, D);
  const float count = static_cast<float>(N);
  for (size_t i = 0; i < D; ++i) out[i] /= count;
}

float Dot(const float *x, const float *w, size_t n) {
  const F d;
  return SumOf(n, x, [=](V v, size_t i, size_t count) HWY_ATTR { return hn::Mul(v, LoadLanes(d, w + i, count)); });
}

ptrdiff_t FirstNotFinite(const float *x, size_t n) {
  // Runs of 256 are tested without a branch; only the run that fails is searched.
  const auto not_finite = [](float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return static_cast<uint32_t>((bits & 0x7F800000u) == 0x7F800000u);
  };
  for (size_t start = 0; start < n; start += 256) {
    const size_t end = n - start < 256 ? n : start + 256;
    uint32_t found = 0;
    for (size_t i = start; i < end; ++i) found |= not_finite(x[i]);
    if (!found) continue;
    for (size_t i = start; i < end; ++i) {
      if (not_finite(x[i])) return static_cast<ptrdiff_t>(i);
    }
  }
  return -1;
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(Rope);
HWY_EXPORT(AddTo);
HWY_EXPORT(Scale);
HWY_EXPORT(AddScaled);
HWY_EXPORT(MeanRows);
HWY_EXPORT(Dot);
HWY_EXPORT(FirstNotFinite);
}  // namespace rally

using namespace rally;

extern "C" void rk_rope(float *x, size_t x_stride, const float *cosines, const float *sines, const int32_t *position, size_t N,
                        size_t heads, size_t K) {
  HWY_DYNAMIC_DISPATCH(Rope)(x, x_stride, cosines, sines, position, N, heads, K);
}

extern "C" void rk_add(float *x, const float *y, size_t n) { HWY_DYNAMIC_DISPATCH(AddTo)(x, y, n); }

extern "C" void rk_scale(float *x, float factor, size_t n) { HWY_DYNAMIC_DISPATCH(Scale)(x, factor, n); }

extern "C" void rk_scatter_add_rows(float *h, size_t h_stride, const int32_t *index, const float *gain, const float *y,
                                    size_t y_stride, size_t N, size_t D) {
  const auto add = HWY_DYNAMIC_DISPATCH(AddTo);
  const auto add_scaled = HWY_DYNAMIC_DISPATCH(AddScaled);
  for (size_t row = 0; row < N; ++row) {
    float *target = h + static_cast<size_t>(index[row]) * h_stride;
    if (gain) add_scaled(target, gain[row], y + row * y_stride, D);
    else add(target, y + row * y_stride, D);
  }
}

extern "C" void rk_gather_rows(const float *x, size_t x_stride, const int32_t *index, float *out, size_t out_stride, size_t N,
                               size_t D) {
  for (size_t row = 0; row < N; ++row) {
    memcpy(out + row * out_stride, x + static_cast<size_t>(index[row]) * x_stride, D * sizeof(float));
  }
}

extern "C" void rk_scatter_rows(const float *x, size_t x_stride, const int32_t *index, float *out, size_t out_stride, size_t N,
                                size_t D) {
  for (size_t row = 0; row < N; ++row) {
    memcpy(out + static_cast<size_t>(index[row]) * out_stride, x + row * x_stride, D * sizeof(float));
  }
}

extern "C" void rk_mean_rows(const float *x, size_t x_stride, float *out, size_t N, size_t D) {
  HWY_DYNAMIC_DISPATCH(MeanRows)(x, x_stride, out, N, D);
}

extern "C" float rk_dot(const float *x, const float *w, size_t n) { return HWY_DYNAMIC_DISPATCH(Dot)(x, w, n); }

extern "C" ptrdiff_t rk_first_not_finite(const float *x, size_t n) { return HWY_DYNAMIC_DISPATCH(FirstNotFinite)(x, n); }
#endif
