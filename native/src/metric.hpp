// Disparity to metres with an error bar, and to coloured points: one pass each over the map.
//
// stereo/depth.py and cloud.py say what is computed and have the same in numpy, to the last bit:
// each pixel by itself, every operation in single precision and in their order.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stereo {

struct MetricRules {
  float doffs_px;
  float scale;                   // focal length times baseline
  float per_px;                  // 1 / scale
  float constant, root, square;  // of the disparity's error, by powers of the doubt
  float min_depth, max_depth;    // metres; beyond them depth is unknown
};

// What a calibration's error adds to the variance of a disparity d: offset + 2 mixed d + share d^2.
struct VariancePlanes {
  const float *offset, *mixed, *share;  // [pixels] each; all null: nothing
};

// depth, sigma: [pixels], NaN where unknown.
void measure_depth(std::ptrdiff_t pixels, const float* disparity, const float* confidence,
                   const VariancePlanes& calibration, const MetricRules& rules, int threads,
                   float* depth, float* sigma);

struct ColoredDepth {
  int width, height, channels;  // 1 or 3
  const float* depth;           // [height][width] metres; what is not finite is unknown
  const float* sigma;           // [height][width]
  const std::uint8_t* color;    // [height][width][channels]
  const float *ray_x, *ray_y;   // [width], [height]: x and y at depth 1
  float max_relative_sigma;     // more of its depth, or NaN, and a point is left out; infinity: none
};

// How many points each block of kCloudRows rows has; `count` has one for each.
constexpr int kCloudRows = 16;
void count_points(const ColoredDepth& seen, int threads, std::ptrdiff_t* count);

// points: [n][3] metres, colors: [n][3], row by row. `first` says where each block's begin.
void fill_points(const ColoredDepth& seen, const std::ptrdiff_t* first, int threads, float* points,
                 std::uint8_t* colors);

// A point for each pixel, in place: [height][width][4] x, y, z, NaN where there is none, and its
// colour as the bytes blue, green, red, 255.
void fill_every_point(const ColoredDepth& seen, int threads, float* points);

}  // namespace stereo
