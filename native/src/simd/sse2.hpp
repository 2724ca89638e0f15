// SSE2, which every x86-64 processor has. See simd.hpp.
#pragma once

#include <immintrin.h>

namespace {
constexpr int kLanes = 16;
}
#include "vector.hpp"

namespace {

inline V shift_in_previous(V previous, V current) {
  return (V)_mm_or_si128(_mm_slli_si128((__m128i)current, 1), _mm_srli_si128((__m128i)previous, 15));
}

inline V shift_in_next(V current, V next) {
  return (V)_mm_or_si128(_mm_srli_si128((__m128i)current, 1), _mm_slli_si128((__m128i)next, 15));
}

inline V popcount(V bits) {
  // Shifts of 16-bit lanes: SSE2 has none of bytes, and the masks drop what crosses over.
  const V pairs = bits - ((V)((UnsignedWords)bits >> 1) & 0x55);
  const V nibbles = (pairs & 0x33) + ((V)((UnsignedWords)pairs >> 2) & 0x33);
  return (nibbles + (V)((UnsignedWords)nibbles >> 4)) & 0x0f;
}

inline V add_saturated(V a, V b) { return (V)_mm_adds_epu8((__m128i)a, (__m128i)b); }

inline V half_sum(V a, V b) { return (V)_mm_avg_epu8((__m128i)a, (__m128i)b); }

inline V look_up_64(V index, const u8* table) {
  V found;
  for (int lane = 0; lane < kLanes; ++lane) found[lane] = table[index[lane] < 63 ? index[lane] : 63];
  return found;
}

inline V lowest_everywhere(V v) {
  v = min(v, (V)_mm_shuffle_epi32((__m128i)v, 0x4e));
  v = min(v, (V)_mm_shuffle_epi32((__m128i)v, 0xb1));
  v = min(v, (V)_mm_or_si128(_mm_slli_epi32((__m128i)v, 16), _mm_srli_epi32((__m128i)v, 16)));
  return min(v, (V)_mm_or_si128(_mm_slli_epi16((__m128i)v, 8), _mm_srli_epi16((__m128i)v, 8)));
}

inline int first_equal(V a, V b) {
  const unsigned mask = (unsigned)_mm_movemask_epi8((__m128i)(a == b));
  return mask ? __builtin_ctz(mask) : kLanes;
}

}  // namespace
