#include "targets.h"

#include <math.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "softmax.cpp"
#include <hwy/foreach_target.h>

#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

float Largest(const float *x, size_t n) { return LargestOf(x, n); }

size_t ArgMax(const float *x, size_t n) {
  const float largest = LargestOf(x, n);
  for (size_t i = 0; i < n; ++i) {
    if (x[i] == largest) return i;
  }
  return 0;
}

float SumExp(const float *x, size_t n, float shift) {
  const F d;
  const V s = hn::Set(d, shift);
  return SumOf(n, x, [=](V v, size_t, size_t count) HWY_ATTR {
    return hn::IfThenElseZero(hn::FirstN(d, count), ExpOf(d, hn::Sub(v, s)));
  });
}

float LogSumExp(const float *x, size_t n) {
  const float largest = LargestOf(x, n);
  // exp(x − largest) would be ∞ − ∞; the sum's logarithm is the infinity itself, or NaN.
  if (!(largest > -HUGE_VALF && largest < HUGE_VALF)) {
    for (size_t i = 0; i < n; ++i) {
      if (x[i] != x[i]) return x[i];
    }
    return largest;
  }
  return largest + logf(SumExp(x, n, largest));
}

void Softmax(float *x, size_t n) {
  const F d;
  const V shift = hn::Set(d, LargestOf(x, n));
  ForEach(n, x, x, [=](V v, size_t, size_t) HWY_ATTR { return ExpOf(d, hn::Sub(v, shift)); });
  const float sum = SumOf(n, x, [](V v, size_t, size_t) HWY_ATTR { return v; });
  const V divisor = hn::Set(d, sum);
  ForEach(n, x, x, [=](V v, size_t, size_t) HWY_ATTR { return hn::Div(v, divisor); });
}

float Jeffreys(const float *x, float x_shift, const float *y, float y_shift, size_t n) {
  const F d;
  const V xs = hn::Set(d, x_shift), ys = hn::Set(d, y_shift);
  return SumOf(n, x, [=](V v, size_t i, size_t count) HWY_ATTR {
    const V log_p = hn::Sub(v, xs), log_q = hn::Sub(LoadLanes(d, y + i, count), ys);
    const V term = hn::Mul(hn::Sub(ExpOf(d, log_p), ExpOf(d, log_q)), hn::Sub(log_p, log_q));
    return hn::IfThenElseZero(hn::FirstN(d, count), term);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(Largest);
HWY_EXPORT(ArgMax);
HWY_EXPORT(SumExp);
HWY_EXPORT(LogSumExp);
HWY_EXPORT(Softmax);
HWY_EXPORT(Jeffreys);
}  // namespace rally

using namespace rally;

extern "C" float rk_max(const float *x, size_t n) { return HWY_DYNAMIC_DISPATCH(Largest)(x, n); }

extern "C" size_t rk_argmax(const float *x, size_t n) { return HWY_DYNAMIC_DISPATCH(ArgMax)(x, n); }

extern "C" float rk_sum_exp(const float *x, size_t n, float shift) { return HWY_DYNAMIC_DISPATCH(SumExp)(x, n, shift); }

extern "C" float rk_log_sum_exp(const float *x, size_t n) { return HWY_DYNAMIC_DISPATCH(LogSumExp)(x, n); }

extern "C" void rk_softmax(float *x, size_t n) { HWY_DYNAMIC_DISPATCH(Softmax)(x, n); }

extern "C" float rk_jeffreys(const float *x, float x_shift, const float *y, float y_shift, size_t n) {
  return HWY_DYNAMIC_DISPATCH(Jeffreys)(x, x_shift, y, y_shift, n);
}
#endif
