// AVX-512 with byte popcount and permute: Ice Lake and Zen 4 on. See simd.hpp.
#pragma once

#include <immintrin.h>

namespace {
constexpr int kLanes = 64;
}
#include "vector.hpp"

namespace {

inline V shift_in_previous(V previous, V current) {
  const V index = (iota() - 1) & 127;  // -1 selects lane 127: the last of the second operand
  return (V)_mm512_permutex2var_epi8((__m512i)current, (__m512i)index, (__m512i)previous);
}

inline V shift_in_next(V current, V next) {
  return (V)_mm512_permutex2var_epi8((__m512i)current, (__m512i)(iota() + 1), (__m512i)next);
}

inline V popcount(V bits) { return (V)_mm512_popcnt_epi8((__m512i)bits); }

inline V add_saturated(V a, V b) { return (V)_mm512_adds_epu8((__m512i)a, (__m512i)b); }

inline V half_sum(V a, V b) { return (V)_mm512_avg_epu8((__m512i)a, (__m512i)b); }

inline V look_up_64(V index, const u8* table) {
  return (V)_mm512_permutexvar_epi8((__m512i)min(index, broadcast(63)), (__m512i)load(table));
}

inline V lowest_everywhere(V v) {
  const __m256i half = _mm256_min_epu8(_mm512_castsi512_si256((__m512i)v),
                                       _mm512_extracti64x4_epi64((__m512i)v, 1));
  __m128i q = _mm_min_epu8(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  // the shift leaves zero in the upper byte of each word, and so does the minimum
  q = _mm_minpos_epu16(_mm_min_epu8(q, _mm_srli_epi16(q, 8)));
  return (V)_mm512_broadcastb_epi8(q);
}

inline int first_equal(V a, V b) {
  const std::uint64_t mask = _mm512_cmpeq_epi8_mask((__m512i)a, (__m512i)b);
  return mask ? __builtin_ctzll(mask) : kLanes;
}

}  // namespace
