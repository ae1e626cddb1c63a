#include "targets.h"

#include <math.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul.cpp"
#include <hwy/foreach_target.h>

#include "matmul-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

// Scalable vectors count as 128 bits.
using Floats = hn::CappedTag<float, kColumns / 2>;
constexpr size_t kFloats = HWY_LANES(float) < kColumns / 2 ? HWY_LANES(float) : kColumns / 2;

// What f32 and bf16 share: a unit has outputs i ..< i + kFloats of a strip and those 16 after them.
struct FloatFormat {
  static constexpr bool kIsGrouped = false;
  static constexpr size_t kTileRows = kMaxRows, kFewRows = kMaxRows;
  static constexpr size_t kGroupBytes = 0;
  using Input = float;
  using Sum = hn::Vec<Floats>;
  using Weight = hn::Vec<Floats>;
  static constexpr size_t kUnits = kColumns / 2 / kFloats;

  static HWY_INLINE Sum Zero() { return hn::Zero(Floats()); }
  static HWY_INLINE Weight Broadcast(const float *x, size_t step) { return hn::Set(Floats(), x[step]); }
  static HWY_INLINE Sum MulAdd(Weight x, Weight w, Sum sum) { return hn::MulAdd(x, w, sum); }
  static HWY_INLINE void Store(const Product<float> &p, size_t row, size_t unit, Sum a, Sum b) {
    const size_t first = unit / kUnits * kColumns + unit % kUnits * kFloats;
    StoreOutputs(Floats(), a, p, row, first);
    StoreOutputs(Floats(), b, p, row, first + kColumns / 2);
  }
};

// A step is 32 floats.
struct F32 : FloatFormat {
  static constexpr size_t kStepBytes = kColumns * sizeof(float);
  static constexpr size_t kUnitBytes = kFloats * sizeof(float);

  static HWY_INLINE void Load(const uint8_t *weights, Weight &a, Weight &b) {
    const uint8_t *second = weights + kStepBytes / 2;
    hwy::Prefetch(weights + kAhead * kStepBytes);
    hwy::Prefetch(second + kAhead * kStepBytes);
    a = hn::LoadU(Floats(), reinterpret_cast<const float *>(weights));
    b = hn::LoadU(Floats(), reinterpret_cast<const float *>(second));
  }
};

// A step is 16 words: output i in the low half of a word, output i + 16 in the high half.
struct Bf16 : FloatFormat {
  static constexpr size_t kStepBytes = kColumns * sizeof(uint16_t);
  static constexpr size_t kUnitBytes = kFloats * sizeof(uint32_t);

  static HWY_INLINE void Load(const uint8_t *weights, Weight &a, Weight &b) {
    const hn::RebindToUnsigned<Floats> words;
    hwy::Prefetch(weights + kAhead * kStepBytes);
    const auto both = hn::LoadU(words, reinterpret_cast<const uint32_t *>(weights));
    a = hn::BitCast(Floats(), hn::ShiftLeft<16>(both));
    b = hn::BitCast(Floats(), hn::And(both, hn::Set(words, 0xFFFF0000u)));
  }
};

void MatMulF32(const Product<float> &p) { RunProduct<F32>(p); }
void MatMulBf16(const Product<float> &p) { RunProduct<Bf16>(p); }

#if HWY_TARGET == HWY_AVX3

// Two products and their sum per lane in one instruction, which is newer than the instruction set that this is
// compiled for, hence assembly; callers ask `rk_multiplies_bf16`. A step is 32 pairs of inputs.
struct Bf16Pairs {
  static constexpr bool kIsGrouped = false;
  static constexpr size_t kTileRows = kMaxRows, kFewRows = kMaxRows;
  static constexpr size_t kGroupBytes = 0;
  using Input = uint16_t;
  using Sum = __m512;
  using Weight = __m512i;
  static constexpr size_t kUnits = 1;
  static constexpr size_t kStepBytes = kColumns * sizeof(uint32_t);
  static constexpr size_t kUnitBytes = kStepBytes;

