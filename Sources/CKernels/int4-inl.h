// How q4 weights meet int8 rows, compiled once per instruction set: int8-inl.h with two weights in a byte.
//
// A step has one byte for output i and input k of its four in the low half, output i + 16 in the high half: one load, a
// mask and a shift make the weights of two vectors of outputs. Weights are stored with 8 added, which `Start` or `Finish`
// takes away.
#if defined(RALLY_INT4_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RALLY_INT4_INL_H_
#undef RALLY_INT4_INL_H_
#else
#define RALLY_INT4_INL_H_
#endif

#include "int8-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

constexpr size_t kInt4StepBytes = kInt8StepBytes / 2;

#if HWY_TARGET == HWY_AVX3

struct Int4Dot : Int8Dot {
  static constexpr size_t kStepBytes = kInt4StepBytes;
  static constexpr size_t kUnitBytes = kInt4StepBytes;

  static HWY_INLINE void Load(const uint8_t *weights, Weight &a, Weight &b) {
    hwy::Prefetch(weights + kAhead * kStepBytes);
    const __m512i both = _mm512_loadu_si512(weights), low = _mm512_set1_epi8(0x0F);
    a = _mm512_and_si512(both, low);
    b = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
  }
};

#endif

#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

struct Int4Pairs : Int8Pairs {
  using Floats = hn::Half<Int8Pairs::Floats>;
  static constexpr size_t kStepBytes = kInt4StepBytes;
  static constexpr size_t kUnitBytes = 2 * kLanes;
  static constexpr size_t kVectors = 2;

  static HWY_INLINE void Load(const uint8_t *weights, Weight &a, Weight &b) {
    hwy::Prefetch(weights + kAhead * kStepBytes);
    const auto both = hn::PromoteTo(Halves(), hn::LoadU(Bytes(), weights));
    a = hn::And(both, hn::Set(Halves(), 0x0F));
    b = hn::ShiftRight<4>(both);
  }
  static HWY_INLINE void Finish(Sum a, Sum b, int32_t start, hn::Vec<Floats> *out) {
    hn::Vec<Int8Pairs::Floats> both[1];
    Int8Pairs::Finish(a, b, start, both);
    out[0] = hn::LowerHalf(Floats(), both[0]);
    out[1] = hn::UpperHalf(Floats(), both[0]);
  }
};

#else

struct Int4Pairs : Int8Pairs {
  static constexpr size_t kStepBytes = kInt4StepBytes;
  static constexpr size_t kUnitBytes = 4;

  static HWY_INLINE void Load(const uint8_t *weights, Weight &a, Weight &b) {
    uint32_t both;
    memcpy(&both, weights, sizeof both);
    a = both & 0x0F0F0F0Fu;
    b = both >> 4 & 0x0F0F0F0Fu;
  }
};

#endif

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();
#endif
