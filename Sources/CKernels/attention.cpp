#include "targets.h"

#include <math.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention.cpp"
#include <hwy/foreach_target.h>

#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

// One key/value head's share of a call. A *lane of work* is one query head of one row; `heads` of
// them per row share every key and value that is loaded.
struct Group {
  const float *q;
  size_t q_stride;
  float *out;
  size_t out_stride;
  const int32_t *lengths;
  size_t heads;           // query heads per key/value head
  size_t K;
  const float *const *pages;
  size_t page_tokens, page_shift, entry;  // entry = G·K floats
  size_t offset;          // of this head within an entry
  float scale;
  // scratch
  float *keys;            // [K, block]: the block's keys transposed, so that lanes are keys
  float *scores;          // [rows · heads, block]
  float *largest;         // [rows · heads] running maximum
  float *sum;             // [rows · heads] running Σ exp

  const float *Query(size_t work) const {
    return q + work / heads * q_stride + work % heads * K;
  }
  float *Out(size_t work) const { return out + work / heads * out_stride + work % heads * K; }
  size_t Length(size_t work) const { return static_cast<size_t>(lengths[work / heads]); }
  const float *Key(size_t token) const {
    return pages[token >> page_shift] + (token & (page_tokens - 1)) * entry + offset;
  }
  const float *Value(size_t token) const { return Key(token) + page_tokens * entry; }
};

constexpr size_t kBlock = rk_attention_block;

// keys[k][j] = key of token start + j. Rows behind `count` keep what they held: their scores are
// masked. Four by four elements at a time, by 128-bit shuffles.
HWY_INLINE void TransposeKeys(const Group &g, size_t start, size_t count) {
  const hn::FixedTag<float, 4> d;
  const hn::Repartition<double, decltype(d)> d2;
  size_t j = 0;
  for (; j + 4 <= count; j += 4) {
    const float *r0 = g.Key(start + j), *r1 = g.Key(start + j + 1);
    const float *r2 = g.Key(start + j + 2), *r3 = g.Key(start + j + 3);
    float *column = g.keys + j;
    size_t k = 0;
    for (; k + 4 <= g.K; k += 4) {
      const auto a = hn::LoadU(d, r0 + k), b = hn::LoadU(d, r1 + k);
      const auto c = hn::LoadU(d, r2 + k), e = hn::LoadU(d, r3 + k);
      const auto ab_low = hn::BitCast(d2, hn::InterleaveLower(d, a, b));
      const auto ce_low = hn::BitCast(d2, hn::InterleaveLower(d, c, e));
      const auto ab_high = hn::BitCast(d2, hn::InterleaveUpper(d, a, b));
      const auto ce_high = hn::BitCast(d2, hn::InterleaveUpper(d, c, e));
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d2, ab_low, ce_low)), d, column + k * kBlock);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d2, ab_low, ce_low)), d, column + (k + 1) * kBlock);
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d2, ab_high, ce_high)), d, column + (k + 2) * kBlock);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d2, ab_high, ce_high)), d, column + (k + 3) * kBlock);
    }
    for (; k < g.K; ++k) {
      column[k * kBlock] = r0[k];
      column[k * kBlock + 1] = r1[k];
      column[k * kBlock + 2] = r2[k];
      column[k * kBlock + 3] = r3[k];
    }
  }
  for (; j < count; ++j) {
    const float *row = g.Key(start + j);
    for (size_t k = 0; k < g.K; ++k) g.keys[k * kBlock + j] = row[k];
  }
}

