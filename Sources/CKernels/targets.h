// Which instruction sets the kernels are compiled for; include before hwy/foreach_target.h.
// SSSE3 and AVX3_DL would double code for machines that run SSE4 and AVX3 code as fast.
#pragma once
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
// The functions that choose one are ours (dispatch.cpp), not those of the shared libhwy.
#define HWY_STATIC_DEFINE
#include <string.h>

#include "include/ckernels.h"