  static HWY_INLINE Sum Zero() { return _mm512_setzero_ps(); }
  static HWY_INLINE void Load(const uint8_t *weights, Weight &a, Weight &b) {
    hwy::Prefetch(weights + kAhead * kStepBytes);
    hwy::Prefetch(weights + kAhead * kStepBytes + 64);
    a = _mm512_loadu_si512(weights);
    b = _mm512_loadu_si512(weights + 64);
  }
  static HWY_INLINE Weight Broadcast(const uint16_t *x, size_t step) {
    int32_t pair;
    memcpy(&pair, x + 2 * step, sizeof pair);
    return _mm512_set1_epi32(pair);
  }
  static HWY_INLINE Sum MulAdd(Weight x, Weight w, Sum sum) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
  }
  static HWY_INLINE void Store(const Product<uint16_t> &p, size_t row, size_t unit, Sum a, Sum b) {
    const hn::FixedTag<float, 16> d;
    StoreOutputs(d, hn::Vec<decltype(d)>{a}, p, row, unit * kColumns);
    StoreOutputs(d, hn::Vec<decltype(d)>{b}, p, row, unit * kColumns + 16);
  }
};

void MatMulBf16Pairs(const Product<uint16_t> &p) { RunProduct<Bf16Pairs>(p); }

#endif

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(MatMulF32);
HWY_EXPORT(MatMulBf16);

// Strips of `words` words per input k: word w is put(first output, outputs of the strip, k, w).
template <class Word, class Put>
void PackStrips(size_t n, size_t K, size_t words, Word *out, Put put) {
  for (size_t first = 0; first < n; first += rk_matmul_columns) {
    const size_t columns = n - first < rk_matmul_columns ? n - first : rk_matmul_columns;
    for (size_t k = 0; k < K; ++k) {
      for (size_t w = 0; w < words; ++w) *out++ = put(first, columns, k, w);
    }
  }
}
}  // namespace rally

using namespace rally;

extern "C" void rk_matmul_pack_f32(const float *weight, size_t n, size_t K, float *out) {
  PackStrips(n, K, rk_matmul_columns, out, [=](size_t first, size_t columns, size_t k, size_t w) {
    return w < columns ? weight[(first + w) * K + k] : 0.0f;
  });
}

extern "C" void rk_matmul_pack_bf16(const uint16_t *weight, size_t n, size_t K, uint32_t *out) {
  constexpr size_t half = rk_matmul_columns / 2;
  PackStrips(n, K, half, out, [=](size_t first, size_t columns, size_t k, size_t w) {
    const uint32_t low = w < columns ? weight[(first + w) * K + k] : 0u;
    const uint32_t high = w + half < columns ? weight[(first + w + half) * K + k] : 0u;
    return high << 16 | low;
  });
}

extern "C" void rk_matmul_pack_bf16_pairs(const uint16_t *weight, size_t n, size_t K, uint32_t *out) {
  for (size_t first = 0; first < n; first += rk_matmul_columns) {
    for (size_t k = 0; k < K; k += 2) {
      for (size_t j = 0; j < rk_matmul_columns; ++j) {
        uint32_t pair = 0;
        if (first + j < n) memcpy(&pair, weight + (first + j) * K + k, (K - k < 2 ? 1 : 2) * sizeof(uint16_t));
        *out++ = pair;
      }
    }
  }
}

extern "C" bool rk_multiplies_bf16(void) {
#if HWY_ARCH_X86
  return (hwy::SupportedTargets() & HWY_AVX3) != 0 && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

extern "C" void rk_matmul_bf16_pairs(const uint16_t *x, size_t x_stride, const uint32_t *packed, const float *bias, float *y,
                                     size_t y_stride, size_t M, size_t n, size_t K) {
  if (M == 0) return;
#if HWY_ARCH_X86
  const auto *bytes = reinterpret_cast<const uint8_t *>(packed);
  N_AVX3::MatMulBf16Pairs({x, x_stride, bytes, (K + 1) / 2, y, y_stride, M, n, bias});
#else
  (void)x, (void)x_stride, (void)packed, (void)bias, (void)y, (void)y_stride, (void)n, (void)K;
#endif
}

extern "C" void rk_matmul_f32(const float *x, size_t x_stride, const float *packed, const float *bias, float *y,
                              size_t y_stride, size_t M, size_t n, size_t K) {
  if (M == 0) return;
  const auto *bytes = reinterpret_cast<const uint8_t *>(packed);
  HWY_DYNAMIC_DISPATCH(MatMulF32)({x, x_stride, bytes, K, y, y_stride, M, n, bias});
}

extern "C" void rk_matmul_bf16(const float *x, size_t x_stride, const uint32_t *packed, const float *bias, float *y,
                               size_t y_stride, size_t M, size_t n, size_t K) {
  if (M == 0) return;
  const auto *bytes = reinterpret_cast<const uint8_t *>(packed);
  HWY_DYNAMIC_DISPATCH(MatMulBf16)({x, x_stride, bytes, K, y, y_stride, M, n, bias});
}
#endif
