// AVX2. See simd.hpp.
#pragma once

#include <immintrin.h>

namespace {
constexpr int kLanes = 32;
}
#include "vector.hpp"

namespace {

inline V shift_in_previous(V previous, V current) {
  return (V)_mm256_alignr_epi8(
      (__m256i)current, _mm256_permute2x128_si256((__m256i)previous, (__m256i)current, 0x21), 15);
}

inline V shift_in_next(V current, V next) {
  return (V)_mm256_alignr_epi8(
      _mm256_permute2x128_si256((__m256i)current, (__m256i)next, 0x21), (__m256i)current, 1);
}

inline V popcount(V bits) {
  const __m256i counts =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  const __m256i nibble = _mm256_set1_epi8(15), b = (__m256i)bits;
  return (V)_mm256_shuffle_epi8(counts, _mm256_and_si256(b, nibble)) +
         (V)_mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(b, 4), nibble));
}

inline V add_saturated(V a, V b) { return (V)_mm256_adds_epu8((__m256i)a, (__m256i)b); }

inline V half_sum(V a, V b) { return (V)_mm256_avg_epu8((__m256i)a, (__m256i)b); }

inline V look_up_64(V index, const u8* table) {
  const V held = min(index, broadcast(63));
  V found{};
  for (int k = 0; k < 4; ++k) {  // a sixteenth that is not meant has its highest bit set: zero
    const __m256i part = _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(table + 16 * k)));
    const V within = held - broadcast(static_cast<u8>(16 * k));
    found |= (V)_mm256_shuffle_epi8(part, (__m256i)(within | (V)(within > 15)));
  }
  return found;
}

inline V lowest_everywhere(V v) {
  const __m256i w = (__m256i)v;
  __m128i q = _mm_min_epu8(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
  // the shift leaves zero in the upper byte of each word, and so does the minimum
  q = _mm_minpos_epu16(_mm_min_epu8(q, _mm_srli_epi16(q, 8)));
  return (V)_mm256_broadcastb_epi8(q);
}

inline int first_equal(V a, V b) {
  const unsigned mask = (unsigned)_mm256_movemask_epi8((__m256i)(a == b));
  return mask ? __builtin_ctz(mask) : kLanes;
}

}  // namespace
