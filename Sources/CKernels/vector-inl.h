// What the kernels share, compiled once per instruction set.
#if defined(RALLY_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RALLY_VECTOR_INL_H_
#undef RALLY_VECTOR_INL_H_
#else
#define RALLY_VECTOR_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using V = hn::Vec<F>;

// The first `count` < Lanes(d) floats at p, zeros after them. Reads nothing past them, and gives
// the tail of a row the same arithmetic as its body.
HWY_INLINE V LoadTail(F d, const float *HWY_RESTRICT p, size_t count) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)] = {};
  for (size_t i = 0; i < count; ++i) lanes[i] = p[i];
  return hn::Load(d, lanes);
}

HWY_INLINE void StoreTail(F d, V v, float *HWY_RESTRICT p, size_t count) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, d, lanes);
  for (size_t i = 0; i < count; ++i) p[i] = lanes[i];
}

// Σ f(x[i], i) with four accumulators; lane and accumulator depend on i alone. `f` must map the
// zeros after a tail to zero, or mask them: it is told how many lanes count.
template <class Term>
HWY_INLINE float SumOf(size_t n, const float *HWY_RESTRICT x, Term term) {
  const F d;
  const size_t N = hn::Lanes(d);
  V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + 4 * N <= n; i += 4 * N) {
    s0 = hn::Add(s0, term(hn::LoadU(d, x + i), i, N));
    s1 = hn::Add(s1, term(hn::LoadU(d, x + i + N), i + N, N));
    s2 = hn::Add(s2, term(hn::LoadU(d, x + i + 2 * N), i + 2 * N, N));
    s3 = hn::Add(s3, term(hn::LoadU(d, x + i + 3 * N), i + 3 * N, N));
  }
  for (; i + N <= n; i += N) s0 = hn::Add(s0, term(hn::LoadU(d, x + i), i, N));
  if (i < n) s1 = hn::Add(s1, term(LoadTail(d, x + i, n - i), i, n - i));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
}

// out[i] = f(x[i], i): one element's arithmetic is the same in body and tail. out may alias x.
template <class Map>
HWY_INLINE void ForEach(size_t n, const float *x, float *out, Map map) {
  const F d;
  const size_t N = hn::Lanes(d);
  size_t i = 0;
  for (; i + N <= n; i += N) hn::StoreU(map(hn::LoadU(d, x + i), i, N), d, out + i);
  if (i < n) StoreTail(d, map(LoadTail(d, x + i, n - i), i, n - i), out + i, n - i);
}

// Loads lanes i ..< i+count of a second operand inside `SumOf` and `ForEach`.
HWY_INLINE V LoadLanes(F d, const float *HWY_RESTRICT p, size_t count) {
  return count == hn::Lanes(d) ? hn::LoadU(d, p) : LoadTail(d, p, count);
}

// exp(x), 1 ulp; +infinity above 88.7, 0 below −104, NaN for NaN.
HWY_INLINE V ExpOf(F d, V x) {
  const V bounded = hn::Min(hn::Set(d, 104.0f), x);
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, bounded));
}

// exp(x) for x ≤ 0; 0 below −87, NaN for NaN. 2^x = 2^n · 2^f with n the nearest integer and Cephes'
// polynomial for 2^f; within 2 ulp near 0, and 2^−24 · |x| relative further down. Less than half the work of `ExpOf`.
HWY_INLINE V ExpOfNegative(F d, V x) {
  const hn::RebindToSigned<F> di;
  const V t = hn::Mul(x, hn::Set(d, 1.44269504f));
  const V n = hn::Round(t);
  const V f = hn::Sub(t, n);
  V p = hn::Set(d, 1.535336188319500e-4f);
  p = hn::MulAdd(p, f, hn::Set(d, 1.339887440266574e-3f));
  p = hn::MulAdd(p, f, hn::Set(d, 9.618437357674640e-3f));
  p = hn::MulAdd(p, f, hn::Set(d, 5.550332471162809e-2f));
  p = hn::MulAdd(p, f, hn::Set(d, 2.402264791363012e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, 6.931472028550421e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  // The exponent of p grows by n. Outside of the range any number may come out of this.
  const V power = hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::ConvertTo(di, n))));
  const V weight = hn::IfThenElse(hn::IsNaN(x), x, power);
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.0f)), weight);
}

// The largest element, NaN ignored; −infinity when there is none.
HWY_INLINE float LargestOf(const float *HWY_RESTRICT x, size_t n) {
  const F d;
  const size_t N = hn::Lanes(d);
  const float lowest = -HUGE_VALF;
  V m0 = hn::Set(d, lowest), m1 = m0;
  size_t i = 0;
  for (; i + 2 * N <= n; i += 2 * N) {
    const V a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + i + N);
    m0 = hn::IfThenElse(hn::Gt(a, m0), a, m0);
    m1 = hn::IfThenElse(hn::Gt(b, m1), b, m1);
  }
  float largest = hn::GetLane(hn::MaxOfLanes(d, hn::Max(m0, m1)));
  for (; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();
#endif
