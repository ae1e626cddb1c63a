#include "targets.h"

#include <math.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul_int8.cpp"
#include <hwy/foreach_target.h>

#include "matmul-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

using Int8Product = Product<int8_t>;

// Sums are integers and exact, so every format below gives the same bits. The only roundings of an
// output are these: the sum to f32, the product of the two factors, and the product of both.
template <class D, class I>
HWY_INLINE hn::Vec<D> Scaled(D d, I sum, int32_t offset, float row_scale, hn::Vec<D> scales) {
  const hn::RebindToSigned<D> integers;
  const auto factor = hn::Mul(hn::Set(d, row_scale), scales);
  return hn::Mul(hn::ConvertTo(d, hn::Sub(sum, hn::Set(integers, offset))), factor);
}

// Writes outputs first ..< first + Lanes(d) from their integer sums. Weights are stored with 128
// added, so a sum has 128 times the row's sum too much.
template <class D, class I>
HWY_INLINE void StoreScaled(D d, const Int8Product &p, size_t row, size_t first, I sum) {
  const int32_t offset = 128 * p.row_sums[row];
  float *y = p.y + row * p.y_stride;
  if (first + hn::Lanes(d) <= p.n) {
    const auto scales = hn::LoadU(d, p.scales + first);
    hn::StoreU(Scaled(d, sum, offset, p.row_scales[row], scales), d, y + first);
  } else if (first < p.n) {
    HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)] = {};
    memcpy(lanes, p.scales + first, (p.n - first) * sizeof(float));
    hn::Store(Scaled(d, sum, offset, p.row_scales[row], hn::Load(d, lanes)), d, lanes);
    memcpy(y + first, lanes, (p.n - first) * sizeof(float));
  }
}

constexpr size_t kInt8StepBytes = 4 * kColumns;

HWY_INLINE int32_t FourOf(const int8_t *x, size_t step) {
  int32_t four;
  memcpy(&four, x + 4 * step, sizeof four);
  return four;
}

#if HWY_TARGET == HWY_AVX3

// Four products and their sum per lane in one instruction. The instruction is newer than the
// instruction set that this is compiled for, hence assembly; `rk_matmul_int8` asks the processor.
struct Int8Dot {
  using Input = int8_t;
  using Sum = __m512i;
  using Weight = __m512i;
  static constexpr size_t kUnits = 1;
  static constexpr size_t kStepBytes = kInt8StepBytes;
  static constexpr size_t kUnitBytes = kInt8StepBytes;

  static HWY_INLINE Sum Zero() { return _mm512_setzero_si512(); }
  static HWY_INLINE void Load(const uint8_t *weights, Weight &a, Weight &b) {
    hwy::Prefetch(weights + kAhead * kStepBytes);
    hwy::Prefetch(weights + kAhead * kStepBytes + 64);
    a = _mm512_loadu_si512(weights);
    b = _mm512_loadu_si512(weights + 64);
  }
  static HWY_INLINE Weight Broadcast(const int8_t *x, size_t step) {
    return _mm512_set1_epi32(FourOf(x, step));
  }
  static HWY_INLINE Sum MulAdd(Weight x, Weight w, Sum sum) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
  }
  static HWY_INLINE void Store(const Int8Product &p, size_t row, size_t unit, Sum a, Sum b) {
    const hn::FixedTag<float, 16> d;
    const hn::Vec<hn::FixedTag<int32_t, 16>> low{a}, high{b};
    StoreScaled(d, p, row, unit * kColumns, low);
    StoreScaled(d, p, row, unit * kColumns + 16, high);
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

  static HWY_INLINE Sum Zero() { return hn::Zero(Integers()); }
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
  static HWY_INLINE void Store(const Int8Product &p, size_t row, size_t unit, Sum a, Sum b) {
    const Integers d;
    const Sum sum = hn::Add(hn::ConcatEven(d, b, a), hn::ConcatOdd(d, b, a));
    StoreScaled(Floats(), p, row, unit * kLanes, sum);
  }
};

#else

// One output at a time, for the compiler to do what it can.
struct Int8Plain {
  using Input = int8_t;
  using Sum = int32_t;
  using Weight = uint32_t;
  static constexpr size_t kUnits = kColumns / 2;
  static constexpr size_t kStepBytes = kInt8StepBytes;
  static constexpr size_t kUnitBytes = 8;

  static HWY_INLINE Sum Zero() { return 0; }
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
  static HWY_INLINE void Store(const Int8Product &p, size_t row, size_t unit, Sum a, Sum b) {
    const hn::CappedTag<float, 1> d;
    const hn::RebindToSigned<decltype(d)> integers;
    StoreScaled(d, p, row, 2 * unit, hn::Set(integers, a));
    StoreScaled(d, p, row, 2 * unit + 1, hn::Set(integers, b));
  }
};
using Int8Pairs = Int8Plain;

