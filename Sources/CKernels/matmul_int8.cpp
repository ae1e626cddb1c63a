#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul_int8.cpp"
#include <hwy/foreach_target.h>

#include "groups-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

void MatMulInt8(const Int8Product &p, bool has_dot) {
#if HWY_TARGET == HWY_AVX3
  if (has_dot) return RunProduct<Groups<Int8Dot>>(p);
#endif
  (void)has_dot;
  RunProduct<Groups<Int8Pairs>>(p);
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
using Int8Product = Product<int8_t>;
HWY_EXPORT(MatMulInt8);
}  // namespace rally

using namespace rally;

extern "C" bool rk_has_dot(void) {
#if HWY_ARCH_X86
  static const bool has_dot = __builtin_cpu_supports("avx512vnni");
  return has_dot;
#else
  return false;
#endif
}

extern "C" void rk_matmul_pack_int8(const int8_t *weight, size_t n, size_t K, uint8_t *out) {
  for (size_t first = 0; first < n; first += rk_matmul_columns) {
    for (size_t k = 0; k < K; k += 4) {
      const size_t inputs = K - k < 4 ? K - k : 4;
      for (size_t j = 0; j < rk_matmul_columns; ++j, out += 4) {
        uint32_t four = 0;
        if (first + j < n) memcpy(&four, weight + (first + j) * K + k, inputs);
        four ^= rk_int8_zero * 0x01010101u;
        memcpy(out, &four, sizeof four);
      }
    }
  }
}

extern "C" void rk_matmul_pack_scales(const float *scales, size_t n, size_t groups, float *out) {
  for (size_t first = 0; first < n; first += rk_matmul_columns) {
    for (size_t group = 0; group < groups; ++group) {
      for (size_t j = 0; j < rk_matmul_columns; ++j) {
        *out++ = first + j < n ? scales[(first + j) * groups + group] : 0;
      }
    }
  }
}

extern "C" void rk_matmul_int8(const int8_t *x, size_t x_stride, const float *x_scales, const int32_t *starts, size_t group,
                               const uint8_t *packed, const float *scales, const float *bias, float *y, size_t y_stride,
                               size_t M, size_t n, size_t K) {
  if (M == 0) return;
  const size_t steps = (K + 3) / 4, group_steps = group == 0 ? steps : group / 4;
  HWY_DYNAMIC_DISPATCH(MatMulInt8)
  ({x, x_stride, packed, steps, y, y_stride, M, n, bias, x_scales, starts, scales, (steps + group_steps - 1) / group_steps,
    group_steps},
   rk_has_dot());
}
#endif
