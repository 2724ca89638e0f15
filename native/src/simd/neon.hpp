// NEON, which every ARM64 processor has. See simd.hpp.
#pragma once

#include <arm_neon.h>

namespace {
constexpr int kLanes = 16;
}
#include "vector.hpp"

namespace {

inline V shift_in_previous(V previous, V current) {
  return (V)vextq_u8((uint8x16_t)previous, (uint8x16_t)current, 15);
}

inline V shift_in_next(V current, V next) {
  return (V)vextq_u8((uint8x16_t)current, (uint8x16_t)next, 1);
}

inline V popcount(V bits) { return (V)vcntq_u8((uint8x16_t)bits); }

inline V add_saturated(V a, V b) { return (V)vqaddq_u8((uint8x16_t)a, (uint8x16_t)b); }

inline V half_sum(V a, V b) { return (V)vrhaddq_u8((uint8x16_t)a, (uint8x16_t)b); }

inline V look_up_64(V index, const u8* table) {
  return (V)vqtbl4q_u8(vld1q_u8_x4(table), (uint8x16_t)min(index, broadcast(63)));
}

inline V lowest_everywhere(V v) { return (V)vdupq_n_u8(vminvq_u8((uint8x16_t)v)); }

inline int first_equal(V a, V b) {
  return vminvq_u8((uint8x16_t)(a == b ? iota() : broadcast(kLanes)));
}

}  // namespace
