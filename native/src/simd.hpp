// Byte vectors as wide as the instruction set this file is compiled for.
//
// There is one header per instruction set; native/CMakeLists.txt names the one to take, beside the
// compiler's flags for it. Each tells its number of lanes and the few operations that no portable
// expression compiles to the one or two instructions that each of them is:
//
//   shift_in_previous(previous, current)  lane d takes lane d-1 of current, lane 0 previous' last
//   shift_in_next(current, next)          lane d takes lane d+1 of current, the last next's lane 0
//   popcount(bits)                        ones in each lane
//   add_saturated(a, b)                   at most 255
//   half_sum(a, b)                        (a + b + 1) / 2
//   look_up_64(index, table)              table[index], or its last byte beyond 63
//   lowest_everywhere(v)                  the smallest lane, in every lane. It is the longest step
//                                         from one pixel to the next: it stays in vector registers
//   first_equal(a, b)                     the first lane where a == b; kLanes when there is none
//
// Everything sits in an anonymous namespace: an inline function compiled for AVX-512 must never be
// merged into the baseline (tests/test_native.py looks for such symbols).
#pragma once

#include STEREO_SIMD_HEADER

namespace {

inline u8 lowest(V v) { return lowest_everywhere(v)[0]; }

}  // namespace
