// What all instruction sets have in common: GCC and Clang vector extensions carry the arithmetic.
// Included by each of the headers beside it, after its kLanes.
#pragma once

#include <cstdint>
#include <cstring>

namespace {

using u8 = std::uint8_t;
using u16 = std::uint16_t;

using V = u8 __attribute__((vector_size(kLanes)));
using Words = std::int16_t __attribute__((vector_size(kLanes)));  // half as many
using UnsignedWords = u16 __attribute__((vector_size(kLanes)));

inline V load(const u8* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(u8* p, V v) { std::memcpy(p, &v, sizeof v); }
inline Words load_words(const u16* p) {
  Words w;
  std::memcpy(&w, p, sizeof w);
  return w;
}
// The lower byte of each word.
inline void store_bytes(u8* p, Words w) {
  using Half = u8 __attribute__((vector_size(kLanes / 2)));
  const Half bytes = __builtin_convertvector(w, Half);
  std::memcpy(p, &bytes, sizeof bytes);
}
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
