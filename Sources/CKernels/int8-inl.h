// How int8 weights meet int8 rows, compiled once per instruction set: the formats of matmul-inl.h whose sums are integers.
//
// Weights are stored with 128 added, so a sum has 128 times the sum of its row's integers too much: it *starts* at that much
// below zero, as rows say, read from memory, which costs no multiplier its turn. `Start` begins there or `Finish` adds it at the
// end, which also puts the sums of a unit's outputs in order. Sums are exact, so every format gives the same bits.
#if defined(RALLY_INT8_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RALLY_INT8_INL_H_
#undef RALLY_INT8_INL_H_
#else
#define RALLY_INT8_INL_H_
#endif

#include "matmul-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

using Int8Product = Product<int8_t>;

constexpr size_t kInt8StepBytes = 4 * kColumns;

HWY_INLINE int32_t FourOf(const int8_t *x, size_t step) {
  int32_t four;
  memcpy(&four, x + 4 * step, sizeof four);
  return four;
}

#if HWY_TARGET == HWY_AVX3

// Four products and their sum per lane in one instruction. The instruction is newer than the
// instruction set that this is compiled for, hence assembly; `HasDot` asks the processor.
struct Int8Dot {
  using Input = int8_t;
  using Sum = __m512i;
  using Weight = __m512i;
  using Floats = hn::FixedTag<float, 16>;
  static constexpr size_t kUnits = 1;
  static constexpr size_t kStepBytes = kInt8StepBytes;
  static constexpr size_t kUnitBytes = kInt8StepBytes;
  // Vectors of floats that the two sums of a unit make.
  static constexpr size_t kVectors = 2;

  static HWY_INLINE Sum Start(int32_t start) { return _mm512_set1_epi32(start); }
  static HWY_INLINE void Load(const uint8_t *weights, Weight &a, Weight &b) {
    hwy::Prefetch(weights + kAhead * kStepBytes);
    hwy::Prefetch(weights + kAhead * kStepBytes + 64);
    a = _mm512_loadu_si512(weights);
    b = _mm512_loadu_si512(weights + 64);
  }
  static HWY_INLINE Weight Broadcast(const int8_t *x, size_t step) { return _mm512_set1_epi32(FourOf(x, step)); }
  static HWY_INLINE Sum MulAdd(Weight x, Weight w, Sum sum) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
  }
  static HWY_INLINE void Finish(Sum a, Sum b, int32_t, hn::Vec<Floats> *out) {
    using Integers = hn::Vec<hn::RebindToSigned<Floats>>;
    out[0] = hn::ConvertTo(Floats(), Integers{a});
    out[1] = hn::ConvertTo(Floats(), Integers{b});
  }
};

#endif

#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

// Pairs of 16-bit products: a lane sums half of the four products of an output, so a vector holds
// half as many outputs as it has lanes.
struct Int8Pairs {
  using Input = int8_t;
  using Floats = hn::CappedTag<float, kColumns / 2>;
  using Integers = hn::RebindToSigned<Floats>;
  using Halves = hn::Repartition<int16_t, Integers>;
  using Bytes = hn::Rebind<uint8_t, Halves>;
  using Sum = hn::Vec<Integers>;
  using Weight = hn::Vec<Halves>;
  static constexpr size_t kLanes = HWY_LANES(float);
  static constexpr size_t kUnits = kColumns / kLanes;
  static constexpr size_t kStepBytes = kInt8StepBytes;
  static constexpr size_t kUnitBytes = 4 * kLanes;
  static constexpr size_t kVectors = 1;

  static HWY_INLINE Sum Start(int32_t) { return hn::Zero(Integers()); }
  static HWY_INLINE void Load(const uint8_t *weights, Weight &a, Weight &b) {
    hwy::Prefetch(weights + kAhead * kStepBytes);
    a = hn::PromoteTo(Halves(), hn::LoadU(Bytes(), weights));
    b = hn::PromoteTo(Halves(), hn::LoadU(Bytes(), weights + 2 * kLanes));
  }
  static HWY_INLINE Weight Broadcast(const int8_t *x, size_t step) {
    const hn::Rebind<int8_t, Halves> bytes;
    const hn::Repartition<int32_t, decltype(bytes)> words;
    return hn::PromoteTo(Halves(), hn::BitCast(bytes, hn::Set(words, FourOf(x, step))));
  }
  static HWY_INLINE Sum MulAdd(Weight x, Weight w, Sum sum) {
    Sum unused = hn::Zero(Integers());
    return hn::ReorderWidenMulAccumulate(Integers(), x, w, sum, unused);
  }
  static HWY_INLINE void Finish(Sum a, Sum b, int32_t start, hn::Vec<Floats> *out) {
    const Integers d;
    const Sum sum = hn::Add(hn::ConcatEven(d, b, a), hn::ConcatOdd(d, b, a));
    out[0] = hn::ConvertTo(Floats(), hn::Add(sum, hn::Set(d, start)));
  }
};

#else

// One output at a time, for the compiler to do what it can.
struct Int8Pairs {
  using Input = int8_t;
  using Sum = int32_t;
  using Weight = uint32_t;
  using Floats = hn::CappedTag<float, 1>;
  static constexpr size_t kUnits = kColumns / 2;
  static constexpr size_t kStepBytes = kInt8StepBytes;
  static constexpr size_t kUnitBytes = 8;
  static constexpr size_t kVectors = 2;

  static HWY_INLINE Sum Start(int32_t) { return 0; }
  static HWY_INLINE void Load(const uint8_t *weights, Weight &a, Weight &b) {
    memcpy(&a, weights, sizeof a);
    memcpy(&b, weights + 4, sizeof b);
  }
  static HWY_INLINE uint32_t Broadcast(const int8_t *x, size_t step) { return FourOf(x, step); }
  static HWY_INLINE Sum MulAdd(uint32_t x, Weight w, Sum sum) {
    for (int shift = 0; shift < 32; shift += 8) {
      sum += static_cast<int8_t>(x >> shift) * static_cast<uint8_t>(w >> shift);
    }
    return sum;
  }
  static HWY_INLINE void Finish(Sum a, Sum b, int32_t start, hn::Vec<Floats> *out) {
    out[0] = hn::Set(Floats(), static_cast<float>(a + start));
    out[1] = hn::Set(Floats(), static_cast<float>(b + start));
  }
};

#endif

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();
#endif
