// Any processor: vector extensions alone, at several times the cost. See simd.hpp.
#pragma once

namespace {
constexpr int kLanes = 16;
}
#include "vector.hpp"

namespace {

inline V shift_in_previous(V previous, V current) {
  return __builtin_shufflevector(previous, current, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
                                 27, 28, 29, 30);
}

inline V shift_in_next(V current, V next) {
  return __builtin_shufflevector(current, next, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                 16);
}

inline V popcount(V bits) {
  const V pairs = bits - ((bits >> 1) & 0x55);
  const V nibbles = (pairs & 0x33) + ((pairs >> 2) & 0x33);
  return (nibbles + (nibbles >> 4)) & 0x0f;
}

inline V add_saturated(V a, V b) { return a + min(b, ~a); }

inline V half_sum(V a, V b) { return (a | b) - (((a ^ b) >> 1) & 0x7f); }

inline V look_up_64(V index, const u8* table) {
  V found;
  for (int lane = 0; lane < kLanes; ++lane) found[lane] = table[index[lane] < 63 ? index[lane] : 63];
  return found;
}

inline V lowest_everywhere(V v) {
  v = min(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  v = min(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  v = min(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
  return min(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
}

inline int first_equal(V a, V b) {
  return lowest_everywhere(a == b ? iota() : broadcast(kLanes))[0];
}

}  // namespace