#endif

void MatMulInt8(const Int8Product &p, bool has_dot) {
#if HWY_TARGET == HWY_AVX3
  if (has_dot) return RunProduct<Int8Dot>(p);
#endif
  (void)has_dot;
  RunProduct<Int8Pairs>(p);
}

// out[0 ..< n] = x / scale, to nearest, ties to even, zeros up to a multiple of four.
void QuantizeForProduct(const float *HWY_RESTRICT x, size_t n, int8_t *HWY_RESTRICT out,
                        float *scale, int32_t *sum) {
  const F d;
  const hn::RebindToSigned<F> integers;
  const hn::Rebind<int8_t, F> narrow;
  const size_t N = hn::Lanes(d);
  // Magnitudes are ordered as their bits are, and what is not finite lies above.
  const auto magnitude = hn::Set(integers, 0x7FFFFFFF);
  auto largest = hn::Zero(integers);
  const auto take = [&](V v) {
    largest = hn::Max(largest, hn::And(hn::BitCast(integers, v), magnitude));
  };
  size_t i = 0;
  for (; i + N <= n; i += N) take(hn::LoadU(d, x + i));
  if (i < n) take(LoadTail(d, x + i, n - i));
  const int32_t bits = hn::GetLane(hn::MaxOfLanes(integers, largest));
  float most;
  memcpy(&most, &bits, sizeof most);

  const bool is_finite = bits < 0x7F800000;
  // Below 2^-100 the factor would overflow; what is so small counts as zero.
  const bool is_zero = !is_finite || most < 0x1p-100f;
  *scale = is_finite ? (is_zero ? 0.0f : most / 127.0f) : NAN;
  *sum = 0;
  memset(out + n / 4 * 4, 0, (n + 3) / 4 * 4 - n / 4 * 4);
  if (is_zero) {
    memset(out, 0, n);
    return;
  }
  const V factor = hn::Set(d, 127.0f / most);
  auto sums = hn::Zero(integers);
  const auto quantize = [&](V v) {
    const auto rounded = hn::NearestInt(hn::Mul(v, factor));
    sums = hn::Add(sums, rounded);
    return hn::DemoteTo(narrow, rounded);
  };
  for (i = 0; i + N <= n; i += N) hn::StoreU(quantize(hn::LoadU(d, x + i)), narrow, out + i);
  if (i < n) {
    HWY_ALIGN int8_t lanes[HWY_MAX_BYTES / sizeof(float)];
    hn::Store(quantize(LoadTail(d, x + i, n - i)), narrow, lanes);
    memcpy(out + i, lanes, n - i);
  }
  *sum = hn::GetLane(hn::SumOfLanes(integers, sums));
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(MatMulInt8);
HWY_EXPORT(QuantizeForProduct);

static bool HasDot() {
#if HWY_ARCH_X86
  return __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}
}  // namespace rally

using namespace rally;

extern "C" void rk_matmul_pack_int8(const int8_t *weight, size_t n, size_t K, uint8_t *out) {
  for (size_t first = 0; first < n; first += rk_matmul_columns) {
    for (size_t k = 0; k < K; k += 4) {
      const size_t inputs = K - k < 4 ? K - k : 4;
      for (size_t j = 0; j < rk_matmul_columns; ++j, out += 4) {
        uint32_t four = 0;
        if (first + j < n) memcpy(&four, weight + (first + j) * K + k, inputs);
        four ^= 0x80808080u;
        memcpy(out, &four, sizeof four);
      }
    }
  }
}

extern "C" void rk_quantize_rows(const float *x, size_t x_stride, int8_t *out, size_t out_stride,
                                 float *scales, int32_t *sums, size_t N, size_t K) {
  const auto quantize = HWY_DYNAMIC_DISPATCH(QuantizeForProduct);
  for (size_t row = 0; row < N; ++row) {
    quantize(x + row * x_stride, K, out + row * out_stride, scales + row, sums + row);
  }
}

extern "C" void rk_matmul_int8(const int8_t *x, size_t x_stride, const float *x_scales,
                               const int32_t *x_sums, const uint8_t *packed, const float *scales,
                               float *y, size_t y_stride, size_t M, size_t n, size_t K) {
  if (M == 0) return;
  static const bool has_dot = HasDot();
  HWY_DYNAMIC_DISPATCH(MatMulInt8)
  ({x, x_stride, packed, (K + 3) / 4, y, y_stride, M, n, x_scales, x_sums, scales}, has_dot);
}
#endif
