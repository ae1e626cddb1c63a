#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "target.cpp"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace rally {
namespace HWY_NAMESPACE {

const char *TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace rally
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rally {
HWY_EXPORT(TargetName);
}  // namespace rally

using namespace rally;

extern "C" const char *rk_target_name(void) { return HWY_DYNAMIC_DISPATCH(TargetName)(); }

#define RALLY_TEXT(x) #x
#define RALLY_VALUE(x) RALLY_TEXT(x)

extern "C" const char *rk_highway_version(void) {
  return RALLY_VALUE(HWY_MAJOR) "." RALLY_VALUE(HWY_MINOR) "." RALLY_VALUE(HWY_PATCH);
}

extern "C" void rk_limit_targets(rk_target_limit limit) {
#if HWY_ARCH_X86
  // Better instruction sets have lower bits.
  switch (limit) {
    case rk_limit_none: return hwy::DisableTargets(0);
    case rk_limit_avx2: return hwy::DisableTargets(HWY_AVX2 - 1);
    case rk_limit_sse4: return hwy::DisableTargets(HWY_SSE4 - 1);
  }
#else
  (void)limit;
#endif
}

extern "C" bool rk_processor_is_amd(void) {
#if HWY_ARCH_X86
  return __builtin_cpu_is("amd");
#else
  return false;
#endif
}

extern "C" void rk_spin_hint(void) { hwy::Pause(); }
#endif
