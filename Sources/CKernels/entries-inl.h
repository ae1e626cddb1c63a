// How the elements of pages become f32, compiled once per instruction set.
//
// A format takes two adjacent vectors of elements at a time; its scales belong to such a pair.
#if defined(RALLY_ENTRIES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RALLY_ENTRIES_INL_H_
#undef RALLY_ENTRIES_INL_H_
#else
#define RALLY_ENTRIES_INL_H_
#endif

#include "pages.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

struct Unscaled {
  struct Scales {};

  // Of channel k and the next ones of its group: entries j ..< j + 2N of keys.
  static HWY_INLINE Scales OfKeys(F, const float *, size_t, size_t) { return {}; }
  // Of channels k ..< k + 2N, which are of one group, of the value at `place`.
  static HWY_INLINE Scales OfValue(F, const float *, size_t, size_t) { return {}; }
  // The channel after the group of channel k, a multiple of its width.
  static HWY_INLINE size_t GroupEnd(size_t, size_t K) { return K; }
  // The first vector of a pair, and the second.
  static HWY_INLINE V Low(V v, Scales) { return v; }
  static HWY_INLINE V High(V v, Scales) { return v; }
};

struct F32 : Unscaled {
  using Element = float;

  static HWY_INLINE V Load(F d, const float *HWY_RESTRICT p) { return hn::LoadU(d, p); }
};

struct BF16 : Unscaled {
  using Element = uint16_t;

  static HWY_INLINE V Load(F d, const uint16_t *HWY_RESTRICT p) {
    const hn::RebindToUnsigned<F> bits;
    const hn::Rebind<uint16_t, F> narrow;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(bits, hn::LoadU(narrow, p))));
  }
};

struct Int8 {
  using Element = int8_t;
  struct Scales {
    V low, high;
  };

  static HWY_INLINE Scales OfKeys(F d, const float *HWY_RESTRICT scales, size_t k, size_t j) {
    const float *p = scales + k / kScaled * kPage + j;
    return {hn::LoadU(d, p), hn::LoadU(d, p + hn::Lanes(d))};
  }
  static HWY_INLINE Scales OfValue(F d, const float *HWY_RESTRICT scales, size_t k, size_t place) {
    const V scale = hn::Set(d, scales[k / kScaled * kPage + place]);
    return {scale, scale};
  }
  static HWY_INLINE size_t GroupEnd(size_t k, size_t K) { return K - k > kScaled ? k + kScaled : K; }

  static HWY_INLINE V Load(F d, const int8_t *HWY_RESTRICT p) {
    const hn::RebindToSigned<F> integers;
    const hn::Rebind<int8_t, F> narrow;
    return hn::ConvertTo(d, hn::PromoteTo(integers, hn::LoadU(narrow, p)));
  }
  static HWY_INLINE V Low(V v, const Scales &s) { return hn::Mul(v, s.low); }
  static HWY_INLINE V High(V v, const Scales &s) { return hn::Mul(v, s.high); }
};

// The first `count` ≤ N elements at p, zeros after them; reads nothing past them.
template <class Format>
HWY_INLINE V LoadLanesOf(F d, const typename Format::Element *HWY_RESTRICT p, size_t count) {
  if (count == hn::Lanes(d)) return Format::Load(d, p);
  HWY_ALIGN typename Format::Element lanes[HWY_MAX_BYTES / sizeof(float)] = {};
  for (size_t i = 0; i < count; ++i) lanes[i] = p[i];
  return Format::Load(d, lanes);
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();
#endif
