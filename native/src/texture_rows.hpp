// What texture.cpp does to rows of pixels, in a table that each instruction set fills (kernel.hpp).
#pragma once

#include <cstdint>

namespace stereo {

constexpr int kTextureReach = 2;  // rows and columns to each side

// Sums over the columns of five rows, readable kTextureReach before and behind the row.
struct TextureColumns {
  std::int16_t *across, *down, *all;  // weighted 1 2 1; below less above; of all five
};

struct TextureRows {
  // rows: the row itself in the middle.
  void (*columns)(const std::uint8_t* const* rows, int width, TextureColumns out);
  void (*slope)(const std::int16_t* across, int width, std::int16_t* out);
  // within +-most.
  void (*fine)(const std::uint8_t* row, const std::int16_t* all, int most, int width,
               std::int16_t* out);
  // Joins 1 where a slope reaches `steep` to what is there.
  void (*mark_steep)(const std::int16_t* slope, const std::int16_t* down, int steep, int width,
                     std::uint8_t* out);
};

}  // namespace stereo
