// What edges.cpp does to rows of pixels, in a table that each instruction set fills (kernel.hpp).
#pragma once

#include <cstddef>
#include <cstdint>

namespace stereo {

constexpr int kEdgeSamples = 25;
constexpr int kColorSteps = 64;  // beyond so many levels a color is another one

// A row of pixels, each of which is compared with samples around it.
struct EdgeRow {
  int channels;
  const float* px;
  const std::uint8_t* color[3];  // planes
  // From a pixel to its samples: the distance in memory, and the weight that it has by that.
  std::ptrdiff_t offset[kEdgeSamples];
  std::uint32_t near[kEdgeSamples];
  const std::uint8_t* weight;  // of each pixel as a sample
  const std::uint8_t* by_color;  // [kColorSteps] weight by the difference in color
  float keep_px;
};

struct EdgeRows {
  int fewest;  // columns of a call to medians()
  // 1 where neighbours along the row, or the pixel below, differ by more than step_px.
  void (*steps)(const float* row, const float* below, float step_px, int width, std::uint8_t* along,
                std::uint8_t* down);
  // Joins marks to those of out.
  void (*mark)(const std::uint8_t* marks, int width, std::uint8_t* out);
  // 255 times the confidence.
  void (*weights)(const float* confidence, int width, std::uint8_t* out);
  void (*planes)(const std::uint8_t* color, int width, std::uint8_t* const* out);
  // The confidence of a row before and after: at most `moved` where px has changed.
  void (*trust)(const float* before, const float* after, const float* confidence, float moved,
                int width, float* out);
  // The weighted medians of the columns [begin, end) that are wanted, known and not to be kept; all
  // samples must lie in the image.
  void (*medians)(const EdgeRow& row, const std::uint8_t* wanted, int begin, int end, float* out);
};

}  // namespace stereo
