// The loops that the matrix products of all formats share, compiled once per instruction set.
//
// Packed weights are *strips* of 32 outputs, one after the other. A strip is a list of *steps*, each
// one input (f32, bf16) or four (int8, q4) of all its outputs. A *unit* is the part of a strip whose
// weights fill two vectors per step: the whole strip where vectors have 512 bits.
//
// A tile is R rows times S units with all its sums in registers. A step loads the weights of the
// units, broadcasts an element of each row and multiplies. Each sum runs over the steps in order, in
// one register, so its bits depend neither on R nor on S.
#if defined(RALLY_MATMUL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RALLY_MATMUL_INL_H_
#undef RALLY_MATMUL_INL_H_
#else
#define RALLY_MATMUL_INL_H_
#endif

#include <hwy/cache_control.h>

#include "matmul.h"
#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

constexpr size_t kColumns = rk_matmul_columns;

// Rows of a tile of one unit, two sums each: 28 of 32 registers, 12 of 16; the others hold two
// weights, a broadcast and what they are made with. Formats may have their own.
constexpr size_t kMaxRows = HWY_CAP_GE512 ? 14 : 6;

// Units of a tile of R rows. Few rows take several, for 8 sums are needed to keep two multipliers of
// latency 4 busy, and several streams to keep memory busy. More units need more weight registers.
constexpr size_t kMaxSums = HWY_CAP_GE512 ? 24 : 12;
template <size_t R>
constexpr size_t kMaxUnits = 2 * R * 4 <= kMaxSums   ? 4
                             : 2 * R * 2 <= kMaxSums ? 2
                                                     : 1;

// Steps from a weight's prefetch to its use. Measured, one core of a Xeon with AVX-512, bf16, K 960,
// weights from memory: with 8 rows 58 GFLOP/s without, 84 with 32, 91 with 64, 87 with 96.
constexpr size_t kAhead = 64;

// The same for the second-level cache, where one tile reads a strip alone: bf16, 14 rows 112 GFLOP/s
// without, 130 with.
constexpr size_t kFarAhead = 256;

// The first `count` lanes. A function of its own: within every tile it would make the library a tenth larger.
template <class D, class Vector>
HWY_NOINLINE void StoreSome(D d, Vector v, const float *bias, float *y, size_t count) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, d, lanes);
  for (size_t i = 0; i < count; ++i) y[i] = bias == nullptr ? lanes[i] : lanes[i] + bias[i];
}

// Outputs first ..< first + Lanes(d) of a row, as far as there are so many.
template <class D, class Vector, class Input>
HWY_INLINE void StoreOutputs(D d, Vector v, const Product<Input> &p, size_t row, size_t first) {
  float *y = p.y + row * p.y_stride + first;
  const float *bias = p.bias == nullptr ? nullptr : p.bias + first;
  if (first + hn::Lanes(d) <= p.n) {
    hn::StoreU(bias == nullptr ? v : hn::Add(v, hn::LoadU(d, bias)), d, y);
  } else if (first < p.n) {
    StoreSome(d, v, bias, y, p.n - first);
  }
}

// Weights that a tile brings into the second-level cache on its way, for tiles to come: at each step the
// lines at `from` + step · `rate`.
struct Fetch {
  const uint8_t *from;
  size_t rate;
};

// Steps, and what stands after each group of them.
template <class Format>
HWY_INLINE size_t StripBytes(const Product<typename Format::Input> &p) {
  return p.steps * Format::kStepBytes + p.groups * Format::kGroupBytes;
}

template <class Format>
HWY_INLINE const uint8_t *WeightsOf(const Product<typename Format::Input> &p, size_t unit) {
  const size_t strip = unit / Format::kUnits, part = unit % Format::kUnits;
  return p.packed + strip * StripBytes<Format>(p) + part * Format::kUnitBytes;
}

// One step of a tile: x is its first row.
template <class Format, size_t R, size_t S>
HWY_INLINE void AddStep(const Product<typename Format::Input> &p, const typename Format::Input *x,
                        const uint8_t *const *weights, size_t step, Fetch fetch, typename Format::Sum (&sum)[R][S][2]) {
  for (size_t line = 0; line < Format::kStepBytes; line += 64) {
    __builtin_prefetch(fetch.from + step * fetch.rate + line, 0, 2);
  }
  typename Format::Weight a[S], b[S];
  for (size_t s = 0; s < S; ++s) {
    Format::Load(weights[s] + step * Format::kStepBytes, a[s], b[s]);
  }
  HWY_UNROLL(16)
  for (size_t r = 0; r < R; ++r) {
    const auto element = Format::Broadcast(x + r * p.x_stride, step);
    for (size_t s = 0; s < S; ++s) {
      sum[r][s][0] = Format::MulAdd(element, a[s], sum[r][s][0]);
      sum[r][s][1] = Format::MulAdd(element, b[s], sum[r][s][1]);
    }
  }
}

