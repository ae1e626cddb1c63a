#include "targets.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention.cpp"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>

#include "entries-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

// Keys that are weighed together: two pages, so that the sums over lanes are few.
constexpr size_t kBlock = 2 * kPage;

// Lanes of work that share what is loaded of keys and values: two vectors of sums each, so 16 of 32
// registers, 8 of 16; the others hold two vectors of keys and a broadcast. Emulated vectors are in memory anyway.
constexpr size_t kWorks = HWY_TARGET == HWY_EMU128 ? 1 : HWY_CAP_GE512 ? 8 : 4;

// One key/value head's share of a call. A *lane of work* is one query head of one row; `heads` of
// them per row share every key and value that is loaded.
struct Group {
  const float *q;
  size_t q_stride;
  float *out;
  size_t out_stride;
  const int32_t *firsts;  // NULL: every row sees from entry 0 on
  const int32_t *lengths;
  size_t heads;           // query heads per key/value head
  size_t K;
  const uint8_t *const *pages;
  size_t page_count;      // of those that are fetched ahead
  size_t offset;          // of this head within a page, in bytes
  float scale;
  // scratch
  float *scores;          // [kWorks, kBlock]
  float *largest;         // [rows · heads] running maximum
  float *sums;            // [rows · heads, lanes] running Σ exp, by lane

  const float *Query(size_t work) const { return q + work / heads * q_stride + work % heads * K; }
  float *Out(size_t work) const { return out + work / heads * out_stride + work % heads * K; }
  size_t First(size_t work) const { return firsts ? static_cast<size_t>(firsts[work / heads]) : 0; }
  size_t Length(size_t work) const { return static_cast<size_t>(lengths[work / heads]); }
  template <class T>
  const T *Keys(size_t page) const {  // [K, kPage]
    return reinterpret_cast<const T *>(pages[page] + offset);
  }
  template <class T>
  const T *Values(size_t page) const {  // [kPage, K]
    return reinterpret_cast<const T *>(pages[page] + offset + Pages<T>::HalfBytes(K));
  }
  // The page that takes the place of this one in the next block; itself where nothing is to be fetched ahead.
  size_t Next(size_t page) const { return page + kBlock / kPage < page_count ? page + kBlock / kPage : page; }
  // Of these keys, or values, where they have some, [groups, kPage].
  template <class T>
  const float *Scales(const T *elements) const {
    return reinterpret_cast<const float *>(elements + kPage * K);
  }
};

// Asks for what lies `ahead` bytes from the two vectors at p: short runs of a page end before the processor sees them coming.
template <size_t kBytesPerLane>
HWY_INLINE void Fetch(const void *p, ptrdiff_t ahead) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p) + ahead;
  for (size_t i = 0; i < kBytesPerLane * hn::Lanes(F()); i += 64) {
    hwy::Prefetch(reinterpret_cast<const uint8_t *>(address + i));
  }
}

HWY_INLINE ptrdiff_t Distance(const void *from, const void *to) {
  return static_cast<ptrdiff_t>(reinterpret_cast<uintptr_t>(to) - reinterpret_cast<uintptr_t>(from));
}

// scores[c][at + j] = scale · Σ_k q[c][k] · keys[k][j] for C lanes of work and the keys of a page. The
// sum runs over k in order, whatever C is. After the last entry the page may hold anything.
template <class Format, size_t C>
HWY_INLINE void Scores(const Group &g, size_t first, size_t page, size_t at) {
  const F d;
  const size_t N = hn::Lanes(d);
  const V scale = hn::Set(d, g.scale);
  const float *q[C];
  HWY_UNROLL(8)
  for (size_t c = 0; c < C; ++c) q[c] = g.Query(first + c);
  for (size_t j = 0; j < kPage; j += 2 * N) {
    const auto *page_keys = g.Keys<typename Format::Element>(page);
    const typename Format::Element *HWY_RESTRICT keys = page_keys + j;
    const ptrdiff_t ahead = Distance(page_keys, g.Keys<typename Format::Element>(g.Next(page)));
    V a[C], b[C];
    HWY_UNROLL(8)
    for (size_t c = 0; c < C; ++c) a[c] = b[c] = hn::Zero(d);
    for (size_t k = 0; k < g.K;) {
      const auto scales = Format::OfKeys(d, g.Scales(page_keys), k, j);
      const size_t end = Format::GroupEnd(k, g.K);
      for (; k < end; ++k, keys += kPage) {
        if (ahead != 0) Fetch<2 * sizeof(typename Format::Element)>(keys, ahead);
        const V low = Format::Low(Format::Load(d, keys), scales);
        const V high = Format::High(Format::Load(d, keys + N), scales);
        HWY_UNROLL(8)
        for (size_t c = 0; c < C; ++c) {
          const V element = hn::Set(d, q[c][k]);
          a[c] = hn::MulAdd(element, low, a[c]);
          b[c] = hn::MulAdd(element, high, b[c]);
        }
      }
    }
    HWY_UNROLL(8)
    for (size_t c = 0; c < C; ++c) {
      hn::StoreU(hn::Mul(a[c], scale), d, g.scores + c * kBlock + at + j);
      hn::StoreU(hn::Mul(b[c], scale), d, g.scores + c * kBlock + at + j + N);
    }
  }
}

