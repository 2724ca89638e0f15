// Stage 6: median of 3x3, which takes single outliers and keeps edges.
#pragma once

#include "simd.hpp"

namespace {

constexpr int kFloatLanes = kLanes / 4;
using F = float __attribute__((vector_size(kLanes)));
using Signs = std::int32_t __attribute__((vector_size(kLanes)));
using Counts = std::uint32_t __attribute__((vector_size(kLanes)));

inline F load_floats(const float* p) {
  F v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void sort(F& a, F& b) {
  const F low = a < b ? a : b;
  b = a < b ? b : a;
  a = low;
}

// The middle one of nine, by the 19 exchanges of Paeth (Graphics Gems, 1990).
inline F middle_of_nine(F p[9]) {
  constexpr int kExchanges[19][2] = {{1, 2}, {4, 5}, {7, 8}, {0, 1}, {3, 4}, {6, 7}, {1, 2},
                                     {4, 5}, {7, 8}, {0, 3}, {5, 8}, {4, 7}, {3, 6}, {1, 4},
                                     {2, 5}, {4, 7}, {4, 2}, {6, 4}, {4, 2}};
#pragma GCC unroll 19
  for (int i = 0; i < 19; ++i) sort(p[kExchanges[i][0]], p[kExchanges[i][1]]);
  return p[4];
}

void median_row(const float* above, const float* row, const float* below, int width, float* out) {
  for (int x = 0; x < width; x += kFloatLanes) {
    F p[9];
    for (int i = 0; i < 3; ++i) {
      p[i] = load_floats(above + x + i - 1);
      p[3 + i] = load_floats(row + x + i - 1);
      p[6 + i] = load_floats(below + x + i - 1);
    }
    const F middle = middle_of_nine(p);
    const int count = width - x < kFloatLanes ? width - x : kFloatLanes;
    std::memcpy(out + x, &middle, count * sizeof(float));
  }
}

}  // namespace
