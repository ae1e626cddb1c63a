#include "targets.h"

#include <math.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul_q4.cpp"
#include <hwy/foreach_target.h>

#include "groups-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

void MatMulQ4(const Int8Product &p, bool has_dot) {
#if HWY_TARGET == HWY_AVX3
  if (has_dot) return RunProduct<HalfGroups<Int4Dot>>(p);
#endif
  (void)has_dot;
  RunProduct<HalfGroups<Int4Pairs>>(p);
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(MatMulQ4);

constexpr size_t kGroup = rk_matmul_group, kHalf = rk_matmul_columns / 2;

// A group of two outputs: column j of a strip's eight steps.
static void PackColumn(const uint8_t *low, const uint8_t *high, size_t j, uint8_t *out) {
  for (size_t k = 0; k < kGroup / 2; ++k) {
    uint8_t *first = out + k / 4 * (4 * kHalf) + j * 4 + k % 4, *second = first + kGroup / 8 * (4 * kHalf);
    *first = static_cast<uint8_t>((low[k] & 0x0F) | high[k] << 4);
    *second = static_cast<uint8_t>(low[k] >> 4 | (high[k] & 0xF0));
  }
}
}  // namespace rally

using namespace rally;

extern "C" void rk_matmul_pack_q4(const uint8_t *rows, const float *scales, size_t n, size_t K, uint8_t *out) {
  const size_t groups = K / kGroup, row_bytes = K / 2, group_bytes = kGroup / 2;
  uint8_t zeros[kGroup / 2];
  memset(zeros, 0x88, sizeof zeros);
  const auto group_of = [&](size_t output, size_t group) {
    return output < n ? rows + output * row_bytes + group * group_bytes : zeros;
  };
  for (size_t first = 0; first < n; first += rk_matmul_columns) {
    for (size_t group = 0; group < groups; ++group) {
      for (size_t j = 0; j < kHalf; ++j) {
        PackColumn(group_of(first + j, group), group_of(first + kHalf + j, group), j, out);
      }
      out += kHalf * kGroup;
      float strip[rk_matmul_columns] = {};
      for (size_t j = 0; j < rk_matmul_columns && first + j < n; ++j) strip[j] = scales[(first + j) * groups + group];
      uint16_t halves[rk_matmul_columns];
      rk_f32_to_f16(strip, halves, rk_matmul_columns);
      memcpy(out, halves, sizeof halves);
      out += sizeof halves;
    }
  }
}

extern "C" void rk_matmul_q4(const int8_t *x, size_t x_stride, const float *x_scales, const int32_t *starts,
                             const uint8_t *packed, const float *bias, float *y, size_t y_stride, size_t M, size_t n,
                             size_t K) {
  if (M == 0) return;
  HWY_DYNAMIC_DISPATCH(MatMulQ4)
  ({x, x_stride, packed, K / 4, y, y_stride, M, n, bias, x_scales, starts, nullptr, K / kGroup, kGroup / 4}, rk_has_dot());
}
#endif