// What a lane of work sees of the block of keys at `start`: keys from ..< to of it.
struct Sight {
  size_t from, to;
  bool is_first;  // no block before this one was seen
  bool IsEmpty() const { return from >= to; }
};

HWY_INLINE Sight SightOf(const Group &g, size_t work, size_t start) {
  const size_t first = g.First(work), length = g.Length(work);
  Sight sight;
  sight.from = first > start ? first - start : 0;
  sight.to = length <= start ? 0 : length - start < kBlock ? length - start : kBlock;
  sight.is_first = first / kBlock * kBlock == start;
  return sight;
}

// Turns the scores of lane c, keys from ..< to of a block, into weights exp(score − maximum).
// Returns the factor that what was gathered before must shrink by.
HWY_NOINLINE float Weigh(const Group &g, size_t c, size_t work, const Sight &sight) {
  const F d;
  const size_t N = hn::Lanes(d);
  float *scores = g.scores + c * kBlock;
  const V lowest = hn::Set(d, -HUGE_VALF);
  V most = lowest;
  // Lanes stand for the same places of a block whatever the range, so that a sum has one order.
  const size_t begin = sight.from / N * N, count = sight.to;
  for (size_t j = begin; j < count; j += N) {
    V v = hn::LoadU(d, scores + j);
    const bool cut = count - j < N || j < sight.from;
    if (count - j < N) v = hn::IfThenElse(hn::FirstN(d, count - j), v, lowest);
    if (j < sight.from) v = hn::IfThenElse(hn::FirstN(d, sight.from - j), lowest, v);
    if (cut) hn::StoreU(v, d, scores + j);
    most = hn::IfThenElse(hn::Gt(v, most), v, most);
  }
  const float before = g.largest[work];
  const float here = hn::GetLane(hn::MaxOfLanes(d, most));
  const float largest = !sight.is_first && before > here ? before : here;
  const float factor = sight.is_first || largest == before ? 1.0f : hn::GetLane(ExpOf(d, hn::Set(d, before - largest)));
  const V shift = hn::Set(d, largest);
  float *sums = g.sums + work * N;
  V sum = sight.is_first ? hn::Zero(d) : hn::Mul(hn::LoadU(d, sums), hn::Set(d, factor));
  for (size_t j = begin; j < count; j += N) {
    const V weight = ExpOfNegative(d, hn::Sub(hn::LoadU(d, scores + j), shift));
    hn::StoreU(weight, d, scores + j);
    sum = hn::Add(sum, weight);
  }
  hn::StoreU(sum, d, sums);
  g.largest[work] = largest;
  return factor;
}

