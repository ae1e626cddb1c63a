// Attention of whole rows over their own keys and values, in f32 or bf16, for vectors of 512 bits: the others read pages.
//
// Keys, values, queries and weights are *units* of 32 bits: one number of f32, or two of bf16 that one instruction multiplies.
#include "targets.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "self_attention.cpp"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>

#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3

constexpr size_t kLanes = 16;

constexpr size_t RoundUp(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

HWY_INLINE __mmask16 FirstLanes(size_t count) { return static_cast<__mmask16>(count >= kLanes ? 0xFFFFu : (1u << count) - 1u); }
HWY_INLINE __m512 LoadFirst(const float *p, size_t count) { return _mm512_maskz_loadu_ps(FirstLanes(count), p); }

// Numbers as they are.
struct F32 {
  static constexpr size_t kNumbers = 1;  // of a unit
  // Queries that share what is loaded of keys and values, two vectors of sums each: 24 of 32 registers.
  static constexpr size_t kQueries = 12;
  static constexpr uint32_t kOnes = 0x3F800000;
  // 2^f for |f| ≤ 1/2, of Cephes.
  static constexpr float kPower[] = {1.535336188319500e-4f,
                                     1.339887440266574e-3f,
                                     9.618437357674640e-3f,
                                     5.550332471162809e-2f,
                                     2.402264791363012e-1f,
                                     6.931472028550421e-1f,
                                     1.0f};

  // sum + Σ x · y over the numbers of each unit.
  static HWY_INLINE __m512 AddProducts(__m512i x, __m512i y, __m512 sum) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(y), sum);
  }
  // The units of the numbers of all vectors, one after the other.
  static HWY_INLINE __m512i Join(const __m512 (&numbers)[1]) { return _mm512_castps_si512(numbers[0]); }
  // Units of a number of each vector.
  static HWY_INLINE __m512i Interleave(const __m512 (&numbers)[1]) { return Join(numbers); }
};

// Rounded to nearest, ties to even. The instructions are newer than the set that this is compiled for, hence assembly; callers ask
// `rk_multiplies_bf16`.
struct BF16 {
  static constexpr size_t kNumbers = 2;
  // 16 sums take the two multipliers 8 cycles, longer than their latency.
  static constexpr size_t kQueries = 8;
  static constexpr uint32_t kOnes = 0x3F803F80;
  // Within 2^-13.7, a fraction of what rounding to bf16 changes.
  static constexpr float kPower[] = {0.05517167f, 0.24261113f, 0.69326097f, 0.99992806f};

  static HWY_INLINE __m512 AddProducts(__m512i x, __m512i y, __m512 sum) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(y));
    return sum;
  }
  static HWY_INLINE __m512i Join(const __m512 (&numbers)[2]) {
    __m512i rounded;
    asm("vcvtne2ps2bf16 %2, %1, %0" : "=v"(rounded) : "v"(numbers[1]), "v"(numbers[0]));
    return rounded;
  }
  static HWY_INLINE __m512i Interleave(const __m512 (&numbers)[2]) {
    alignas(64) static constexpr uint16_t kOrder[] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_load_si512(kOrder), Join(numbers));
  }
};

// 16 units of a row of K numbers, from number k on.
template <class Format>
HWY_INLINE __m512i LoadUnits(const float *row, size_t k, size_t K) {
  __m512 numbers[Format::kNumbers];
  for (size_t i = 0; i < Format::kNumbers; ++i, k += kLanes) {
    numbers[i] = k < K ? LoadFirst(row + k, K - k) : _mm512_setzero_ps();
  }
  return Format::Join(numbers);
}

// Asks for K numbers of each of `count` rows. Rows lie too far apart for the processor to see the next one coming.
HWY_INLINE void Fetch(const float *rows, size_t stride, size_t count, size_t K) {
  for (size_t i = 0; i < count; ++i) {
    for (size_t k = 0; k < K; k += kLanes) hwy::Prefetch(rows + i * stride + k);
  }
}

