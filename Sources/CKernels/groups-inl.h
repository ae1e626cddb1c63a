// Products of int8 rows and of int8 or q4 weights that both have a scale for each group of inputs, compiled once per
// instruction set.
//
// The integer sum of a group is exact. It is rounded to f32, multiplied by the scale of the row's group, and added with
// the scale of the weights' group in one fused multiply-add. Groups are added up in order, in one register: the same bits
// on every processor. Where whole rows have one scale, there is one group.
#if defined(RALLY_GROUPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RALLY_GROUPS_INL_H_
#undef RALLY_GROUPS_INL_H_
#else
#define RALLY_GROUPS_INL_H_
#endif

#include <math.h>

#include "int4-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

// x · y + z, rounded once.
template <class D, class Vector = hn::Vec<D>>
HWY_INLINE Vector Fused(D d, Vector x, Vector y, Vector z) {
#if HWY_NATIVE_FMA
  (void)d;
  return hn::MulAdd(x, y, z);
#else
  HWY_ALIGN float xs[HWY_MAX_BYTES / sizeof(float)], ys[HWY_MAX_BYTES / sizeof(float)], zs[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(x, d, xs);
  hn::Store(y, d, ys);
  hn::Store(z, d, zs);
  for (size_t i = 0; i < hn::Lanes(d); ++i) zs[i] = fmaf(xs[i], ys[i], zs[i]);
  return hn::Load(d, zs);
#endif
}

// int8 weights; `Integers` is a format of int8-inl.h. Their scales stand apart.
template <class Integers>
struct Groups : Integers {
  static constexpr bool kIsGrouped = true;
  // A row of a tile has two integer sums of the group, and as many vectors of totals as those make. 7 rows fill 28 of 32
  // registers; 14 would put the totals on the stack. Measured, one core of an AMD Zen 5, K 768, N 3072, 256 rows: 14 rows a
  // tile 560 GOP/s, 7 rows 705, 6 rows 715. Up to 8 rows in one pass read their weights once: 520 against 450.
  static constexpr size_t kTileRows = HWY_CAP_GE512 ? 7 : 4, kFewRows = HWY_CAP_GE512 ? 8 : 4;
  static constexpr size_t kGroupBytes = 0;
  using Floats = typename Integers::Floats;

  // The first output of vector v of a unit.
  static HWY_INLINE size_t Output(size_t unit, size_t v) {
    return unit * (kColumns / Integers::kUnits) + v * hn::Lanes(Floats());
  }
  static HWY_INLINE hn::Vec<Floats> Scales(const Int8Product &p, const uint8_t *, size_t output, size_t group) {
    return hn::LoadU(Floats(), p.scales + (output / kColumns * p.groups + group) * kColumns + output % kColumns);
  }
};

// q4 weights; `Integers` is a format of int4-inl.h. After each group of a strip stand its scales, in f16.
template <class Integers>
struct HalfGroups : Integers {
  static constexpr bool kIsGrouped = true;
  static constexpr size_t kTileRows = Groups<Integers>::kTileRows, kFewRows = Groups<Integers>::kFewRows;
  static constexpr size_t kGroupBytes = kColumns * sizeof(uint16_t);
  using Floats = typename Integers::Floats;

  static HWY_INLINE size_t Output(size_t unit, size_t v) {
    return unit / Integers::kUnits * kColumns + unit % Integers::kUnits * (kColumns / 2 / Integers::kUnits)
           + v * (kColumns / 2);
  }
  static HWY_INLINE hn::Vec<Floats> Scales(const Int8Product &, const uint8_t *end, size_t output, size_t) {
    const hn::Rebind<hwy::float16_t, Floats> halves;
    const auto *scales = reinterpret_cast<const hwy::float16_t *>(end);
    return hn::PromoteTo(Floats(), hn::LoadU(halves, scales + output % kColumns));
  }
};

template <class Format, size_t R, size_t S>
HWY_NOINLINE void GroupTile(const Int8Product &p, size_t row, size_t unit, Fetch fetch) {
  using Floats = typename Format::Floats;
  using Vector = hn::Vec<Floats>;
  constexpr size_t kVectors = Format::kVectors;
  Vector total[R][S][kVectors];
  HWY_UNROLL(16)
  for (size_t r = 0; r < R; ++r) {
    for (size_t s = 0; s < S; ++s) {
      for (size_t v = 0; v < kVectors; ++v) total[r][s][v] = hn::Zero(Floats());
    }
  }
  const uint8_t *weights[S];
  for (size_t s = 0; s < S; ++s) weights[s] = WeightsOf<Format>(p, unit + s);
  const int8_t *x = p.x + row * p.x_stride;
  size_t step = 0;
  for (size_t group = 0; group < p.groups; ++group) {
    typename Format::Sum sum[R][S][2];
    HWY_UNROLL(16)
    for (size_t r = 0; r < R; ++r) {
      const auto start = Format::Start(p.starts[(row + r) * p.groups + group]);
      for (size_t s = 0; s < S; ++s) sum[r][s][0] = sum[r][s][1] = start;
    }
    const size_t end = HWY_MIN(step + p.group_steps, p.steps);
    for (; step < end; ++step) AddStep<Format, R, S>(p, x, weights, step, fetch, sum);
    Vector scales[S][kVectors];
    for (size_t s = 0; s < S; ++s) {
      const uint8_t *after = weights[s] + step * Format::kStepBytes - (unit + s) % Format::kUnits * Format::kUnitBytes;
      for (size_t v = 0; v < kVectors; ++v) scales[s][v] = Format::Scales(p, after, Format::Output(unit + s, v), group);
      weights[s] += Format::kGroupBytes;
    }
    HWY_UNROLL(16)
    for (size_t r = 0; r < R; ++r) {
      const size_t place = (row + r) * p.groups + group;
      const Vector row_scale = hn::Set(Floats(), p.row_scales[place]);
      for (size_t s = 0; s < S; ++s) {
        Vector sums[kVectors];
        Format::Finish(sum[r][s][0], sum[r][s][1], p.starts[place], sums);
        for (size_t v = 0; v < kVectors; ++v) {
          total[r][s][v] = Fused(Floats(), hn::Mul(sums[v], row_scale), scales[s][v], total[r][s][v]);
        }
      }
    }
  }
  HWY_UNROLL(16)
  for (size_t r = 0; r < R; ++r) {
    for (size_t s = 0; s < S; ++s) {
      for (size_t v = 0; v < kVectors; ++v) {
        StoreOutputs(Floats(), total[r][s][v], p, row + r, Format::Output(unit + s, v));
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();
#endif
