#include "targets.h"

#include <math.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "activation.cpp"
#include <hwy/foreach_target.h>

#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

// 1 / (1 + exp(−x)).
struct Sigmoid {
  HWY_INLINE V operator()(F d, V x) const {
    const V one = hn::Set(d, 1.0f);
    return hn::Div(one, hn::Add(one, ExpOf(d, hn::Neg(x))));
  }
};

struct Silu {
  HWY_INLINE V operator()(F d, V x) const {
    return hn::Div(x, hn::Add(hn::Set(d, 1.0f), ExpOf(d, hn::Neg(x))));
  }
};

struct Tanh {
  HWY_INLINE V operator()(F d, V x) const {
    return hn::IfThenElse(hn::IsNaN(x), x, hn::Tanh(d, x));
  }
};

// erf(x) = x·P(x²)/Q(x²) on |x| ≤ 4, where f32 rounds it to ±1 outside: the rational minimax
// approximation published with Eigen, at most 4e-7 from erf.
HWY_INLINE V ErfOf(F d, V x) {
  const V bounded = hn::Max(hn::Set(d, -4.0f), hn::Min(hn::Set(d, 4.0f), x));
  const V t = hn::Mul(bounded, bounded);
  V p = hn::Set(d, -2.72614225801306e-10f);
  p = hn::MulAdd(p, t, hn::Set(d, 2.77068142495902e-08f));
  p = hn::MulAdd(p, t, hn::Set(d, -2.10102402082508e-06f));
  p = hn::MulAdd(p, t, hn::Set(d, -5.69250639462346e-05f));
  p = hn::MulAdd(p, t, hn::Set(d, -7.34990630326855e-04f));
  p = hn::MulAdd(p, t, hn::Set(d, -2.95459980854025e-03f));
  p = hn::MulAdd(p, t, hn::Set(d, -1.60960333262415e-02f));
  V q = hn::Set(d, -1.45660718464996e-05f);
  q = hn::MulAdd(q, t, hn::Set(d, -2.13374055278905e-04f));
  q = hn::MulAdd(q, t, hn::Set(d, -1.68282697438203e-03f));
  q = hn::MulAdd(q, t, hn::Set(d, -7.37332916720468e-03f));
  q = hn::MulAdd(q, t, hn::Set(d, -1.42647390514189e-02f));
  const V erf = hn::Div(hn::Mul(bounded, p), q);
  return hn::Max(hn::Set(d, -1.0f), hn::Min(hn::Set(d, 1.0f), erf));
}

struct Gelu {
  HWY_INLINE V operator()(F d, V x) const {
    const V half = hn::Mul(hn::Set(d, 0.5f), x);
    const V erf = ErfOf(d, hn::Mul(x, hn::Set(d, 0.70710678118654752f)));
    return hn::Mul(half, hn::Add(hn::Set(d, 1.0f), erf));
  }
};

struct GeluTanh {
  HWY_INLINE V operator()(F d, V x) const {
    const V half = hn::Mul(hn::Set(d, 0.5f), x);
    const V cubic = hn::MulAdd(hn::Mul(hn::Mul(x, x), x), hn::Set(d, 0.044715f), x);
    const V inner = hn::Mul(hn::Set(d, 0.79788456080286536f), cubic);
    return hn::Mul(half, hn::Add(hn::Set(d, 1.0f), hn::Tanh(d, inner)));
  }
};

struct Relu {
  HWY_INLINE V operator()(F d, V x) const {
    return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
  }
};

template <class Function>
void Activate(float *x, size_t x_stride, size_t N, size_t D) {
  const F d;
  for (size_t row = 0; row < N; ++row, x += x_stride) {
    ForEach(D, x, x, [=](V v, size_t, size_t) HWY_ATTR { return Function()(d, v); });
  }
}

template <class Function>
void Gated(const float *x, size_t x_stride, float *out, size_t out_stride, size_t N, size_t F_) {
  const F d;
  for (size_t row = 0; row < N; ++row, x += x_stride, out += out_stride) {
    const float *up = x + F_;
    ForEach(F_, x, out, [=](V gate, size_t i, size_t count) HWY_ATTR {
      return hn::Mul(Function()(d, gate), LoadLanes(d, up + i, count));
    });
  }
}

void ActivateAny(rk_activation f, float *x, size_t x_stride, size_t N, size_t D) {
  switch (f) {
    case rk_silu: return Activate<Silu>(x, x_stride, N, D);
    case rk_gelu: return Activate<Gelu>(x, x_stride, N, D);
    case rk_gelu_tanh: return Activate<GeluTanh>(x, x_stride, N, D);
    case rk_relu: return Activate<Relu>(x, x_stride, N, D);
    case rk_tanh: return Activate<Tanh>(x, x_stride, N, D);
    case rk_sigmoid: return Activate<Sigmoid>(x, x_stride, N, D);
  }
}

void GatedAny(rk_activation f, const float *x, size_t x_stride, float *out, size_t out_stride,
              size_t N, size_t D) {
  switch (f) {
    case rk_silu: return Gated<Silu>(x, x_stride, out, out_stride, N, D);
    case rk_gelu: return Gated<Gelu>(x, x_stride, out, out_stride, N, D);
    case rk_gelu_tanh: return Gated<GeluTanh>(x, x_stride, out, out_stride, N, D);
    case rk_relu: return Gated<Relu>(x, x_stride, out, out_stride, N, D);
    case rk_tanh: return Gated<Tanh>(x, x_stride, out, out_stride, N, D);
    case rk_sigmoid: return Gated<Sigmoid>(x, x_stride, out, out_stride, N, D);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(ActivateAny);
HWY_EXPORT(GatedAny);
}  // namespace rally

extern "C" void rk_activate(rk_activation f, float *x, size_t x_stride, size_t N, size_t D) {
  using namespace rally;
  HWY_DYNAMIC_DISPATCH(ActivateAny)(f, x, x_stride, N, D);
}

extern "C" void rk_activate_gated(rk_activation f, const float *x, size_t x_stride, float *out,
                                  size_t out_stride, size_t N, size_t F) {
  using namespace rally;
  HWY_DYNAMIC_DISPATCH(GatedAny)(f, x, x_stride, out, out_stride, N, F);
}
#endif