// 2^x for x ≤ 0. NaN for NaN.
template <class Format>
HWY_INLINE __m512 Exp2(__m512 x) {
  const __m512 bounded = _mm512_max_ps(_mm512_set1_ps(-150.0f), x);
  const __m512 whole = _mm512_roundscale_ps(bounded, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 part = _mm512_sub_ps(bounded, whole);
  __m512 power = _mm512_set1_ps(Format::kPower[0]);
  HWY_UNROLL(8)
  for (size_t i = 1; i < sizeof Format::kPower / sizeof(float); ++i) {
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(Format::kPower[i]));
  }
  return _mm512_scalef_ps(power, whole);
}

// One head of a few rows. Entries are counted from `begin`, a multiple of a strip.
template <class Format>
struct Head {
  size_t K, units;    // of channels
  size_t count;       // entries at hand
  // Of a row of scores: its last units may be half of what is written; rows that lie apart by a power of two share places in a cache.
  size_t width;
  float scale;
  uint32_t *keys;  // [strips, units, 16]
  uint32_t *values;  // [units of entries, channels rounded up to 16]
  uint32_t *queries;  // [kQueries, units rounded up to 16]
  float *scores;  // [kQueries, width]; then units of weights in the same rows

  Head(size_t entries, size_t channels)
      : K(channels),
        units((K + Format::kNumbers - 1) / Format::kNumbers),
        count(entries),
        width(RoundUp(count, kLanes) + kLanes) {}
  void Place(float *scratch) {
    keys = reinterpret_cast<uint32_t *>(scratch);
    values = keys + KeyCount();
    queries = values + ValueCount();
    scores = reinterpret_cast<float *>(queries + Format::kQueries * QueryWidth());
  }
  size_t ScratchCount() const { return KeyCount() + ValueCount() + Format::kQueries * (QueryWidth() + width); }
  size_t KeyCount() const { return RoundUp(count, kLanes) * units; }
  size_t ValueCount() const { return RoundUp(count, kLanes) / Format::kNumbers * ValueWidth(); }
  size_t QueryWidth() const { return RoundUp(units, kLanes); }
  size_t ValueWidth() const { return RoundUp(K, kLanes); }
  const uint32_t *Strip(size_t strip) const { return keys + strip * units * kLanes; }
  float *Scores(size_t c) const { return scores + c * width; }
  uint32_t *Weights(size_t c) const { return reinterpret_cast<uint32_t *>(Scores(c)); }
};