// out[c] = factor[c] · out[c] + Σ_j weight[c][j] · value[start + j] over keys from ..< to, for C lanes
// of work beginning with lane `lane` of the scores and two vectors of the head's width at a time; what
// was in `out` counts only for lanes that are not fresh. The sum runs over keys in order, whatever C is.
template <class Format, size_t C>
HWY_INLINE void Gather(const Group &g, size_t first, size_t lane, size_t start, size_t from, size_t to, const float *factor,
                       const bool *fresh) {
  const F d;
  const size_t N = hn::Lanes(d);
  const float *weights[C];
  float *out[C];
  HWY_UNROLL(8)
  for (size_t c = 0; c < C; ++c) {
    weights[c] = g.scores + (lane + c) * kBlock;
    out[c] = g.Out(first + c);
  }
  for (size_t k = 0; k < g.K; k += 2 * N) {
    const size_t low_count = g.K - k < N ? g.K - k : N;
    const size_t high_count = g.K - k - low_count < N ? g.K - k - low_count : N;
    const bool whole = high_count == N;
    V a[C], b[C];
    HWY_UNROLL(8)
    for (size_t c = 0; c < C; ++c) {
      a[c] = b[c] = hn::Zero(d);
      if (!fresh[c]) {
        const V f = hn::Set(d, factor[c]);
        a[c] = hn::Mul(f, LoadLanes(d, out[c] + k, low_count));
        b[c] = hn::Mul(f, LoadLanes(d, out[c] + k + low_count, high_count));
      }
    }
    for (size_t j = from; j < to;) {
      const size_t page = (start + j) / kPage;
      size_t place = (start + j) % kPage;
      const size_t end = to - j < kPage - place ? to : j + kPage - place;
      const auto *values = g.Values<typename Format::Element>(page);
      const typename Format::Element *HWY_RESTRICT value = values + place * g.K + k;
      const ptrdiff_t ahead = Distance(values, g.Values<typename Format::Element>(g.Next(page)));
      for (; j < end; ++j, ++place, value += g.K) {
        if (ahead != 0) Fetch<2 * sizeof(typename Format::Element)>(value, ahead);
        const auto scales = Format::OfValue(d, g.Scales(values), k, place);
        const V low = Format::Low(whole ? Format::Load(d, value) : LoadLanesOf<Format>(d, value, low_count), scales);
        const V high =
            Format::High(whole ? Format::Load(d, value + N) : LoadLanesOf<Format>(d, value + low_count, high_count), scales);
        HWY_UNROLL(8)
        for (size_t c = 0; c < C; ++c) {
          const V weight = hn::Set(d, weights[c][j]);
          a[c] = hn::MulAdd(weight, low, a[c]);
          b[c] = hn::MulAdd(weight, high, b[c]);
        }
      }
    }
    HWY_UNROLL(8)
    for (size_t c = 0; c < C; ++c) {
      if (whole) {
        hn::StoreU(a[c], d, out[c] + k);
        hn::StoreU(b[c], d, out[c] + k + N);
      } else {
        StoreTail(d, a[c], out[c] + k, low_count);
        StoreTail(d, b[c], out[c] + k + low_count, high_count);
      }
    }
  }
}

// The same for one lane alone, which is rare enough to be called.
template <class Format>
HWY_NOINLINE void GatherOne(const Group &g, size_t work, size_t lane, size_t start, size_t from, size_t to, float factor,
                            bool fresh) {
  Gather<Format, 1>(g, work, lane, start, from, to, &factor, &fresh);
}

// C lanes of work on one block of keys: what all of them see together, what only some see before and
// after it one by one.
template <class Format, size_t C>
HWY_NOINLINE void Step(const Group &g, size_t first, size_t start) {
  Sight sight[C];
  size_t least = kBlock, most = 0;           // any lane sees least ..< most
  size_t from = 0, to = kBlock;              // all of them see from ..< to
  for (size_t c = 0; c < C; ++c) {
    sight[c] = SightOf(g, first + c, start);
    from = sight[c].from > from ? sight[c].from : from;
    to = sight[c].to < to ? sight[c].to : to;
    if (sight[c].IsEmpty()) continue;
    least = sight[c].from < least ? sight[c].from : least;
    most = sight[c].to > most ? sight[c].to : most;
  }
  if (least >= most) return;
  if (least < kPage) Scores<Format, C>(g, first, start / kPage, 0);
  if (most > kPage) Scores<Format, C>(g, first, start / kPage + 1, kPage);
  float factor[C];
  bool fresh[C];
  for (size_t c = 0; c < C; ++c) {
    fresh[c] = sight[c].is_first;
    if (sight[c].IsEmpty()) continue;
    factor[c] = Weigh(g, c, first + c, sight[c]);
    const size_t end = from < to ? from : sight[c].to;
    if (sight[c].from >= end) continue;
    GatherOne<Format>(g, first + c, c, start, sight[c].from, end, factor[c], fresh[c]);
    factor[c] = 1;
    fresh[c] = false;
  }
  if (from >= to) return;
  Gather<Format, C>(g, first, 0, start, from, to, factor, fresh);
  for (size_t c = 0; c < C; ++c) {
    if (sight[c].to > to) GatherOne<Format>(g, first + c, c, start, to, sight[c].to, 1, false);
  }
}

