// Attention of whole rows in bf16, for processors that multiply pairs of it; one of each kind of instruction set has the code.
#include "targets.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention_bf16.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3

constexpr size_t kLanes = 16;

// Queries that share what is loaded of keys and values: two vectors of sums each are 16 of 32 registers, and 8 cycles of
// two multipliers, longer than their latency.
constexpr size_t kQueries = 8;

constexpr size_t RoundUp(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// Newer than the instruction set that this is compiled for, hence assembly; callers ask `rk_multiplies_bf16`.
// sum + x[0] · y[0] + x[1] · y[1], lane by lane.
HWY_INLINE __m512 AddProducts(__m512i x, __m512i y, __m512 sum) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(y));
  return sum;
}
// 32 numbers rounded to nearest, ties to even.
HWY_INLINE __m512i Round(__m512 low, __m512 high) {
  __m512i rounded;
  asm("vcvtne2ps2bf16 %2, %1, %0" : "=v"(rounded) : "v"(high), "v"(low));
  return rounded;
}

HWY_INLINE __mmask16 FirstLanes(size_t count) { return static_cast<__mmask16>(count >= kLanes ? 0xFFFFu : (1u << count) - 1u); }
HWY_INLINE __m512 LoadFirst(const float *p, size_t count) { return _mm512_maskz_loadu_ps(FirstLanes(count), p); }
// Channels k ..< k + 32 of a row of K.
HWY_INLINE __m512i RoundChannels(const float *row, size_t k, size_t K) {
  return Round(LoadFirst(row + k, K - k), K - k > kLanes ? LoadFirst(row + k + kLanes, K - k - kLanes) : _mm512_setzero_ps());
}
HWY_INLINE __m512i PairOf(const uint16_t *p) {
  int32_t pair;
  memcpy(&pair, p, sizeof pair);
  return _mm512_set1_epi32(pair);
}

// One head of a few rows. Entries are counted from `begin`, a multiple of a strip.
struct Head {
  size_t K, pairs;    // of channels
  size_t count;       // entries at hand
  size_t width;       // of a row of scores
  float scale;
  uint32_t *keys;     // [strips, pairs, 16] two channels each
  uint32_t *values;   // [count / 2, channels rounded up to 16] two entries each
  uint16_t *queries;  // [kQueries, channels rounded up to 32]
  float *scores;      // [kQueries, width]; then weights in bf16 in the same rows