// rows[i][j] becomes rows[j][i].
HWY_INLINE void Transpose(__m512i (&rows)[kLanes]) {
  __m512i a[kLanes], b[kLanes];
  HWY_UNROLL(8)
  for (size_t i = 0; i < kLanes; i += 2) {
    a[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  // b[4g + c]: columns c, 4 + c, 8 + c and 12 + c of rows 4g ..< 4g + 4.
  HWY_UNROLL(4)
  for (size_t i = 0; i < kLanes; i += 4) {
    b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
    b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
    b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
    b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
  HWY_UNROLL(4)
  for (size_t c = 0; c < 4; ++c) {
    const __m512i even_low = _mm512_shuffle_i32x4(b[c], b[4 + c], 0x88), odd_low = _mm512_shuffle_i32x4(b[c], b[4 + c], 0xDD);
    const __m512i even = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0x88), odd = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0xDD);
    rows[c] = _mm512_shuffle_i32x4(even_low, even, 0x88);
    rows[4 + c] = _mm512_shuffle_i32x4(odd_low, odd, 0x88);
    rows[8 + c] = _mm512_shuffle_i32x4(even_low, even, 0xDD);
    rows[12 + c] = _mm512_shuffle_i32x4(odd_low, odd, 0xDD);
  }
}

template <class Format>
void PackKeys(const Head<Format> &h, const float *k, size_t stride) {
  constexpr size_t kChannels = kLanes * Format::kNumbers;
  uint32_t *out = h.keys;
  for (size_t first = 0; first < h.count; first += kLanes) {
    const size_t entries = HWY_MIN(kLanes, h.count - first), next = first + entries;
    Fetch(k + next * stride, stride, HWY_MIN(kLanes, h.count - next), h.K);
    for (size_t channel = 0; channel < h.K; channel += kChannels) {
      __m512i rows[kLanes];
      for (size_t i = 0; i < kLanes; ++i) {
        rows[i] = i < entries ? LoadUnits<Format>(k + (first + i) * stride, channel, h.K) : _mm512_setzero_si512();
      }
      Transpose(rows);
      const size_t units = HWY_MIN(kLanes, h.units - channel / Format::kNumbers);
      for (size_t i = 0; i < units; ++i, out += kLanes) _mm512_storeu_si512(out, rows[i]);
    }
  }
}

template <class Format>
void PackValues(const Head<Format> &h, const float *v, size_t stride) {
  uint32_t *out = h.values;
  for (size_t entry = 0; entry < h.count; entry += Format::kNumbers) {
    if (entry + kLanes < h.count)
      Fetch(v + (entry + kLanes) * stride, stride, HWY_MIN(Format::kNumbers, h.count - entry - kLanes), h.K);
    for (size_t k = 0; k < h.K; k += kLanes, out += kLanes) {
      __m512 numbers[Format::kNumbers];
      for (size_t i = 0; i < Format::kNumbers; ++i) {
        numbers[i] = entry + i < h.count ? LoadFirst(v + (entry + i) * stride + k, h.K - k) : _mm512_setzero_ps();
      }
      _mm512_storeu_si512(out, Format::Interleave(numbers));
    }
  }
}

// Scores of C queries and S strips of entries, not yet scaled. The sum runs over units of channels in order.
template <class Format, size_t C, size_t S>
HWY_INLINE void ScoreStrips(const Head<Format> &h, size_t strip) {
  __m512 sum[C][S];
  HWY_UNROLL(12)
  for (size_t c = 0; c < C; ++c) {
    for (size_t s = 0; s < S; ++s) sum[c][s] = _mm512_setzero_ps();
  }
  const uint32_t *query = h.queries;
  const size_t query_width = h.QueryWidth();
  for (size_t unit = 0; unit < h.units; ++unit) {
    __m512i keys[S];
    for (size_t s = 0; s < S; ++s) keys[s] = _mm512_loadu_si512(h.Strip(strip + s) + unit * kLanes);
    HWY_UNROLL(12)
    for (size_t c = 0; c < C; ++c) {
      const __m512i channels = _mm512_set1_epi32(static_cast<int32_t>(query[c * query_width + unit]));
      for (size_t s = 0; s < S; ++s) sum[c][s] = Format::AddProducts(keys[s], channels, sum[c][s]);
    }
  }
  HWY_UNROLL(12)
  for (size_t c = 0; c < C; ++c) {
    for (size_t s = 0; s < S; ++s) _mm512_storeu_ps(h.Scores(c) + (strip + s) * kLanes, sum[c][s]);
  }
}

// What a row sees of the entries at hand.
struct Sight {
  size_t from, to;

  // Scores j ..< j + 16, −infinity for entries that are not seen. (Not stored so: a load of what two stores left has to wait.)
  HWY_INLINE __m512 Of(const float *scores, size_t j) const {
    const __m512 all = _mm512_loadu_ps(scores + j);
    if (from <= j && j + kLanes <= to) return all;
    const auto seen = FirstLanes(to > j ? to - j : 0) & ~FirstLanes(from > j ? from - j : 0);
    return _mm512_mask_mov_ps(_mm512_set1_ps(-HUGE_VALF), static_cast<__mmask16>(seen), all);
  }
};

// Scores begin ..< end of a row, multiples of 16, become weights exp(scale · (score − greatest)). Returns 1 over their sum, which is
// that of the rounded ones; 0 where nothing is seen.
template <class Format>
HWY_INLINE float Weigh(const Head<Format> &h, size_t c, const Sight &sight, size_t begin, size_t end) {
  const float *scores = h.Scores(c);
  uint32_t *weights = h.Weights(c) + begin / Format::kNumbers;
  __m512 most = _mm512_set1_ps(-HUGE_VALF);
  for (size_t j = begin; j < end; j += kLanes) most = _mm512_max_ps(sight.Of(scores, j), most);
  const float greatest = _mm512_reduce_max_ps(most);
  const float factor = h.scale * 1.44269504f;
  const __m512 slope = _mm512_set1_ps(factor);
  const __m512 shift = _mm512_set1_ps(greatest == -HUGE_VALF ? 0.0f : greatest * factor);
  const __m512i ones = _mm512_set1_epi32(Format::kOnes);
  __m512 sum = _mm512_setzero_ps();
  for (size_t j = begin; j < end; weights += kLanes) {
    __m512 numbers[Format::kNumbers];
    for (size_t i = 0; i < Format::kNumbers; ++i, j += kLanes) {
      numbers[i] = j < end ? Exp2<Format>(_mm512_fmsub_ps(sight.Of(scores, j), slope, shift)) : _mm512_setzero_ps();
    }
    const __m512i units = Format::Join(numbers);
    _mm512_storeu_si512(weights, units);
    sum = Format::AddProducts(units, ones, sum);
  }
  const float total = _mm512_reduce_add_ps(sum);
  return total == 0 ? 0.0f : 1.0f / total;
}

// out[c] = inverse[c] · Σ_j weight[c][j] · value[j] over units of entries begin ..< end, in order, for C rows and U vectors of
// channels from k on.
template <class Format, size_t C, size_t U>
HWY_INLINE void GatherChannels(const Head<Format> &h, size_t k, size_t begin, size_t end, const float *inverse, float *out,
                               size_t out_stride) {
  __m512 sum[C][U];
  HWY_UNROLL(12)
  for (size_t c = 0; c < C; ++c) {
    for (size_t u = 0; u < U; ++u) sum[c][u] = _mm512_setzero_ps();
  }
  const size_t value_width = h.ValueWidth();
  const size_t first = begin / Format::kNumbers, last = (end + Format::kNumbers - 1) / Format::kNumbers;
  const uint32_t *value = h.values + first * value_width + k;
  const uint32_t *weight = h.Weights(0);
  for (size_t unit = first; unit < last; ++unit, value += value_width) {
    __m512i values[U];
    for (size_t u = 0; u < U; ++u) values[u] = _mm512_loadu_si512(value + u * kLanes);
    HWY_UNROLL(12)
    for (size_t c = 0; c < C; ++c) {
      const __m512i entries = _mm512_set1_epi32(static_cast<int32_t>(weight[c * h.width + unit]));
      for (size_t u = 0; u < U; ++u) sum[c][u] = Format::AddProducts(values[u], entries, sum[c][u]);
    }
  }
  HWY_UNROLL(12)
  for (size_t c = 0; c < C; ++c) {
    for (size_t u = 0; u < U; ++u) {
      const size_t channel = k + u * kLanes;
      // A zero added makes −0, which the products' underflow may give, the 0 that longer sums have.
      const __m512 result = _mm512_fmadd_ps(sum[c][u], _mm512_set1_ps(inverse[c]), _mm512_setzero_ps());
      _mm512_mask_storeu_ps(out + c * out_stride + channel, FirstLanes(h.K - channel), result);
    }
  }
}

// C rows whose queries are in place.
template <class Format, size_t C>
HWY_NOINLINE void Tile(const Head<Format> &h, const Sight *sights, float *out, size_t out_stride) {
  size_t first = h.count, end = 0;
  for (size_t c = 0; c < C; ++c) {
    first = HWY_MIN(first, sights[c].from);
    end = HWY_MAX(end, sights[c].to);
  }
  const size_t begin = HWY_MIN(first, end) / kLanes * kLanes, last = RoundUp(end, kLanes);
  size_t strip = begin / kLanes;
  for (; strip + 2 <= last / kLanes; strip += 2) ScoreStrips<Format, C, 2>(h, strip);
  if (strip < last / kLanes) ScoreStrips<Format, C, 1>(h, strip);
  float inverse[C];
  for (size_t c = 0; c < C; ++c) inverse[c] = Weigh(h, c, sights[c], begin, last);
  size_t k = 0;
  for (; k + kLanes < h.K; k += 2 * kLanes) GatherChannels<Format, C, 2>(h, k, begin, end, inverse, out, out_stride);
  if (k < h.K) GatherChannels<Format, C, 1>(h, k, begin, end, inverse, out, out_stride);
}

// `rows` ≤ C rows.
template <class Format, size_t C>
HWY_INLINE void AnyTile(const Head<Format> &h, size_t rows, const Sight *sights, float *out, size_t out_stride) {
  if (rows == C) return Tile<Format, C>(h, sights, out, out_stride);
  if constexpr (C > 1) AnyTile<Format, C - 1>(h, rows, sights, out, out_stride);
}

template <class Format>
void Attend(const float *q, size_t q_stride, const float *k, const float *v, size_t stride, float *out, size_t out_stride,
            size_t rows, const int32_t *firsts, const int32_t *lengths, size_t heads, size_t K, float scale, float *scratch) {
  size_t begin = SIZE_MAX, end = 0;
  for (size_t row = 0; row < rows; ++row) {
    const size_t first = firsts ? static_cast<size_t>(firsts[row]) : 0, length = static_cast<size_t>(lengths[row]);
    if (first >= length) continue;
    begin = HWY_MIN(begin, first);
    end = HWY_MAX(end, length);
  }
  begin = HWY_MIN(begin, end) / kLanes * kLanes;
  Head<Format> h(end - begin, K);
  h.scale = scale;
  h.Place(scratch);
  PackKeys(h, k + begin * stride, stride);
  PackValues(h, v + begin * stride, stride);
  for (size_t head = 0; head < heads; ++head) {
    for (size_t row = 0; row < rows; row += Format::kQueries) {
      const size_t n = HWY_MIN(Format::kQueries, rows - row), next = row + n;
      Fetch(q + next * q_stride + head * K, q_stride, HWY_MIN(Format::kQueries, rows - next), K);
      Sight sights[Format::kQueries];
      for (size_t c = 0; c < n; ++c) {
        const size_t first = firsts ? static_cast<size_t>(firsts[row + c]) : 0, length = static_cast<size_t>(lengths[row + c]);
        sights[c] = first < length ? Sight{first - begin, length - begin} : Sight{h.count, 0};
        const float *query = q + (row + c) * q_stride + head * K;
        for (size_t unit = 0; unit < h.units; unit += kLanes) {
          _mm512_storeu_si512(h.queries + c * h.QueryWidth() + unit, LoadUnits<Format>(query, unit * Format::kNumbers, K));
        }
      }
      AnyTile<Format, Format::kQueries>(h, n, sights, out + row * out_stride + head * K, out_stride);
    }
  }
}

size_t SelfAttentionScratch(rk_self_attention_type type, size_t entries, size_t K) {
  // Entries may begin up to 15 before those that are seen.
  const size_t count = entries + kLanes;
  return type == rk_self_attention_bf16 ? Head<BF16>(count, K).ScratchCount() : Head<F32>(count, K).ScratchCount();
}

void SelfAttention(rk_self_attention_type type, const float *q, size_t q_stride, const float *k, const float *v, size_t stride,
                   float *out, size_t out_stride, size_t rows, const int32_t *firsts, const int32_t *lengths, size_t heads,
                   size_t K, float scale, float *scratch) {
  const auto attend = type == rk_self_attention_bf16 ? Attend<BF16> : Attend<F32>;
  attend(q, q_stride, k, v, stride, out, out_stride, rows, firsts, lengths, heads, K, scale, scratch);
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
using namespace rally;

extern "C" bool rk_has_self_attention(rk_self_attention_type type) {
#if HWY_ARCH_X86
  return type == rk_self_attention_bf16 ? rk_multiplies_bf16() : (hwy::SupportedTargets() & HWY_AVX3) != 0;
#else
  return (void)type, false;
#endif
}

extern "C" size_t rk_self_attention_scratch(rk_self_attention_type type, size_t entries, size_t K) {
#if HWY_ARCH_X86
  return N_AVX3::SelfAttentionScratch(type, entries, K);
#else
  return (void)type, (void)entries, (void)K, 0;
#endif
}

extern "C" void rk_self_attention(rk_self_attention_type type, const float *q, size_t q_stride, const float *k, const float *v,
                                  size_t stride, float *out, size_t out_stride, size_t rows, const int32_t *firsts,
                                  const int32_t *lengths, size_t heads, size_t K, float scale, float *scratch) {
#if HWY_ARCH_X86
  N_AVX3::SelfAttention(type, q, q_stride, k, v, stride, out, out_stride, rows, firsts, lengths, heads, K, scale, scratch);
#else
  (void)type, (void)q, (void)q_stride, (void)k, (void)v, (void)stride, (void)out, (void)out_stride, (void)rows, (void)firsts;
  (void)lengths, (void)heads, (void)K, (void)scale, (void)scratch;
#endif
}
#endif
