#include "targets.h"

#include "include/ckernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cross_products.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Never wider than the padding of a row.
using D = hn::CappedTag<double, rk_cross_padding>;
using W = hn::Vec<D>;

// Values of a row that are taken together: four rows of each side are 16 KiB of the first-level cache.
constexpr size_t kChunk = 256;

// c[i, j] += Σ a[i, k] · b[j, k] over one chunk, four rows by four: eight loads for sixteen products.
HWY_INLINE void Tile(const double *HWY_RESTRICT a, size_t a_stride, const double *HWY_RESTRICT b, size_t b_stride, size_t count,
                     double *HWY_RESTRICT c, size_t c_stride, size_t c_step) {
  const D d;
  const size_t N = hn::Lanes(d);
  W s00 = hn::Zero(d), s01 = s00, s02 = s00, s03 = s00, s10 = s00, s11 = s00, s12 = s00, s13 = s00;
  W s20 = s00, s21 = s00, s22 = s00, s23 = s00, s30 = s00, s31 = s00, s32 = s00, s33 = s00;
  for (size_t k = 0; k < count; k += N) {
    const W b0 = hn::Load(d, b + k), b1 = hn::Load(d, b + b_stride + k);
    const W b2 = hn::Load(d, b + 2 * b_stride + k), b3 = hn::Load(d, b + 3 * b_stride + k);
    W v = hn::Load(d, a + k);
    s00 = hn::MulAdd(v, b0, s00), s01 = hn::MulAdd(v, b1, s01), s02 = hn::MulAdd(v, b2, s02), s03 = hn::MulAdd(v, b3, s03);
    v = hn::Load(d, a + a_stride + k);
    s10 = hn::MulAdd(v, b0, s10), s11 = hn::MulAdd(v, b1, s11), s12 = hn::MulAdd(v, b2, s12), s13 = hn::MulAdd(v, b3, s13);
    v = hn::Load(d, a + 2 * a_stride + k);
    s20 = hn::MulAdd(v, b0, s20), s21 = hn::MulAdd(v, b1, s21), s22 = hn::MulAdd(v, b2, s22), s23 = hn::MulAdd(v, b3, s23);
    v = hn::Load(d, a + 3 * a_stride + k);
    s30 = hn::MulAdd(v, b0, s30), s31 = hn::MulAdd(v, b1, s31), s32 = hn::MulAdd(v, b2, s32), s33 = hn::MulAdd(v, b3, s33);
  }
  const auto add = [&](size_t i, W s0, W s1, W s2, W s3) HWY_ATTR {
    double *row = c + i * c_stride;
    row[0] += hn::GetLane(hn::SumOfLanes(d, s0));
    row[c_step] += hn::GetLane(hn::SumOfLanes(d, s1));
    row[2 * c_step] += hn::GetLane(hn::SumOfLanes(d, s2));
    row[3 * c_step] += hn::GetLane(hn::SumOfLanes(d, s3));
  };
  add(0, s00, s01, s02, s03);
  add(1, s10, s11, s12, s13);
  add(2, s20, s21, s22, s23);
  add(3, s30, s31, s32, s33);
}

void CrossProducts(const double *a, size_t a_rows, size_t a_stride, const double *b, size_t b_rows, size_t b_stride,
                   size_t width, double *c, size_t c_stride, size_t c_step) {
  for (size_t start = 0; start < width; start += kChunk) {
    const size_t count = width - start < kChunk ? width - start : kChunk;
    for (size_t j = 0; j < b_rows; j += 4) {
      for (size_t i = 0; i < a_rows; i += 4) {
        Tile(a + i * a_stride + start, a_stride, b + j * b_stride + start, b_stride, count, c + i * c_stride + j * c_step,
             c_stride, c_step);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(CrossProducts);
}  // namespace rally

using namespace rally;

extern "C" void rk_cross_products(const double *a, size_t a_rows, size_t a_stride, const double *b, size_t b_rows,
                                  size_t b_stride, size_t width, double *c, size_t c_stride, size_t c_step) {
  HWY_DYNAMIC_DISPATCH(CrossProducts)(a, a_rows, a_stride, b, b_rows, b_stride, width, c, c_stride, c_step);
}

extern "C" void rk_permuted_traces(const double *c, size_t c_stride, const int32_t *permutation, size_t h, size_t parts,
                                   double *out) {
  for (size_t part = 0; part < parts; ++part) out[part] = 0;
  if (parts == 1) {
    // Four sums, so that a load need not wait for the addition before.
    double sums[4] = {};
    for (size_t i = 0; i < h; ++i) sums[i & 3] += c[i * c_stride + static_cast<size_t>(permutation[i])];
    out[0] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    return;
  }
  for (size_t i = 0; i < h; ++i) {
    const double *entry = c + i * c_stride + static_cast<size_t>(permutation[i]) * parts;
    for (size_t part = 0; part < parts; ++part) out[part] += entry[part];
  }
}
#endif
