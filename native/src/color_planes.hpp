// The channels of an image apart, so that vectors can be read from them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "buffer.hpp"
#include "matcher.hpp"
#include "parallel.hpp"

namespace stereo {

// Calls body(first, end) for bands of rows.
template <class Body>
void bands(int height, int threads, const Body& body) {
  constexpr int kRows = 8;
  parallel_for(threads, (height + kRows - 1) / kRows, [&](int band, int) {
    body(band * kRows, std::min(height, (band + 1) * kRows));
  });
}

// Calls body(y) for each row.
template <class Body>
void each_rows(int height, int threads, const Body& body) {
  bands(height, threads, [&](int first, int end) {
    for (int y = first; y < end; ++y) body(y);
  });
}

class ColorPlanes {
 public:
  // color: [height][width][channels], 1 or 3 of them.
  ColorPlanes(const std::uint8_t* color, int channels, int width, int height, int threads)
      : apart_(std::ptrdiff_t(width) * height) {
    planes_[0] = color;
    if (channels == 1) return;
    const std::size_t size = std::size_t(width) * height;
    memory_.resize(3 * size);
    for (int c = 0; c < 3; ++c) planes_[c] = memory_.get() + c * size;
    each_rows(height, threads, [&](int y) {
      const std::size_t row = std::size_t(width) * y;
      std::uint8_t* rows[3];
      for (int c = 0; c < 3; ++c) rows[c] = memory_.get() + c * size + row;
      best_kernel().edges.planes(color + 3 * row, width, rows);
    });
  }
  const std::uint8_t* operator[](int channel) const { return planes_[channel]; }
  std::ptrdiff_t apart() const { return apart_; }  // from one plane to the next

 private:
  const std::ptrdiff_t apart_;
  const std::uint8_t* planes_[3] = {};
  Buffer<std::uint8_t> memory_;
};

}  // namespace stereo
