#include "edges.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "parallel.hpp"

namespace stereo {
namespace {

// Samples three pixels apart: 7x7 are as good as all 361 of the window at an eighth of the time, 5x5
// nearly so at a sixteenth.
constexpr int kSpacing = 3, kLargestReach = 3;
constexpr double kColorLevels = 8.0, kDistancePx = 10.0;  // where the weights fall to 1/e

struct Weights {
  std::array<std::uint32_t, 256> color;
  std::array<std::uint32_t, 2 * kLargestReach + 1> near;  // by |dx| + |dy| in samples
  Weights() {
    for (int i = 0; i < 256; ++i)
      color[i] = static_cast<std::uint32_t>(std::lround(255 * std::exp(-i / kColorLevels)));
    for (int i = 0; i <= 2 * kLargestReach; ++i)
      near[i] =
          static_cast<std::uint32_t>(std::lround(255 * std::exp(-i * kSpacing / kDistancePx)));
  }
};

struct Sample {
  float disparity;
  std::uint32_t weight;
};

// The window's samples as distances in memory, clamped to the image.
template <int kReach>
struct Window {
  static constexpr int kSide = 2 * kReach + 1, kSamples = kSide * kSide;
  std::array<std::ptrdiff_t, kSamples> offset;
  std::array<std::uint32_t, kSamples> near;

  Window(const EdgeImage& image, const Weights& weights, int x, int y) {
    int n = 0;
    for (int dy = -kReach; dy <= kReach; ++dy)
      for (int dx = -kReach; dx <= kReach; ++dx, ++n) {
        const int row = std::clamp(y + dy * kSpacing, 0, image.height - 1);
        const int column = std::clamp(x + dx * kSpacing, 0, image.width - 1);
        offset[n] = std::ptrdiff_t(row - y) * image.width + column - x;
        near[n] = weights.near[std::abs(dx) + std::abs(dy)];
      }
  }
};

// The largest of the channels' differences.
template <int kChannels>
int color_step(const std::uint8_t* a, const std::uint8_t* b) {
  int step = 0;
  for (int c = 0; c < kChannels; ++c) step = std::max(step, std::abs(int(a[c]) - int(b[c])));
  return step;
}

template <int kChannels, int kReach>
float median_at(const EdgeImage& image, const Weights& weights, const Window<kReach>& window,
                std::ptrdiff_t here, float keep_px) {
  constexpr int kSamples = Window<kReach>::kSamples;
  const float own = image.disparity[here];
  const std::uint8_t* color = image.color + here * kChannels;
  std::array<std::uint32_t, kSamples> weight;
  std::uint32_t total = 0, agreeing = 0;  // 49 products of three bytes fit
  for (int n = 0; n < kSamples; ++n) {
    const std::ptrdiff_t there = here + window.offset[n];
    const int step = color_step<kChannels>(color, image.color + there * kChannels);
    weight[n] = image.weight[there] * weights.color[step] * window.near[n];
    total += weight[n];
    agreeing += std::abs(image.disparity[there] - own) <= keep_px ? weight[n] : 0;
  }
  if (agreeing >= total - agreeing) return own;
  std::array<Sample, kSamples> samples;
  int count = 0;
  for (int n = 0; n < kSamples; ++n)
    if (weight[n]) samples[count++] = {image.disparity[here + window.offset[n]], weight[n]};
  std::sort(samples.begin(), samples.begin() + count,
            [](const Sample& a, const Sample& b) { return a.disparity < b.disparity; });
  std::uint32_t below = 0;
  for (int n = 0; n < count; ++n) {
    below += samples[n].weight;
    if (below >= total - below) return samples[n].disparity;
  }
  return own;
}

template <int kChannels, int kReach>
void median_of_row(const EdgeImage& image, const Weights& weights, int y, float keep_px,
                   float* out) {
  constexpr int kMargin = kReach * kSpacing;
  const std::ptrdiff_t row = std::ptrdiff_t(y) * image.width;
  const Window<kReach> inside(image, weights, std::min(kMargin, image.width - 1), y);
  for (int x = 0; x < image.width; ++x) {
    const std::ptrdiff_t here = row + x;
    if (!image.wanted[here] || std::isnan(image.disparity[here]))
      out[here] = image.disparity[here];
    else if (x >= kMargin && x + kMargin < image.width)
      out[here] = median_at<kChannels, kReach>(image, weights, inside, here, keep_px);
    else
      out[here] = median_at<kChannels, kReach>(image, weights, {image, weights, x, y}, here, keep_px);
  }
}

}  // namespace

void around_edges(int width, int height, const float* disparity, float step_px, int reach_px,
                  std::uint8_t* out) {
  std::fill(out, out + std::ptrdiff_t(width) * height, std::uint8_t(0));
  const auto mark = [&](int x0, int y0, int x1, int y1) {  // around both pixels
    const int left = std::max(x0 - reach_px, 0), right = std::min(x1 + reach_px + 1, width);
    for (int y = std::max(y0 - reach_px, 0); y < std::min(y1 + reach_px + 1, height); ++y)
      std::fill(out + std::ptrdiff_t(y) * width + left, out + std::ptrdiff_t(y) * width + right,
                std::uint8_t(1));
  };
  for (int y = 0; y < height; ++y) {
    const float* row = disparity + std::ptrdiff_t(y) * width;
    const float* below = y + 1 < height ? row + width : row;
    for (int x = 0; x < width; ++x) {  // false where either is unknown
      if (x + 1 < width && std::abs(row[x] - row[x + 1]) > step_px) mark(x, y, x + 1, y);
      if (std::abs(row[x] - below[x]) > step_px) mark(x, y, x, y + 1);
    }
  }
}

void weighted_median(const EdgeImage& image, bool wide, float keep_px, int threads, float* out) {
  static const Weights weights;
  const auto of_row = image.channels == 3 ? (wide ? median_of_row<3, 3> : median_of_row<3, 2>)
                                          : (wide ? median_of_row<1, 3> : median_of_row<1, 2>);
  constexpr int kRows = 8;
  parallel_for(threads, (image.height + kRows - 1) / kRows, [&](int task, int) {
    for (int y = task * kRows; y < std::min(image.height, (task + 1) * kRows); ++y)
      of_row(image, weights, y, keep_px, out);
  });
}

}  // namespace stereo
