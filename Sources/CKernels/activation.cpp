#include "targets.h"

#include <math.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "activation.cpp"
#include <hwy/foreach_target.h>

#include "vector-inl.h"

// Every activation: its name in model files, and the function below. A new one is a function and a line here.
#define RALLY_ACTIVATIONS(_) \
  _("silu", Silu)            \
  _("gelu", Gelu)            \
  _("gelu_tanh", GeluTanh)   \
  _("relu", Relu)            \
  _("relu2", ReluSquared)    \
  _("tanh", Tanh)            \
  _("sigmoid", Sigmoid)

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

// 1 / (1 + exp(−x)), times `factor`: with exp of what is negative, the larger of both sides is 1.
HWY_INLINE V TimesSigmoid(F d, V factor, V x) {
  const V one = hn::Set(d, 1.0f);
  const V decay = ExpOfNegative(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::Mul(factor, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), decay, one)), hn::Add(one, decay));
}

struct Sigmoid {
  HWY_INLINE V operator()(F d, V x) const { return TimesSigmoid(d, hn::Set(d, 1.0f), x); }
};

struct Silu {
  HWY_INLINE V operator()(F d, V x) const { return TimesSigmoid(d, x, x); }
};

struct Tanh {
  HWY_INLINE V operator()(F d, V x) const { return hn::IfThenElse(hn::IsNaN(x), x, hn::Tanh(d, x)); }
};

// x · Φ(x) = x − x·e for x ≥ 0 and x·e below, where e = erfc(|x|/√2) / 2 keeps its relative precision
// in the tail. erfc(z) = exp(−z²) · t · P(t) with t = 1/(1 + 0.4 z): the form of Abramowitz & Stegun
// 7.1.26, P refitted to degree 7 (least squares at Chebyshev points of 0 ≤ z ≤ 7). Within
// 2e-7 + 1 ulp of the exact function. [ours]
struct Gelu {
  HWY_INLINE V operator()(F d, V x) const {
    const V z = hn::Mul(hn::Abs(x), hn::Set(d, 0.70710678118654752f));
    const V t = hn::Div(hn::Set(d, 1.0f), hn::MulAdd(z, hn::Set(d, 0.4f), hn::Set(d, 1.0f)));
    V p = hn::Set(d, 0.06763778934f);
    p = hn::MulAdd(p, t, hn::Set(d, -0.3634682034f));
    p = hn::MulAdd(p, t, hn::Set(d, 0.62369667f));
    p = hn::MulAdd(p, t, hn::Set(d, -0.3098848901f));
    p = hn::MulAdd(p, t, hn::Set(d, 0.3693562564f));
    p = hn::MulAdd(p, t, hn::Set(d, 0.1537778361f));
    p = hn::MulAdd(p, t, hn::Set(d, 0.2337152272f));
    p = hn::MulAdd(p, t, hn::Set(d, 0.2251692568f));
    // Bounded, so that an infinite x times a decay of zero is zero.
    const V bounded = hn::Max(hn::Set(d, -15.0f), hn::Min(hn::Set(d, 15.0f), x));
    const V decay = ExpOfNegative(d, hn::Mul(hn::Mul(x, x), hn::Set(d, -0.5f)));
    const V tail = hn::Mul(bounded, hn::Mul(hn::Set(d, 0.5f), hn::Mul(decay, hn::Mul(t, p))));
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(x, tail));
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
  HWY_INLINE V operator()(F d, V x) const { return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x); }
};

// The square of the positive part: Primer, Nemotron, Arcee. [arXiv 2109.08668]
struct ReluSquared {
  HWY_INLINE V operator()(F d, V x) const {
    const V positive = Relu()(d, x);
    return hn::Mul(positive, positive);
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
    ForEach(F_, x, out,
            [=](V gate, size_t i, size_t count) HWY_ATTR { return hn::Mul(Function()(d, gate), LoadLanes(d, up + i, count)); });
  }
}

struct Activation {
  void (*activate)(float *x, size_t x_stride, size_t N, size_t D);
  void (*gated)(const float *x, size_t x_stride, float *out, size_t out_stride, size_t N, size_t F_);
};

#define RALLY_FUNCTIONS(name, Function) {Activate<Function>, Gated<Function>},
constexpr Activation kActivations[] = {RALLY_ACTIVATIONS(RALLY_FUNCTIONS)};
#undef RALLY_FUNCTIONS

void ActivateAny(size_t f, float *x, size_t x_stride, size_t N, size_t D) { kActivations[f].activate(x, x_stride, N, D); }

void GatedAny(size_t f, const float *x, size_t x_stride, float *out, size_t out_stride, size_t N, size_t F_) {
  kActivations[f].gated(x, x_stride, out, out_stride, N, F_);
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(ActivateAny);
HWY_EXPORT(GatedAny);
}  // namespace rally

#define RALLY_NAME(name, Function) name,
static constexpr const char *kNames[] = {RALLY_ACTIVATIONS(RALLY_NAME)};

extern "C" size_t rk_activation_count(void) { return sizeof kNames / sizeof kNames[0]; }

extern "C" const char *rk_activation_name(size_t f) { return kNames[f]; }

extern "C" void rk_activate(size_t f, float *x, size_t x_stride, size_t N, size_t D) {
  using namespace rally;
  HWY_DYNAMIC_DISPATCH(ActivateAny)(f, x, x_stride, N, D);
}

extern "C" void rk_activate_gated(size_t f, const float *x, size_t x_stride, float *out, size_t out_stride, size_t N,
                                  size_t F) {
  using namespace rally;
  HWY_DYNAMIC_DISPATCH(GatedAny)(f, x, x_stride, out, out_stride, N, F);
}
#endif