// In groups-inl.h.
template <class Format, size_t R, size_t S>
HWY_NOINLINE void GroupTile(const Product<int8_t> &p, size_t row, size_t unit, Fetch fetch);

template <class Format, size_t R, size_t S>
HWY_NOINLINE void RowTile(const Product<typename Format::Input> &p, size_t row, size_t unit, Fetch fetch) {
  typename Format::Sum sum[R][S][2];
  HWY_UNROLL(16)
  for (size_t r = 0; r < R; ++r) {
    for (size_t s = 0; s < S; ++s) sum[r][s][0] = sum[r][s][1] = Format::Zero();
  }
  const uint8_t *weights[S];
  for (size_t s = 0; s < S; ++s) weights[s] = WeightsOf<Format>(p, unit + s);
  const auto *x = p.x + row * p.x_stride;
  for (size_t step = 0; step < p.steps; ++step) AddStep<Format, R, S>(p, x, weights, step, fetch, sum);
  HWY_UNROLL(16)
  for (size_t r = 0; r < R; ++r) {
    for (size_t s = 0; s < S; ++s) {
      Format::Store(p, row + r, unit + s, sum[r][s][0], sum[r][s][1]);
    }
  }
}

template <class Format, size_t R, size_t S>
HWY_INLINE void Tile(const Product<typename Format::Input> &p, size_t row, size_t unit, Fetch fetch) {
  if constexpr (Format::kIsGrouped) return GroupTile<Format, R, S>(p, row, unit, fetch);
  else return RowTile<Format, R, S>(p, row, unit, fetch);
}

// `rows` ≤ R rows of one unit.
template <class Format, size_t R>
HWY_INLINE void RowsOfUnit(const Product<typename Format::Input> &p, size_t row, size_t rows, size_t unit, Fetch fetch) {
  if (rows == R) return Tile<Format, R, 1>(p, row, unit, fetch);
  if constexpr (R > 1) RowsOfUnit<Format, R - 1>(p, row, rows, unit, fetch);
}

// All `p.M` ≤ R rows of all units.
template <class Format, size_t R>
HWY_INLINE void FewRows(const Product<typename Format::Input> &p, size_t units) {
  if (p.M < R) {
    if constexpr (R > 1) FewRows<Format, R - 1>(p, units);
    return;
  }
  constexpr size_t S = kMaxUnits<R>;
  size_t unit = 0;
  // Streams of several units keep memory busy by themselves.
  const Fetch none = {p.packed, 0};
  for (; unit + S <= units; unit += S) Tile<Format, R, S>(p, 0, unit, none);
  for (; S > 2 && unit + 2 <= units; unit += 2) Tile < Format, R, S<2 ? 1 : 2>(p, 0, unit, none);
  for (; unit < units; ++unit) {
    const uint8_t *own = p.packed + unit / Format::kUnits * StripBytes<Format>(p);
    Tile<Format, R, 1>(p, 0, unit, {own + kFarAhead * Format::kStepBytes, Format::kStepBytes});
  }
}

// A tile writes its results all at once at its end: their lines come to the first-level cache meanwhile. int8,
// K 960, 512 rows: 604 GFLOP/s without, 621 with.
template <class Input>
HWY_INLINE void FetchResults(const Product<Input> &p, size_t row, size_t rows, size_t output) {
  for (size_t r = row; r < row + rows; ++r) {
    const float *y = p.y + r * p.y_stride + output;
    __builtin_prefetch(y, 1, 3);
    __builtin_prefetch(y + kColumns / 2, 1, 3);
  }
}

// Rows are cut into tiles that differ by one row at most. A unit's weights stay in the cache while
// the tiles pass, and each tile brings its share of the next strip from memory. Measured, one core of
// a Xeon with AVX-512, f32, K 960, weights from memory: 64 rows 118 GFLOP/s without, 145 with; 28 rows
// 107 and 121.
template <class Format>
HWY_INLINE void RunProduct(const Product<typename Format::Input> &p) {
  const size_t units = (p.n + kColumns - 1) / kColumns * Format::kUnits;
  if (p.M <= Format::kFewRows) return FewRows<Format, Format::kFewRows>(p, units);
  const size_t tiles = (p.M + Format::kTileRows - 1) / Format::kTileRows;
  const size_t strip_bytes = StripBytes<Format>(p);
  const size_t rate = (Format::kStepBytes + tiles - 1) / tiles;
  for (size_t unit = 0; unit < units; ++unit) {
    const uint8_t *next = p.packed + (unit / Format::kUnits + 1) * strip_bytes;
    size_t row = 0;
    for (size_t tile = 0; tile < tiles; ++tile) {
      const size_t rows = (p.M - row) / (tiles - tile);
      FetchResults(p, row, rows, unit / Format::kUnits * kColumns);
      RowsOfUnit<Format, Format::kTileRows>(p, row, rows, unit, {next + tile * rate * p.steps, rate});
      row += rows;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();
#endif
