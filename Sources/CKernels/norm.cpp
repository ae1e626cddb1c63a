#include "targets.h"

#include <math.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "norm.cpp"
#include <hwy/foreach_target.h>

#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

void RmsNorm(const float *x, size_t x_stride, const float *weight, float eps, float *out, size_t out_stride, size_t N,
             size_t D) {
  const F d;
  for (size_t row = 0; row < N; ++row, x += x_stride, out += out_stride) {
    const float squares = SumOf(D, x, [](V v, size_t, size_t) HWY_ATTR { return hn::Mul(v, v); });
    const V inverse = hn::Set(d, 1.0f / sqrtf(squares / static_cast<float>(D) + eps));
    ForEach(D, x, out, [=](V v, size_t i, size_t count) HWY_ATTR {
      return hn::Mul(LoadLanes(d, weight + i, count), hn::Mul(v, inverse));
    });
  }
}

void LayerNorm(const float *x, size_t x_stride, const float *weight, const float *bias, float eps, float *out,
               size_t out_stride, size_t N, size_t D) {
  const F d;
  for (size_t row = 0; row < N; ++row, x += x_stride, out += out_stride) {
    const float sum = SumOf(D, x, [](V v, size_t, size_t) HWY_ATTR { return v; });
    const V mean = hn::Set(d, sum / static_cast<float>(D));
    const float squares = SumOf(D, x, [=](V v, size_t, size_t count) HWY_ATTR {
      const V centred = hn::Sub(v, mean);
      return hn::IfThenElseZero(hn::FirstN(d, count), hn::Mul(centred, centred));
    });
    const V inverse = hn::Set(d, 1.0f / sqrtf(squares / static_cast<float>(D) + eps));
    ForEach(D, x, out, [=](V v, size_t i, size_t count) HWY_ATTR {
      const V scaled = hn::Mul(hn::Mul(hn::Sub(v, mean), inverse), LoadLanes(d, weight + i, count));
      return bias ? hn::Add(scaled, LoadLanes(d, bias + i, count)) : scaled;
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(RmsNorm);
HWY_EXPORT(LayerNorm);
}  // namespace rally

extern "C" void rk_rms_norm(const float *x, size_t x_stride, const float *weight, float eps, float *out, size_t out_stride,
                            size_t N, size_t D) {
  using namespace rally;
  HWY_DYNAMIC_DISPATCH(RmsNorm)(x, x_stride, weight, eps, out, out_stride, N, D);
}

extern "C" void rk_layer_norm(const float *x, size_t x_stride, const float *weight, const float *bias, float eps, float *out,
                              size_t out_stride, size_t N, size_t D) {
  using namespace rally;
  HWY_DYNAMIC_DISPATCH(LayerNorm)(x, x_stride, weight, bias, eps, out, out_stride, N, D);
}
#endif
