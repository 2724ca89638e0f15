// Codes that come with the images, such as the signs of a network's features, take the place of the
// learned one in the descriptions; see cost.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernel.hpp"

namespace stereo {

// Of both images, [height][width][kCodeBytes].
struct GivenCodes {
  const std::uint8_t *left, *right;

  void put_left(const Search& search, int y, LeftPixel* row) const {
    const std::uint8_t* from = left + std::ptrdiff_t(kCodeBytes) * search.width * y;
    for (int x = 0; x < search.width; ++x, from += kCodeBytes)
      std::copy(from, from + kCodeBytes, row[x].description + kCensusBytes + 1);
  }

  // The layout is that of RowDescription::right.
  void put_right(const Search& search, int y, std::uint8_t* planes) const {
    const std::uint8_t* from = right + std::ptrdiff_t(kCodeBytes) * search.width * y;
    const int last = search.width - 1;
    std::uint8_t* to = planes + std::ptrdiff_t(kCensusBytes + 1) * search.plane_stride;
    for (int e = 0; e < search.plane_stride; ++e) {
      const int x = std::clamp(last - e - search.min_disparity, 0, last);
      for (int byte = 0; byte < kCodeBytes; ++byte)
        to[std::ptrdiff_t(byte) * search.plane_stride + e] = from[kCodeBytes * x + byte];
    }
  }
};

}  // namespace stereo
