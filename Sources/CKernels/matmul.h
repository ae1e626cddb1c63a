#pragma once
#include <stddef.h>
#include <stdint.h>

namespace rally {

// One product y = x · Wᵀ + bias with W in packed strips. `Input` is what rows of x are made of.
template <class Input>
struct Product {
  const Input *x;  // [M, steps · inputs per step]
  size_t x_stride;
  const uint8_t *packed;
  size_t steps;
  float *y;  // [M, n]
  size_t y_stride;
  size_t M, n;
  const float *bias;  // [n], or NULL
  // int8 and q4 only: factors of rows' and weights' groups, [M, groups] and [strips, groups, 32], and where the sum of each
  // row's group starts, [M, groups]; steps of a group. q4 has the weights' factors among the packed weights.
  const float *row_scales = nullptr;
  const int32_t *starts = nullptr;
  const float *scales = nullptr;
  size_t groups = 1;
  size_t group_steps = 0;
};

}  // namespace rally
