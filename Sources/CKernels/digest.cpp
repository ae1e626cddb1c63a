#include "targets.h"

#include <math.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "digest.cpp"
#include <hwy/foreach_target.h>

#include "vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

constexpr size_t kLanes = rk_digest_lanes;
constexpr size_t kBlock = kLanes * sizeof(uint64_t);

// Exclusive or, products with 33 and 513, and a rotation: each is a bijection of the lane. The second product
// spreads the topmost bit, which the first leaves alone.
void Digest(const uint8_t *HWY_RESTRICT bytes, size_t n, uint64_t *HWY_RESTRICT state) {
  const hn::CappedTag<uint64_t, kLanes> d;
  constexpr size_t kVectors = kLanes / HWY_MIN(HWY_LANES(uint64_t), kLanes);
  const size_t N = hn::Lanes(d);
  hn::Vec<decltype(d)> lanes[kVectors];
  for (size_t v = 0; v < kVectors; ++v) lanes[v] = hn::LoadU(d, state + v * N);
  const auto absorb = [&](const uint8_t *block) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kVectors; ++v) {
      const auto input = hn::LoadU(d, reinterpret_cast<const uint64_t *>(block) + v * N);
      const auto mixed = hn::Xor(lanes[v], input);
      const auto turned = hn::RotateRight<37>(hn::Add(mixed, hn::ShiftLeft<5>(mixed)));
      lanes[v] = hn::Add(turned, hn::ShiftLeft<9>(turned));
    }
  };
  size_t i = 0;
  for (; i + kBlock <= n; i += kBlock) absorb(bytes + i);
  if (i < n) {
    uint8_t rest[kBlock] = {};
    memcpy(rest, bytes + i, n - i);
    absorb(rest);
  }
  for (size_t v = 0; v < kVectors; ++v) hn::StoreU(lanes[v], d, state + v * N);
}

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(Digest);
}  // namespace rally

extern "C" void rk_digest(const void *bytes, size_t n, uint64_t *state) {
  using namespace rally;
  HWY_DYNAMIC_DISPATCH(Digest)(static_cast<const uint8_t *>(bytes), n, state);
}
#endif