// The last lanes of work, fewer than C.
template <class Format, size_t C>
HWY_INLINE void Rest(const Group &g, size_t first, size_t works, size_t start) {
  if constexpr (C > 0) {
    if (works - first == C) return Step<Format, C>(g, first, start);
    Rest<Format, C - 1>(g, first, works, start);
  }
}

template <class Format>
HWY_NOINLINE void AttendGroup(Group &g, size_t rows) {
  const F d;
  const size_t works = rows * g.heads;
  size_t longest = 0, earliest = SIZE_MAX;
  for (size_t row = 0; row < rows; ++row) {
    const size_t first = g.First(row * g.heads), length = g.Length(row * g.heads);
    if (first >= length) continue;
    longest = length > longest ? length : longest;
    earliest = first < earliest ? first : earliest;
  }
  // More work than one step finds them in the cache but once.
  g.page_count = works <= kWorks ? (longest + kPage - 1) / kPage : 0;
  for (size_t start = earliest / kBlock * kBlock; start < longest; start += kBlock) {
    size_t work = 0;
    for (; work + kWorks <= works; work += kWorks) Step<Format, kWorks>(g, work, start);
    Rest<Format, kWorks - 1>(g, work, works, start);
  }
  for (size_t work = 0; work < works; ++work) {
    float *out = g.Out(work);
    if (g.First(work) >= g.Length(work)) {
      memset(out, 0, g.K * sizeof(float));
      continue;
    }
    const V sum = hn::SumOfLanes(d, hn::LoadU(d, g.sums + work * hn::Lanes(d)));
    ForEach(g.K, out, out, [=](V v, size_t, size_t) HWY_ATTR { return hn::Div(v, sum); });
  }
}

template <class Format>
void Attend(const float *q, size_t q_stride, float *out, size_t out_stride, size_t rows, const int32_t *firsts,
            const int32_t *lengths, const void *const *pages, size_t H, size_t G, size_t K, size_t first_group,
            size_t group_count, float scale, float *scratch) {
  const size_t heads = H / G;
  Group g;
  g.q_stride = q_stride;
  g.out_stride = out_stride;
  g.firsts = firsts;
  g.lengths = lengths;
  g.heads = heads;
  g.K = K;
  g.pages = reinterpret_cast<const uint8_t *const *>(pages);
  g.scale = scale;
  g.scores = scratch;
  g.largest = g.scores + kWorks * kBlock;
  g.sums = g.largest + rows * heads;
  for (size_t group = first_group; group < first_group + group_count; ++group) {
    g.q = q + group * heads * K;
    g.out = out + group * heads * K;
    g.offset = group * Pages<typename Format::Element>::HeadBytes(K);
    AttendGroup<Format>(g, rows);
  }
}

void Attention(rk_cache_type type, const float *q, size_t q_stride, float *out, size_t out_stride, size_t rows,
               const int32_t *firsts, const int32_t *lengths, const void *const *pages, size_t H, size_t G, size_t K,
               size_t first_group, size_t group_count, float scale, float *scratch) {
  const auto attend = type == rk_cache_int8 ? Attend<Int8> : type == rk_cache_bf16 ? Attend<BF16> : Attend<F32>;
  attend(q, q_stride, out, out_stride, rows, firsts, lengths, pages, H, G, K, first_group, group_count, scale, scratch);
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(Attention);
}  // namespace rally

extern "C" size_t rk_attention_scratch(size_t rows, size_t H, size_t G) {
  // Of the widest instruction set, whose two vectors fill a page.
  const size_t works = 8, lanes = rk_attention_page / 2;
  return works * 2 * rk_attention_page + rows * (H / G) * (1 + lanes);
}

extern "C" void rk_attention(rk_cache_type type, const float *q, size_t q_stride, float *out, size_t out_stride, size_t rows,
                             const int32_t *firsts, const int32_t *lengths, const void *const *pages, size_t H, size_t G,
                             size_t K, size_t first_group, size_t group_count, float scale, float *scratch) {
  using namespace rally;
  HWY_DYNAMIC_DISPATCH(Attention)(type, q, q_stride, out, out_stride, rows, firsts, lengths, pages, H, G, K, first_group,
                                  group_count, scale, scratch);
}
#endif