// scores[w][j] = scale · Σ_k q[w][k] · keys[k][j] for C lanes of work, two vectors of keys at a
// time: 2·C independent chains (C = 4 hides a latency of 4 on two units). The sum runs over k in
// order, whatever C is.
template <size_t C>
HWY_INLINE void Scores(const Group &g, size_t first, size_t count) {
  const F d;
  const size_t N = hn::Lanes(d);
  const V scale = hn::Set(d, g.scale);
  const float *q[4];
  for (size_t c = 0; c < 4; ++c) q[c] = g.Query(first + (c < C ? c : 0));
  for (size_t j = 0; j < count; j += 2 * N) {
    const float *HWY_RESTRICT keys = g.keys + j;
    V a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (size_t k = 0; k < g.K; ++k, keys += kBlock) {
      const V low = hn::LoadU(d, keys), high = hn::LoadU(d, keys + N);
      const V q0 = hn::Set(d, q[0][k]);
      a0 = hn::MulAdd(q0, low, a0);
      b0 = hn::MulAdd(q0, high, b0);
      if (C > 1) {
        const V q1 = hn::Set(d, q[1][k]);
        a1 = hn::MulAdd(q1, low, a1);
        b1 = hn::MulAdd(q1, high, b1);
      }
      if (C > 2) {
        const V q2 = hn::Set(d, q[2][k]);
        a2 = hn::MulAdd(q2, low, a2);
        b2 = hn::MulAdd(q2, high, b2);
      }
      if (C > 3) {
        const V q3 = hn::Set(d, q[3][k]);
        a3 = hn::MulAdd(q3, low, a3);
        b3 = hn::MulAdd(q3, high, b3);
      }
    }
    float *scores = g.scores + first * kBlock + j;
    hn::StoreU(hn::Mul(a0, scale), d, scores);
    hn::StoreU(hn::Mul(b0, scale), d, scores + N);
    if (C > 1) {
      hn::StoreU(hn::Mul(a1, scale), d, scores + kBlock);
      hn::StoreU(hn::Mul(b1, scale), d, scores + kBlock + N);
    }
    if (C > 2) {
      hn::StoreU(hn::Mul(a2, scale), d, scores + 2 * kBlock);
      hn::StoreU(hn::Mul(b2, scale), d, scores + 2 * kBlock + N);
    }
    if (C > 3) {
      hn::StoreU(hn::Mul(a3, scale), d, scores + 3 * kBlock);
      hn::StoreU(hn::Mul(b3, scale), d, scores + 3 * kBlock + N);
    }
  }
}

// Turns a lane's scores of `count` keys into weights exp(score − maximum), and rescales what it
// has gathered so far when the maximum grew.
HWY_INLINE void Weigh(const Group &g, size_t work, size_t start, size_t count) {
  const F d;
  float *scores = g.scores + work * kBlock;
  const float before = g.largest[work];
  const float here = LargestOf(scores, count);
  const float largest = start > 0 && before > here ? before : here;
  const V shift = hn::Set(d, largest);
  ForEach(count, scores, scores, [=](V v, size_t, size_t) HWY_ATTR { return ExpOf(d, hn::Sub(v, shift)); });
  const float sum = SumOf(count, scores, [](V v, size_t, size_t) HWY_ATTR { return v; });
  g.largest[work] = largest;
  if (start == 0) {
    g.sum[work] = sum;
    return;
  }
  if (largest == before) {
    g.sum[work] += sum;
    return;
  }
  const float factor = hn::GetLane(ExpOf(d, hn::Set(d, before - largest)));
  g.sum[work] = g.sum[work] * factor + sum;
  const V f = hn::Set(d, factor);
  float *out = g.Out(work);
  ForEach(g.K, out, out, [=](V v, size_t, size_t) HWY_ATTR { return hn::Mul(v, f); });
}

