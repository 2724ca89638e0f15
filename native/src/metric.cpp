#include "metric.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "parallel.hpp"

namespace stereo {
namespace {

constexpr std::ptrdiff_t kChunk = 16384;  // pixels of a task
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Selections instead of branches throughout, so that the loop becomes vectors. Unknown depth (NaN)
// makes sigma unknown whatever else there is.
template <bool kCalibrated>
void measure_some(std::ptrdiff_t pixels, const float* __restrict px, const float* __restrict trust,
                  VariancePlanes calibration, const MetricRules rules, float* __restrict depth,
                  float* __restrict sigma) {
  for (std::ptrdiff_t i = 0; i < pixels; ++i) {
    const float shifted = px[i] + rules.doffs_px;
    float z = rules.scale / shifted;
    z = shifted > 0 ? z : kNan;
    z = z < rules.min_depth ? kNan : z;
    z = z > rules.max_depth ? kNan : z;
    const float doubt = 1 - trust[i];
    float error = rules.square * doubt * doubt + std::sqrt(doubt) * rules.root + rules.constant;
    if constexpr (kCalibrated) {
      float variance = calibration.share[i] * shifted;
      variance = variance + calibration.mixed[i] + calibration.mixed[i];
      variance = variance * shifted + calibration.offset[i];
      variance = variance < 0 ? 0 : variance;
      error = std::sqrt(error * error + variance);
    }
    depth[i] = z;
    sigma[i] = z * z * rules.per_px * error;
  }
}

constexpr int kRun = 256;  // columns looked at in one go

// Which of the columns from `x` on make a point, `count` of them at most kRun.
void choose(const ColoredDepth& seen, std::ptrdiff_t at, int count, std::uint8_t* __restrict chosen) {
  const float *depth = seen.depth + at, *sigma = seen.sigma + at;
  const float share = seen.max_relative_sigma, infinity = std::numeric_limits<float>::infinity();
  const bool all = share == infinity;
  for (int i = 0; i < count; ++i)
    chosen[i] = (all | (sigma[i] <= share * depth[i])) & (std::abs(depth[i]) < infinity);
}

// The points of `count` pixels of one row, of which `chosen` says which; returns how many.
template <int kChannels>
int add_points(const ColoredDepth& seen, int x, int y, int count, const std::uint8_t* chosen,
               float* __restrict point, std::uint8_t* __restrict color) {
  std::uint16_t columns[kRun];  // listed without a branch, which would be guessed wrong at each rim
  int points = 0;
  for (int i = 0; i < count; ++i) columns[points] = std::uint16_t(x + i), points += chosen[i];
  const std::ptrdiff_t row = std::ptrdiff_t(y) * seen.width;
  const float ray_y = seen.ray_y[y];
  for (int i = 0; i < points; ++i) {
    const int column = columns[i];
    const float z = seen.depth[row + column];
    point[3 * i] = z * seen.ray_x[column];
    point[3 * i + 1] = z * ray_y;
    point[3 * i + 2] = z;
    const std::uint8_t* from = seen.color + (row + column) * kChannels;
    for (int c = 0; c < 3; ++c) color[3 * i + c] = from[kChannels == 3 ? c : 0];
  }
  return points;
}

// `count` pixels of one row from `x` on, of which `chosen` says which are known.
template <int kChannels>
void place_points(const ColoredDepth& seen, int x, int y, int count, const std::uint8_t* chosen,
                  float* __restrict point) {
  const std::ptrdiff_t at = std::ptrdiff_t(y) * seen.width + x;
  const float* depth = seen.depth + at;
  const std::uint8_t* from = seen.color + at * kChannels;
  const float ray_y = seen.ray_y[y];
  for (int i = 0; i < count; ++i, from += kChannels) {
    const float z = chosen[i] ? depth[i] : kNan;
    const std::uint32_t red = from[0], green = from[kChannels / 2], blue = from[kChannels - 1];
    const std::uint32_t color = 0xff000000u | red << 16 | green << 8 | blue;
    point[4 * i] = z * seen.ray_x[x + i];
    point[4 * i + 1] = z * ray_y;
    point[4 * i + 2] = z;
    std::memcpy(point + 4 * i + 3, &color, sizeof color);
  }
}

template <class Body>
void for_each_block(const ColoredDepth& seen, int threads, const Body& body) {
  parallel_for(threads, (seen.height + kCloudRows - 1) / kCloudRows, [&](int block, int) {
    const int first = block * kCloudRows;
    body(block, first, std::min(first + kCloudRows, seen.height));
  });
}

}  // namespace

void measure_depth(std::ptrdiff_t pixels, const float* disparity, const float* confidence,
                   const VariancePlanes& calibration, const MetricRules& rules, int threads,
                   float* depth, float* sigma) {
  const bool calibrated = calibration.offset != nullptr;
  parallel_for(threads, int((pixels + kChunk - 1) / kChunk), [&](int task, int) {
    const std::ptrdiff_t first = task * kChunk, count = std::min(kChunk, pixels - first);
    if (!calibrated)
      return measure_some<false>(count, disparity + first, confidence + first, {}, rules,
                                 depth + first, sigma + first);
    measure_some<true>(
        count, disparity + first, confidence + first,
        {calibration.offset + first, calibration.mixed + first, calibration.share + first}, rules,
        depth + first, sigma + first);
  });
}

void count_points(const ColoredDepth& seen, int threads, std::ptrdiff_t* count) {
  for_each_block(seen, threads, [&](int block, int y, int end) {
    std::ptrdiff_t points = 0;
    for (std::ptrdiff_t at = std::ptrdiff_t(y) * seen.width; at < std::ptrdiff_t(end) * seen.width;
         at += kRun) {
      std::uint8_t chosen[kRun];
      const int pixels = int(std::min<std::ptrdiff_t>(kRun, std::ptrdiff_t(end) * seen.width - at));
      choose(seen, at, pixels, chosen);
      for (int i = 0; i < pixels; ++i) points += chosen[i];
    }
    count[block] = points;
  });
}

void fill_points(const ColoredDepth& seen, const std::ptrdiff_t* first, int threads, float* points,
                 std::uint8_t* colors) {
  const auto add = seen.channels == 3 ? add_points<3> : add_points<1>;
  for_each_block(seen, threads, [&](int block, int y, int end) {
    std::ptrdiff_t at = first[block];
    for (; y < end; ++y)
      for (int x = 0; x < seen.width; x += kRun) {
        std::uint8_t chosen[kRun];
        const int pixels = std::min(kRun, seen.width - x);
        choose(seen, std::ptrdiff_t(y) * seen.width + x, pixels, chosen);
        at += add(seen, x, y, pixels, chosen, points + 3 * at, colors + 3 * at);
      }
  });
}

void fill_every_point(const ColoredDepth& seen, int threads, float* points) {
  const auto place = seen.channels == 3 ? place_points<3> : place_points<1>;
  for_each_block(seen, threads, [&](int, int y, int end) {
    for (; y < end; ++y)
      for (int x = 0; x < seen.width; x += kRun) {
        std::uint8_t chosen[kRun];
        const int pixels = std::min(kRun, seen.width - x);
        const std::ptrdiff_t at = std::ptrdiff_t(y) * seen.width + x;
        choose(seen, at, pixels, chosen);
        place(seen, x, y, pixels, chosen, points + 4 * at);
      }
  });
}

}  // namespace stereo
