// What all instruction sets have in common: GCC and Clang vector extensions carry the arithmetic.
// Included by each of the headers beside it, after its kLanes.
#pragma once

#include <cstdint>
#include <cstring>

namespace {

using u8 = std::uint8_t;
using u16 = std::uint16_t;

using V = u8 __attribute__((vector_size(kLanes)));

inline V load(const u8* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(u8* p, V v) { std::memcpy(p, &v, sizeof v); }
inline V broadcast(u8 value) { return V{} + value; }
inline V min(V a, V b) { return a < b ? a : b; }
inline V max(V a, V b) { return a > b ? a : b; }
inline V absolute_difference(V a, V b) { return max(a, b) - min(a, b); }

struct LaneNumbers {
  u8 lane[kLanes];
  constexpr LaneNumbers() : lane{} {
    for (int i = 0; i < kLanes; ++i) lane[i] = static_cast<u8>(i);
  }
};
alignas(kLanes) constexpr LaneNumbers kLaneNumbers;
inline V iota() { return load(kLaneNumbers.lane); }

}  // namespace
