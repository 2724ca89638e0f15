// What filling.cpp does to rows of pixels, in a table that each instruction set fills (kernel.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace stereo {

// The price of a path, in sixteenths: of a step to the side and of one aslant, of a gray level between
// two neighbours beyond the first ones, and of a step of a surface nearer than its surroundings.
constexpr int kFillStep = 8, kFillAslant = 11, kFillLevel = 16, kFillFreeLevels = 2;
constexpr int kFillNearer = 320, kFillNearerAslant = 452;
constexpr int kFillFar = std::numeric_limits<int>::max() / 2;

// How the pixels of a row are reached: at what cost, and from which known pixel of what disparity.
// Readable one pixel before and behind the row.
struct Reached {
  std::int32_t *cost, *source;
  float* px;
};

struct FillRows {
  void (*find_holes)(const float* px, int width, std::uint8_t* out);
  // What the step of color costs from each of so many pixels of a to those of b; channels are so far
  // apart in memory. Whole vectors are written.
  void (*step_prices)(const std::uint8_t* a, const std::uint8_t* b, int channels,
                      std::ptrdiff_t apart, int count, std::int32_t* out);
  // Known pixels in the columns [first, end) of a row cost nothing; `start`: the first pixel's index.
  void (*reach_known)(const float* px, int start, int first, int end, Reached row);
  // The cheapest ways into the columns [first, end) from the row beside, straight, from the side on
  // that the sweep comes from (-1 or 1) and from the other; dear: what steps of color cost, in that
  // order. Nearer disparities than `farther` pay more. What it says of known pixels means nothing.
  // Whole vectors are read and written.
  void (*reach)(Reached beside, const std::int32_t* const* dear, int side, const float* farther,
                int first, int end, Reached out);
};

}  // namespace stereo
