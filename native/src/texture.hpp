// What there is to see in an image: its slope, its finest texture, and where it has neither.
#pragma once

#include <cstdint>

namespace stereo {

struct Texture {
  std::int16_t* slope;   // [height][width] Sobel in x, four times the gray levels per pixel
  std::int16_t* fine;    // what stands out of the mean of 5x5, times its 25 pixels, clipped
  std::uint8_t* smooth;  // on every fourth row and column: 1 where no Sobel of the 3x3 pixels around,
                         // in x or y, reaches `steep`. Null: not asked for
};
constexpr int kTextureStep = 4;

// Of a gray image, mirrored at the middle of its first and last rows and columns.
void find_texture(const std::uint8_t* gray, int width, int height, int most, int steep, int threads,
                  const Texture& out);

}  // namespace stereo
