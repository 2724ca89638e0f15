#include "edges.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "parallel.hpp"

namespace stereo {
namespace {

// 7x7 samples, three pixels apart: as good as all 361 of the window at an eighth of the time.
constexpr int kReach = 3, kSpacing = 3, kSide = 2 * kReach + 1, kSamples = kSide * kSide;
constexpr double kColorLevels = 8.0, kDistancePx = 10.0;  // where the weights fall to 1/e

struct Weights {
  std::array<std::uint32_t, 256> color;
  std::array<std::uint32_t, 2 * kReach + 1> near;  // by |dx| + |dy| in samples
  Weights() {
    for (int i = 0; i < 256; ++i)
      color[i] = static_cast<std::uint32_t>(std::lround(255 * std::exp(-i / kColorLevels)));
    for (int i = 0; i <= 2 * kReach; ++i)
      near[i] =
          static_cast<std::uint32_t>(std::lround(255 * std::exp(-i * kSpacing / kDistancePx)));
  }
};

struct Sample {
  float disparity;
  std::uint32_t weight;
};

// The largest of the channels' differences.
int color_step(const std::uint8_t* a, const std::uint8_t* b, int channels) {
  int step = 0;
  for (int c = 0; c < channels; ++c) step = std::max(step, std::abs(int(a[c]) - int(b[c])));
  return step;
}

float median_at(const EdgeImage& image, const Weights& weights, int x, int y, float keep_px) {
  std::array<Sample, kSamples> samples;
  const std::ptrdiff_t here = std::ptrdiff_t(y) * image.width + x;
  const float own = image.disparity[here];
  std::uint32_t total = 0, agreeing = 0;  // 49 products of three bytes fit
  int n = 0;
  for (int dy = -kReach; dy <= kReach; ++dy)
    for (int dx = -kReach; dx <= kReach; ++dx) {
      const int row = std::clamp(y + dy * kSpacing, 0, image.height - 1);
      const int column = std::clamp(x + dx * kSpacing, 0, image.width - 1);
      const std::ptrdiff_t there = std::ptrdiff_t(row) * image.width + column;
      const int step = color_step(image.color + here * image.channels,
                                  image.color + there * image.channels, image.channels);
      const std::uint32_t weight = image.weight[there] * weights.color[step] *
                                   weights.near[std::abs(dx) + std::abs(dy)];
      samples[n++] = {image.disparity[there], weight};
      total += weight;
      if (std::abs(image.disparity[there] - own) <= keep_px) agreeing += weight;
    }
  if (agreeing >= total - agreeing) return own;
  std::sort(samples.begin(), samples.end(),
            [](const Sample& a, const Sample& b) { return a.disparity < b.disparity; });
  std::uint32_t below = 0;
  for (const Sample& sample : samples) {
    below += sample.weight;
    if (below >= total - below) return sample.disparity;
  }
  return own;
}

}  // namespace

void weighted_median(const EdgeImage& image, float keep_px, int threads, float* out) {
  static const Weights weights;
  constexpr int kRows = 8;
  parallel_for(threads, (image.height + kRows - 1) / kRows, [&](int task, int) {
    for (int y = task * kRows; y < std::min(image.height, (task + 1) * kRows); ++y)
      for (int x = 0; x < image.width; ++x) {
        const std::ptrdiff_t i = std::ptrdiff_t(y) * image.width + x;
        out[i] = image.wanted[i] ? median_at(image, weights, x, y, keep_px) : image.disparity[i];
      }
  });
}

}  // namespace stereo
