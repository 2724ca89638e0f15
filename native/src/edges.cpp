#include "edges.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "buffer.hpp"
#include "color_planes.hpp"

namespace stereo {
namespace {

// 5x5 samples, three pixels apart: nearly as good as all pixels of the window, in a sixteenth of the
// time.
constexpr int kSpacing = 3, kReach = 2;
constexpr double kColorLevels = 8.0, kDistancePx = 10.0;  // where the weights fall to 1/e

struct Weights {
  std::array<std::uint32_t, 256> color;
  std::array<std::uint8_t, kColorSteps> color_bytes;  // the first of them; the others are 0
  std::array<std::uint32_t, 2 * kReach + 1> near;  // by |dx| + |dy| in samples
  Weights() {
    for (int i = 0; i < 256; ++i)
      color[i] = static_cast<std::uint32_t>(std::lround(255 * std::exp(-i / kColorLevels)));
    std::copy(color.begin(), color.begin() + kColorSteps, color_bytes.begin());
    for (int i = 0; i <= 2 * kReach; ++i)
      near[i] =
          static_cast<std::uint32_t>(std::lround(255 * std::exp(-i * kSpacing / kDistancePx)));
  }
};

struct Sample {
  float disparity;
  std::uint32_t weight;
};

// The window's samples as distances in memory, clamped to the image.
struct Window {
    std::array<std::ptrdiff_t, kEdgeSamples> offset;
  std::array<std::uint32_t, kEdgeSamples> near;

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

template <int kChannels>
float median_at(const EdgeImage& image, const Weights& weights, const Window& window,
                std::ptrdiff_t here, float keep_px) {
  const float own = image.disparity[here];
  const std::uint8_t* color = image.color + here * kChannels;
  std::array<std::uint32_t, kEdgeSamples> weight;
  std::uint32_t total = 0, agreeing = 0;  // the products of three bytes fit
  for (int n = 0; n < kEdgeSamples; ++n) {
    const std::ptrdiff_t there = here + window.offset[n];
    const int step = color_step<kChannels>(color, image.color + there * kChannels);
    weight[n] = image.weight[there] * weights.color[step] * window.near[n];
    total += weight[n];
    agreeing += std::abs(image.disparity[there] - own) <= keep_px ? weight[n] : 0;
  }
  if (agreeing >= total - agreeing) return own;
  std::array<Sample, kEdgeSamples> samples;
  int count = 0;
  for (int n = 0; n < kEdgeSamples; ++n)
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

template <int kChannels>
void median_of_row(const EdgeImage& image, const ColorPlanes& planes, const Weights& weights, int y,
                   float keep_px, float* out) {
  constexpr int kMargin = kReach * kSpacing;
  const std::ptrdiff_t row = std::ptrdiff_t(y) * image.width;
  const std::uint8_t* wanted = image.wanted + row;
  std::copy(image.disparity + row, image.disparity + row + image.width, out + row);
  const Window inside(image, weights, std::min(kMargin, image.width - 1), y);
  const auto scalar = [&](int begin, int end) {
    for (int x = begin; x < end; ++x) {
      if (!wanted[x] || std::isnan(image.disparity[row + x])) continue;
      const bool within = x >= kMargin && x + kMargin < image.width;
      out[row + x] = within ? median_at<kChannels>(image, weights, inside, row + x, keep_px)
                            : median_at<kChannels>(image, weights, {image, weights, x, y},
                                                           row + x, keep_px);
    }
  };
  const EdgeRows& kernel = best_kernel().edges;
  const int begin = kMargin, end = image.width - kMargin;
  if (end - begin < kernel.fewest) return scalar(0, image.width);
  scalar(0, begin);
  scalar(end, image.width);
  EdgeRow samples{};
  samples.channels = kChannels;
  samples.px = image.disparity + row, samples.weight = image.weight + row;
  for (int c = 0; c < kChannels; ++c) samples.color[c] = planes[c] + row;
  std::copy(inside.offset.begin(), inside.offset.end(), samples.offset);
  std::copy(inside.near.begin(), inside.near.end(), samples.near);
  samples.by_color = weights.color_bytes.data(), samples.keep_px = keep_px;
  kernel.medians(samples, wanted, begin, end, out + row);
}

}  // namespace

// Steps are marked at the upper or left one of two pixels, and spread from both.
void around_edges(int width, int height, const float* disparity, float step_px, int reach_px,
                  int threads, std::uint8_t* out) {
  if (width == 0) return;
  const std::size_t size = std::size_t(width) * height;
  Buffer<std::uint8_t> marks;
  marks.resize(2 * size);
  std::uint8_t *along = marks.get(), *down = along + size;
  const auto at = [&](auto* plane, int y) { return plane + std::size_t(width) * y; };
  each_rows(height, threads, [&](int y) {
    const int below = std::min(y + 1, height - 1);
    best_kernel().edges.steps(at(disparity, y), at(disparity, below), step_px, width, at(along, y),
                              at(down, y));
  });
  const auto join = best_kernel().edges.mark;
  bands(height, threads, [&](int first, int end) {
    std::vector<std::uint8_t> of_rows(width);
    const auto spread = [&](std::uint8_t* plane, int y, int top, int to_right) {
      std::fill(of_rows.begin(), of_rows.end(), std::uint8_t(0));
      for (int k = std::max(top, 0); k <= std::min(y + reach_px, height - 1); ++k)
        join(at(plane, k), width, of_rows.data());
      for (int shift = -std::min(reach_px, width - 1); shift <= std::min(to_right, width - 1); ++shift)
        join(of_rows.data() + std::max(-shift, 0), width - std::abs(shift),
             at(out, y) + std::max(shift, 0));
    };
    for (int y = first; y < end; ++y) {
      std::fill(at(out, y), at(out, y) + width, std::uint8_t(0));
      spread(down, y, y - reach_px - 1, reach_px);
      spread(along, y, y - reach_px, reach_px + 1);
    }
  });
}

void weighted_median(const EdgeImage& image, float keep_px, int threads, float* out) {
  static const Weights weights;
  const ColorPlanes planes(image.color, image.channels, image.width, image.height, threads);
  const auto of_row = image.channels == 3 ? median_of_row<3> : median_of_row<1>;
  each_rows(image.height, threads,
            [&](int y) { of_row(image, planes, weights, y, keep_px, out); });
}

void sharpen_edges(int width, int height, int channels, const float* px, const float* confidence,
                   const std::uint8_t* color, const EdgeRules& rules, int threads, float* out_px,
                   float* out_confidence) {
  const std::size_t size = std::size_t(width) * height;
  Buffer<std::uint8_t> memory;
  memory.resize(2 * size);
  std::uint8_t *weight = memory.get(), *wanted = weight + size;
  each_rows(height, threads, [&](int y) {
    const std::size_t row = std::size_t(width) * y;
    best_kernel().edges.weights(confidence + row, width, weight + row);
  });
  around_edges(width, height, px, rules.step_px, 1, threads, wanted);
  weighted_median({width, height, channels, px, weight, color, wanted}, rules.keep_px, threads,
                  out_px);
  each_rows(height, threads, [&](int y) {
    const std::size_t row = std::size_t(width) * y;
    best_kernel().edges.trust(px + row, out_px + row, confidence + row, rules.moved_confidence, width,
                              out_confidence + row);
  });
}

}  // namespace stereo