  size_t QueryWidth() const { return RoundUp(K, 2 * kLanes); }
  size_t ValueWidth() const { return RoundUp(K, kLanes); }
  const uint16_t *Query(size_t c) const { return queries + c * QueryWidth(); }
  const uint32_t *Strip(size_t strip) const { return keys + strip * pairs * kLanes; }
  float *Scores(size_t c) const { return scores + c * width; }
  uint16_t *Weights(size_t c) const { return reinterpret_cast<uint16_t *>(Scores(c)); }
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

void PackKeys(const Head &h, const float *k, size_t stride) {
  uint32_t *out = h.keys;
  for (size_t first = 0; first < h.count; first += kLanes) {
    const size_t entries = HWY_MIN(kLanes, h.count - first);
    for (size_t channel = 0; channel < h.K; channel += 2 * kLanes) {
      __m512i rows[kLanes];
      for (size_t i = 0; i < kLanes; ++i) {
        rows[i] = i < entries ? RoundChannels(k + (first + i) * stride, channel, h.K) : _mm512_setzero_si512();
      }
      Transpose(rows);
      const size_t pairs = HWY_MIN(kLanes, h.pairs - channel / 2);
      for (size_t i = 0; i < pairs; ++i, out += kLanes) _mm512_storeu_si512(out, rows[i]);
    }
  }
}

void PackValues(const Head &h, const float *v, size_t stride) {
  HWY_ALIGN uint16_t order[2 * kLanes];
  for (size_t i = 0; i < kLanes; ++i) {
    order[2 * i] = static_cast<uint16_t>(i);
    order[2 * i + 1] = static_cast<uint16_t>(kLanes + i);
  }
  const __m512i interleaved = _mm512_load_si512(order);
  uint32_t *out = h.values;
  for (size_t entry = 0; entry < h.count; entry += 2) {
    const float *row = v + entry * stride;
    for (size_t k = 0; k < h.K; k += kLanes, out += kLanes) {
      const __m512 even = LoadFirst(row + k, h.K - k);
      const __m512 odd = entry + 1 < h.count ? LoadFirst(row + stride + k, h.K - k) : _mm512_setzero_ps();
      _mm512_storeu_si512(out, _mm512_permutexvar_epi16(interleaved, Round(even, odd)));
    }
  }
}

// Scores of C queries and S strips of entries, not yet scaled. The sum runs over pairs of channels in order.
template <size_t C, size_t S>
HWY_INLINE void ScoreStrips(const Head &h, size_t strip) {
  __m512 sum[C][S];
  HWY_UNROLL(8)
  for (size_t c = 0; c < C; ++c) {
    for (size_t s = 0; s < S; ++s) sum[c][s] = _mm512_setzero_ps();
  }
  const uint16_t *query = h.queries;
  const size_t query_width = h.QueryWidth();
  for (size_t pair = 0; pair < h.pairs; ++pair) {
    __m512i keys[S];
    for (size_t s = 0; s < S; ++s) keys[s] = _mm512_loadu_si512(h.Strip(strip + s) + pair * kLanes);
    HWY_UNROLL(8)
    for (size_t c = 0; c < C; ++c) {
      const __m512i channels = PairOf(query + c * query_width + 2 * pair);
      for (size_t s = 0; s < S; ++s) sum[c][s] = AddProducts(keys[s], channels, sum[c][s]);
    }
  }
  HWY_UNROLL(8)
  for (size_t c = 0; c < C; ++c) {
    for (size_t s = 0; s < S; ++s) _mm512_storeu_ps(h.Scores(c) + (strip + s) * kLanes, sum[c][s]);
  }
}

// exp2(x) for x ≤ 0, within 2^-13.7, a fraction of what rounding to bf16 changes. NaN for NaN.
HWY_INLINE __m512 Exp2(__m512 x) {
  const __m512 bounded = _mm512_max_ps(_mm512_set1_ps(-150.0f), x);
  const __m512 whole = _mm512_roundscale_ps(bounded, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 part = _mm512_sub_ps(bounded, whole);
  __m512 power = _mm512_fmadd_ps(_mm512_set1_ps(0.05517167f), part, _mm512_set1_ps(0.24261113f));
  power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(0.69326097f));
  power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(0.99992806f));
  return _mm512_scalef_ps(power, whole);
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

// Scores begin ..< end of a row, multiples of 16, become weights exp(scale · (score − greatest)) in bf16. Returns 1 over
// their sum, which is that of the rounded ones; 0 where nothing is seen.
HWY_INLINE float Weigh(const Head &h, size_t c, const Sight &sight, size_t begin, size_t end) {
  const float *scores = h.Scores(c);
  uint16_t *weights = h.Weights(c);
  __m512 most = _mm512_set1_ps(-HUGE_VALF);
  for (size_t j = begin; j < end; j += kLanes) most = _mm512_max_ps(sight.Of(scores, j), most);
  const float greatest = _mm512_reduce_max_ps(most);
  const float factor = h.scale * 1.44269504f;
  const __m512 slope = _mm512_set1_ps(factor);
  const __m512 shift = _mm512_set1_ps(greatest == -HUGE_VALF ? 0.0f : greatest * factor);
  const __m512i ones = _mm512_set1_epi32(0x3F803F80);
  __m512 sum = _mm512_setzero_ps();
  for (size_t j = begin; j < end; j += 2 * kLanes) {
    const __m512 low = Exp2(_mm512_fmsub_ps(sight.Of(scores, j), slope, shift));
    const __m512 high =
        j + kLanes < end ? Exp2(_mm512_fmsub_ps(sight.Of(scores, j + kLanes), slope, shift)) : _mm512_setzero_ps();
    const __m512i rounded = Round(low, high);
    _mm512_storeu_si512(weights + j, rounded);
    sum = AddProducts(rounded, ones, sum);
  }
  const float total = _mm512_reduce_add_ps(sum);
  return total == 0 ? 0.0f : 1.0f / total;
}

// out[c] = inverse[c] · Σ_j weight[c][j] · value[j] over pairs of entries begin ..< end, in order, for C rows and U vectors of
// channels from k on.
template <size_t C, size_t U>
HWY_INLINE void GatherChannels(const Head &h, size_t k, size_t begin, size_t end, const float *inverse, float *out,
                               size_t out_stride) {
  __m512 sum[C][U];
  HWY_UNROLL(8)
  for (size_t c = 0; c < C; ++c) {
    for (size_t u = 0; u < U; ++u) sum[c][u] = _mm512_setzero_ps();
  }
  const size_t value_width = h.ValueWidth(), weight_width = 2 * h.width;
  const uint32_t *value = h.values + begin / 2 * value_width + k;
  const uint16_t *weight = h.Weights(0);
  for (size_t j = begin; j < end; j += 2, value += value_width) {
    __m512i values[U];
    for (size_t u = 0; u < U; ++u) values[u] = _mm512_loadu_si512(value + u * kLanes);
    HWY_UNROLL(8)
    for (size_t c = 0; c < C; ++c) {
      const __m512i pair = PairOf(weight + c * weight_width + j);
      for (size_t u = 0; u < U; ++u) sum[c][u] = AddProducts(values[u], pair, sum[c][u]);
    }
  }
  HWY_UNROLL(8)
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
template <size_t C>
HWY_NOINLINE void Tile(const Head &h, const Sight *sights, float *out, size_t out_stride) {
  size_t first = h.count, end = 0;
  for (size_t c = 0; c < C; ++c) {
    first = HWY_MIN(first, sights[c].from);
    end = HWY_MAX(end, sights[c].to);
  }
  const size_t begin = HWY_MIN(first, end) / kLanes * kLanes, last = RoundUp(end, kLanes);
  size_t strip = begin / kLanes;
  for (; strip + 2 <= last / kLanes; strip += 2) ScoreStrips<C, 2>(h, strip);
  if (strip < last / kLanes) ScoreStrips<C, 1>(h, strip);
  float inverse[C];
  for (size_t c = 0; c < C; ++c) inverse[c] = Weigh(h, c, sights[c], begin, last);
  size_t k = 0;
  for (; k + kLanes < h.K; k += 2 * kLanes) GatherChannels<C, 2>(h, k, begin, end, inverse, out, out_stride);
  if (k < h.K) GatherChannels<C, 1>(h, k, begin, end, inverse, out, out_stride);
}

// `rows` ≤ C rows.
template <size_t C>
HWY_INLINE void AnyTile(const Head &h, size_t rows, const Sight *sights, float *out, size_t out_stride) {
  if (rows == C) return Tile<C>(h, sights, out, out_stride);
  if constexpr (C > 1) AnyTile<C - 1>(h, rows, sights, out, out_stride);
}

size_t PairScratch(size_t entries, size_t K) {
  const size_t count = RoundUp(entries, kLanes) + kLanes, width = count + kLanes;
  return count * ((K + 1) / 2) + count / 2 * RoundUp(K, kLanes) + kQueries * (RoundUp(K, 2 * kLanes) / 2 + width);
}

void AttendPairs(const float *q, size_t q_stride, const float *k, const float *v, size_t stride, float *out, size_t out_stride,
                 size_t rows, const int32_t *firsts, const int32_t *lengths, size_t heads, size_t K, float scale,
                 float *scratch) {
  size_t begin = SIZE_MAX, end = 0;
  for (size_t row = 0; row < rows; ++row) {
    const size_t first = firsts ? static_cast<size_t>(firsts[row]) : 0, length = static_cast<size_t>(lengths[row]);
    if (first >= length) continue;
    begin = HWY_MIN(begin, first);
    end = HWY_MAX(end, length);
  }
  begin = HWY_MIN(begin, end) / kLanes * kLanes;
  Head h;
  h.K = K;
  h.pairs = (K + 1) / 2;
  h.count = end - begin;
  h.scale = scale;
  const size_t count = RoundUp(h.count, kLanes);
  // A row's last vector of weights may be half of what is written; rows that lie apart by a power of two share places in a cache.
  h.width = count + kLanes;
  h.keys = reinterpret_cast<uint32_t *>(scratch);
  h.values = h.keys + count * h.pairs;
  h.queries = reinterpret_cast<uint16_t *>(h.values + (count + 1) / 2 * h.ValueWidth());
  h.scores = reinterpret_cast<float *>(h.queries + kQueries * h.QueryWidth());
  PackKeys(h, k + begin * stride, stride);
  PackValues(h, v + begin * stride, stride);
  for (size_t head = 0; head < heads; ++head) {
    for (size_t row = 0; row < rows; row += kQueries) {
      const size_t n = HWY_MIN(kQueries, rows - row);
      Sight sights[kQueries];
      for (size_t c = 0; c < n; ++c) {
        const size_t first = firsts ? static_cast<size_t>(firsts[row + c]) : 0, length = static_cast<size_t>(lengths[row + c]);
        sights[c] = first < length ? Sight{first - begin, length - begin} : Sight{h.count, 0};
        const float *query = q + (row + c) * q_stride + head * K;
        for (size_t channel = 0; channel < K; channel += 2 * kLanes) {
          _mm512_storeu_si512(h.queries + c * h.QueryWidth() + channel, RoundChannels(query, channel, K));
        }
      }
      AnyTile<kQueries>(h, n, sights, out + row * out_stride + head * K, out_stride);
    }
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
using namespace rally;

extern "C" size_t rk_attention_bf16_scratch(size_t entries, size_t K) {
#if HWY_ARCH_X86
  return N_AVX3::PairScratch(entries, K);
#else
  return (void)entries, (void)K, 0;
#endif
}

extern "C" void rk_attention_bf16(const float *q, size_t q_stride, const float *k, const float *v, size_t stride, float *out,
                                  size_t out_stride, size_t rows, const int32_t *firsts, const int32_t *lengths, size_t heads,
                                  size_t K, float scale, float *scratch) {
#if HWY_ARCH_X86
  N_AVX3::AttendPairs(q, q_stride, k, v, stride, out, out_stride, rows, firsts, lengths, heads, K, scale, scratch);
#else
  (void)q, (void)q_stride, (void)k, (void)v, (void)stride, (void)out, (void)out_stride, (void)rows, (void)firsts, (void)lengths;
  (void)heads, (void)K, (void)scale, (void)scratch;
#endif
}
#endif
