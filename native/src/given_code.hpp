// Codes that come with the images, such as the signs of a network's features, take the place of the
// learned one's last bytes in the descriptions; see cost.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernel.hpp"

namespace stereo {

// Of both images, [height][width][bytes], of which there are at most kCodeBytes.
struct GivenCodes {
  const std::uint8_t *left, *right;
  int bytes;

  void put_left(const Search& search, int y, LeftPixel* row) const {
    const std::uint8_t* from = left + std::ptrdiff_t(bytes) * search.width * y;
    for (int x = 0; x < search.width; ++x, from += bytes)
      std::copy(from, from + bytes, row[x].description + kPlanes - bytes);
  }

  // The layout is that of RowDescription::right.
  void put_right(const Search& search, int y, std::uint8_t* planes) const {
    const std::uint8_t* from = right + std::ptrdiff_t(bytes) * search.width * y;
    const int last = search.width - 1;
    std::uint8_t* to = planes + std::ptrdiff_t(kPlanes - bytes) * search.plane_stride;
    for (int e = 0; e < search.plane_stride; ++e) {
      const int x = std::clamp(last - e - search.min_disparity, 0, last);
      for (int byte = 0; byte < bytes; ++byte)
        to[std::ptrdiff_t(byte) * search.plane_stride + e] = from[bytes * x + byte];
    }
  }
};

}  // namespace stereo