// out[w] += Σ_j weight[w][j] · value[start + j] over keys from ..< to, for C lanes of work and two
// vectors of the head's width at a time. The sum runs over keys in order, whatever C is.
template <size_t C>
HWY_INLINE void Gather(const Group &g, size_t first, size_t start, size_t from, size_t to) {
  const F d;
  const size_t N = hn::Lanes(d);
  const float *p[4];
  float *out[4];
  for (size_t c = 0; c < 4; ++c) {
    p[c] = g.scores + (first + (c < C ? c : 0)) * kBlock;
    out[c] = g.Out(first + (c < C ? c : 0));
  }
  for (size_t k = 0; k < g.K; k += 2 * N) {
    const size_t low_count = g.K - k < N ? g.K - k : N;
    const size_t high_count = g.K - k - low_count < N ? g.K - k - low_count : N;
    const bool whole = high_count == N;
    V a[C], b[C];
    for (size_t c = 0; c < C; ++c) {
      a[c] = LoadLanes(d, out[c] + k, low_count);
      b[c] = LoadLanes(d, out[c] + k + low_count, high_count);
    }
    for (size_t j = from; j < to; ++j) {
      const float *value = g.Value(start + j) + k;
      const V low = whole ? hn::LoadU(d, value) : LoadLanes(d, value, low_count);
      const V high = whole ? hn::LoadU(d, value + N) : LoadLanes(d, value + low_count, high_count);
      for (size_t c = 0; c < C; ++c) {
        const V weight = hn::Set(d, p[c][j]);
        a[c] = hn::MulAdd(weight, low, a[c]);
        b[c] = hn::MulAdd(weight, high, b[c]);
      }
    }
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

// How many of the block's keys a lane of work sees.
HWY_INLINE size_t Visible(const Group &g, size_t work, size_t start) {
  const size_t length = g.Length(work);
  if (length <= start) return 0;
  return length - start < kBlock ? length - start : kBlock;
}

// Up to four lanes of work on one block of keys.
template <size_t C>
HWY_INLINE void Step(const Group &g, size_t first, size_t start) {
  size_t visible[C], most = 0, least = kBlock;
  for (size_t c = 0; c < C; ++c) {
    visible[c] = Visible(g, first + c, start);
    most = visible[c] > most ? visible[c] : most;
    least = visible[c] < least ? visible[c] : least;
  }
  if (most == 0) return;
  Scores<C>(g, first, most);
  for (size_t c = 0; c < C; ++c) {
    if (visible[c] > 0) Weigh(g, first + c, start, visible[c]);
  }
  if (least > 0) Gather<C>(g, first, start, 0, least);
  if (most == least) return;
  for (size_t c = 0; c < C; ++c) {
    if (visible[c] > least) Gather<1>(g, first + c, start, least, visible[c]);
  }
}

HWY_NOINLINE void AttendGroup(const Group &g, size_t rows) {
  const F d;
  const size_t works = rows * g.heads;
  size_t longest = 0;
  for (size_t row = 0; row < rows; ++row) {
    const size_t length = static_cast<size_t>(g.lengths[row]);
    longest = length > longest ? length : longest;
    for (size_t head = 0; head < g.heads; ++head) {
      memset(g.Out(row * g.heads + head), 0, g.K * sizeof(float));
    }
  }
  for (size_t start = 0; start < longest; start += kBlock) {
    const size_t count = longest - start < kBlock ? longest - start : kBlock;
    TransposeKeys(g, start, count);
    size_t work = 0;
    for (; work + 4 <= works; work += 4) Step<4>(g, work, start);
    switch (works - work) {
      case 3: Step<3>(g, work, start); break;
      case 2: Step<2>(g, work, start); break;
      case 1: Step<1>(g, work, start); break;
    }
  }
  for (size_t work = 0; work < works; ++work) {
    if (g.Length(work) == 0) continue;
    float *out = g.Out(work);
    const V sum = hn::Set(d, g.sum[work]);
    ForEach(g.K, out, out, [=](V v, size_t, size_t) HWY_ATTR { return hn::Div(v, sum); });
  }
}

void Attention(const float *q, size_t q_stride, float *out, size_t out_stride, size_t rows,
               const int32_t *lengths, const float *const *pages, size_t page_tokens, size_t H,
               size_t G, size_t K, size_t first_group, size_t group_count, float scale,
               float *scratch) {
  const size_t heads = H / G, works = rows * heads;
  Group g;
  g.q_stride = q_stride;
  g.out_stride = out_stride;
  g.lengths = lengths;
  g.heads = heads;
  g.K = K;
  g.pages = pages;
  g.page_tokens = page_tokens;
  g.page_shift = 0;
  while ((size_t{1} << g.page_shift) < page_tokens) ++g.page_shift;
  g.entry = G * K;
  g.scale = scale;
  g.keys = scratch;
  g.scores = g.keys + K * kBlock;
  g.largest = g.scores + works * kBlock;
  g.sum = g.largest + works;
  // Columns behind the last key are multiplied before they are masked: any numbers will do.
  memset(g.keys, 0, K * kBlock * sizeof(float));
  for (size_t group = first_group; group < first_group + group_count; ++group) {
    g.q = q + group * heads * K;
    g.out = out + group * heads * K;
    g.offset = group * K;
    AttendGroup(g, rows);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(Attention);
}  // namespace rally

extern "C" size_t rk_attention_scratch(size_t rows, size_t H, size_t G, size_t K) {
  return K * rk_attention_block + rows * (H / G) * (rk_attention_block + 2);
}

extern "C" void rk_attention(const float *q, size_t q_stride, float *out, size_t out_stride,
                             size_t rows, const int32_t *lengths, const float *const *pages,
                             size_t page_tokens, size_t H, size_t G, size_t K, size_t first_group,
                             size_t group_count, float scale, float *scratch) {
  using namespace rally;
  HWY_DYNAMIC_DISPATCH(Attention)(q, q_stride, out, out_stride, rows, lengths, pages, page_tokens,
                                  H, G, K, first_group, group_count, scale, scratch);
}
#endif
