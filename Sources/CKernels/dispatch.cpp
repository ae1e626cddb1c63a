// Highway's choice of an instruction set, made here instead of in libhwy: what is shared with every other user of
// libhwy in a process is then no longer shared, and the library needs one file less. Highway declares these
// functions (hwy/targets.h, 1.0) and calls them from its headers.
#include "targets.h"

#include <atomic>
#include <hwy/targets.h>

#define RALLY_HIDDEN __attribute__((visibility("hidden")))

namespace {

std::atomic<int64_t> disabled{0};

#if HWY_ARCH_X86
// The instructions that Highway compiles each set for (hwy/ops/set_macros-inl.h). The compiler's own functions also ask whether
// the system saves the registers.
int64_t Detected() {
  int64_t targets = HWY_EMU128;
  if (!__builtin_cpu_supports("ssse3") || !__builtin_cpu_supports("sse4.1") || !__builtin_cpu_supports("sse4.2")
      || !__builtin_cpu_supports("aes") || !__builtin_cpu_supports("pclmul")) {
    return targets;
  }
  targets |= HWY_SSE4;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi")
      || !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("lzcnt") || !__builtin_cpu_supports("f16c")) {
    return targets;
  }
  targets |= HWY_AVX2;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
      && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd")) {
    targets |= HWY_AVX3;
  }
  return targets;
}
#elif HWY_ARCH_ARM
int64_t Detected() { return HWY_NEON | HWY_EMU128; }
#else
int64_t Detected() { return HWY_STATIC_TARGET; }
#endif

}  // namespace

namespace hwy {

RALLY_HIDDEN int64_t SupportedTargets() {
  static const int64_t detected = Detected();
  const int64_t targets = detected & ~disabled.load(std::memory_order_relaxed);
  return targets != 0 ? targets : HWY_STATIC_TARGET;
}

RALLY_HIDDEN ChosenTarget &GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

RALLY_HIDDEN void DisableTargets(int64_t targets) {
  disabled.store(targets & ~HWY_STATIC_TARGET, std::memory_order_relaxed);
  GetChosenTarget().DeInit();
}

}  // namespace hwy
