// Byte vectors as wide as the instruction set this file is compiled for.
//
// GCC and Clang vector extensions carry all arithmetic; a few small helpers use intrinsics
// because no portable expression compiles to the one or two instructions that each of them is:
// shifts by one lane, popcount, saturating add, the minimum across a vector, the first equal lane. Everything sits in an anonymous
// namespace: an inline function compiled for AVX-512 must never be merged into the baseline.
#pragma once

#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace {

using u8 = std::uint8_t;
using u16 = std::uint16_t;

#if defined(__AVX512BW__)
constexpr int kLanes = 64;
#elif defined(__AVX2__)
constexpr int kLanes = 32;
#else
constexpr int kLanes = 16;
#endif

using V = u8 __attribute__((vector_size(kLanes)));
using Words = u16 __attribute__((vector_size(kLanes)));

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

// Lane d takes lane d-1 of `current`; lane 0 takes the last lane of `previous`.
inline V shift_in_previous(V previous, V current) {
#if defined(__AVX512VBMI__)
  const V index = (iota() - 1) & 127;  // -1 selects lane 127: the last of the second operand
  return (V)_mm512_permutex2var_epi8((__m512i)current, (__m512i)index, (__m512i)previous);
#elif defined(__AVX2__)
  return (V)_mm256_alignr_epi8(
      (__m256i)current, _mm256_permute2x128_si256((__m256i)previous, (__m256i)current, 0x21), 15);
#elif defined(__SSE2__)
  return (V)_mm_or_si128(_mm_slli_si128((__m128i)current, 1), _mm_srli_si128((__m128i)previous, 15));
#else
  return __builtin_shufflevector(previous, current, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
                                 27, 28, 29, 30);
#endif
}

// Lane d takes lane d+1 of `current`; the last lane takes lane 0 of `next`.
inline V shift_in_next(V current, V next) {
#if defined(__AVX512VBMI__)
  return (V)_mm512_permutex2var_epi8((__m512i)current, (__m512i)(iota() + 1), (__m512i)next);
#elif defined(__AVX2__)
  return (V)_mm256_alignr_epi8(
      _mm256_permute2x128_si256((__m256i)current, (__m256i)next, 0x21), (__m256i)current, 1);
#elif defined(__SSE2__)
  return (V)_mm_or_si128(_mm_srli_si128((__m128i)current, 1), _mm_slli_si128((__m128i)next, 15));
#else
  return __builtin_shufflevector(current, next, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                 16);
#endif
}

inline V popcount(V bits) {
#if defined(__AVX512BITALG__)
  return (V)_mm512_popcnt_epi8((__m512i)bits);
#elif defined(__AVX2__)
  const __m256i counts =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  const __m256i nibble = _mm256_set1_epi8(15), b = (__m256i)bits;
  return (V)_mm256_shuffle_epi8(counts, _mm256_and_si256(b, nibble)) +
         (V)_mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(b, 4), nibble));
#elif defined(__ARM_NEON)
  return (V)vcntq_u8((uint8x16_t)bits);
#else
  // Shifts of 16-bit lanes: SSE2 has none of bytes, and the masks drop what crosses over.
  const V pairs = bits - ((V)((Words)bits >> 1) & 0x55);
  const V nibbles = (pairs & 0x33) + ((V)((Words)pairs >> 2) & 0x33);
  return (nibbles + (V)((Words)nibbles >> 4)) & 0x0f;
#endif
}

inline V add_saturated(V a, V b) {
#if defined(__AVX512BW__)
  return (V)_mm512_adds_epu8((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (V)_mm256_adds_epu8((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (V)_mm_adds_epu8((__m128i)a, (__m128i)b);
#elif defined(__ARM_NEON)
  return (V)vqaddq_u8((uint8x16_t)a, (uint8x16_t)b);
#else
  return a + min(b, ~a);
#endif
}

// The smallest lane, in every lane. It is the longest step from one pixel to the next, so it never
// leaves the vector registers.
inline V lowest_everywhere(V v) {
#if defined(__AVX512BW__)
  const __m256i half = _mm256_min_epu8(_mm512_castsi512_si256((__m512i)v),
                                       _mm512_extracti64x4_epi64((__m512i)v, 1));
#elif defined(__AVX2__)
  const __m256i half = (__m256i)v;
#endif
#if defined(__AVX2__)
  __m128i q = _mm_min_epu8(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  // the shift leaves zero in the upper byte of each word, and so does the minimum
  q = _mm_minpos_epu16(_mm_min_epu8(q, _mm_srli_epi16(q, 8)));
#if defined(__AVX512BW__)
  return (V)_mm512_broadcastb_epi8(q);
#else
  return (V)_mm256_broadcastb_epi8(q);
#endif
#elif defined(__ARM_NEON)
  return (V)vdupq_n_u8(vminvq_u8((uint8x16_t)v));
#elif defined(__SSE2__)
  v = min(v, (V)_mm_shuffle_epi32((__m128i)v, 0x4e));
  v = min(v, (V)_mm_shuffle_epi32((__m128i)v, 0xb1));
  v = min(v, (V)_mm_or_si128(_mm_slli_epi32((__m128i)v, 16), _mm_srli_epi32((__m128i)v, 16)));
  return min(v, (V)_mm_or_si128(_mm_slli_epi16((__m128i)v, 8), _mm_srli_epi16((__m128i)v, 8)));
#else
  v = min(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  v = min(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  v = min(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
  return min(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
#endif
}

inline u8 lowest(V v) { return lowest_everywhere(v)[0]; }

// Index of the first lane where a == b; kLanes when there is none.
inline int first_equal(V a, V b) {
#if defined(__AVX512BW__)
  const std::uint64_t mask = _mm512_cmpeq_epi8_mask((__m512i)a, (__m512i)b);
  return mask ? __builtin_ctzll(mask) : kLanes;
#elif defined(__AVX2__)
  const unsigned mask = (unsigned)_mm256_movemask_epi8((__m256i)(a == b));
  return mask ? __builtin_ctz(mask) : kLanes;
#elif defined(__SSE2__)
  const unsigned mask = (unsigned)_mm_movemask_epi8((__m128i)(a == b));
  return mask ? __builtin_ctz(mask) : kLanes;
#else
  return lowest(a == b ? iota() : broadcast(kLanes));
#endif
}

}  // namespace
