// Images as the descriptors read them: borders replicated, any stride, brightness in known units.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "buffer.hpp"
#include "matcher.hpp"

namespace stereo {

inline int padded_stride(int width) { return width + 2 * kWindowX + kVectorSlack; }

// Words of memory that a PaddedImage of this size needs.
inline std::size_t padded_words(int width, int height, int bytes_per_pixel) {
  return (std::size_t(padded_stride(width)) * height * bytes_per_pixel + 1) / 2;
}

// The image with its border replicated, so that every window can be read.
template <class Pixel>
class PaddedImage {
 public:
  // memory: padded_words().
  PaddedImage(const Buffer<std::uint16_t>& memory, int width, int height)
      : width_(width),
        height_(height),
        stride_(padded_stride(width)),
        data_(reinterpret_cast<Pixel*>(memory.get())) {}

  void copy_row(ImageView<Pixel> image, int y) {
    Pixel* to = row(y);
    const Pixel* from = image.data + y * image.row_stride;
    if (image.column_stride == 1)
      std::memcpy(to, from, width_ * sizeof(Pixel));
    else
      for (int x = 0; x < width_; ++x) to[x] = from[x * image.column_stride];
    extend_row(y);
  }

  // Repeats the first and the last pixel of a row beyond it.
  void extend_row(int y) {
    Pixel* to = row(y);
    std::fill(to - kWindowX, to, to[0]);
    std::fill(to + width_, to + stride_ - kWindowX, to[width_ - 1]);
  }

  Pixel* row(int y) const { return data_ + std::ptrdiff_t(y) * stride_ + kWindowX; }
  const Pixel* clamped_row(int y) const { return row(std::clamp(y, 0, height_ - 1)); }

 private:
  int width_, height_, stride_;
  Pixel* data_;
};

inline float gain_to_8_bits(const PaddedImage<std::uint8_t>&, const PaddedImage<std::uint8_t>&, int,
                            int) {
  return 1;
}

// How many bits the sensor delivered, judged by all but the brightest thousandth of both images.
inline float gain_to_8_bits(const PaddedImage<std::uint16_t>& left,
                            const PaddedImage<std::uint16_t>& right, int width, int height) {
  std::vector<std::size_t> darker(17);  // number of pixels by bit length
  for (const auto* image : {&left, &right})
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const unsigned value = image->clamped_row(y)[x];
        ++darker[value ? 32 - __builtin_clz(value) : 0];
      }
  const std::size_t total = std::size_t(2) * width * height;
  int bits = 16;
  for (std::size_t brighter = darker[16]; bits > 8 && brighter <= total / 1000;)
    brighter += darker[--bits];
  return std::ldexp(1.0f, 8 - bits);
}

}  // namespace stereo
