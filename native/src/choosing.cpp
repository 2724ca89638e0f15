#include "choosing.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "parallel.hpp"

namespace stereo {
namespace {

// Where candidates come from: every third pixel within 9, and all within 2.
constexpr int kFar = 3, kSpacing = 3, kClose = 2;
constexpr float kSamePx = 1, kWidestPx = 3;  // of disparities that are one candidate
constexpr int kMostSurfaces = 8;             // before the best supported are kept

// Where the images are compared: within 2. Differences are in sixteenths of a gray level, of all
// three channels together; beyond the caps one is no more wrong than another.
constexpr int kLook = 2, kSide = 2 * kLook + 1, kFine = 16, kScale = 3 * kFine;
constexpr int kLevelCap = 15 * kScale, kOwnLevelCap = 30 * kScale, kUnseenLevel = 15 * kScale;
constexpr int kSlopeCap = 24 * kFine, kOwnSlopeCap = 60 * kFine, kUnseenSlope = 15 * kFine;

// Kinds of support: by colour, three times, from far; and once from near. Sums are of floats, always in
// the same order.
constexpr int kSupports = 4;
constexpr double kColorLevels[kSupports] = {8, 4, 20, 8};
constexpr double kDistancePx[kSupports] = {10, 10, 10, 4};
constexpr float kSettled = 0.9f;     // of all support: the pixel's own surface, beyond doubt
constexpr float kNegligible = 0.02f;  // far and near: no candidate

using Support = std::array<float, kSupports>;

struct Sample {
  int dx, dy;
  Support near;
};

struct Weights {
  std::array<Support, 256> color;
  std::vector<Sample> samples;
  std::int32_t look[2 * kLook + 1];
  Weights() {
    for (int k = 0; k < kSupports; ++k)
      for (int i = 0; i < 256; ++i) color[i][k] = rounded(std::exp(-i / kColorLevels[k]));
    add(0, 0);
    for (int dy = -kClose; dy <= kClose; ++dy)
      for (int dx = -kClose; dx <= kClose; ++dx)
        if (dx || dy) add(dx, dy);
    for (int dy = -kFar; dy <= kFar; ++dy)
      for (int dx = -kFar; dx <= kFar; ++dx)
        if (dx || dy) add(dx * kSpacing, dy * kSpacing);
    for (int i = 0; i <= 2 * kLook; ++i) look[i] = int(std::lround(32 * std::exp(-i / 8.0)));
  }

 private:
  void add(int dx, int dy) {
    Sample sample{dx, dy, {}};
    for (int k = 0; k < kSupports; ++k)
      sample.near[k] = rounded(std::exp(-(std::abs(dx) + std::abs(dy)) / kDistancePx[k]));
    samples.push_back(sample);
  }
  // So that no last bit of an exponential matters.
  static float rounded(double weight) { return float(std::lround(255 * weight)); }
};
const Weights weights;

struct Surface {
  float low, high, disparity, best;
  Support support;
};

// The largest of the channels' differences.
template <int kChannels>
int color_step(const std::uint8_t* a, const std::uint8_t* b) {
  int step = 0;
  for (int c = 0; c < kChannels; ++c) step = std::max(step, std::abs(int(a[c]) - int(b[c])));
  return step;
}

// The disparities around a pixel, those within a pixel of each other as one surface.
template <int kChannels>
class Surfaces {
 public:
  Surfaces(const ChoiceImages& images, int x, int y) : images_(images) {
    const std::ptrdiff_t here = std::ptrdiff_t(y) * images.width + x;
    constexpr int kReach = kFar * kSpacing;
    if (x >= kReach && x + kReach < images.width && y >= kReach && y + kReach < images.height) {
      for (const Sample& sample : weights.samples) add(here, sample);
    } else {
      for (const Sample& sample : weights.samples)
        if (x + sample.dx >= 0 && x + sample.dx < images.width && y + sample.dy >= 0 &&
            y + sample.dy < images.height)
          add(here, sample);
    }
    found_[0].disparity = images.disparity[here];  // and no neighbour's
    for (int k = 0; k < count_; ++k)
      for (int kind = 0; kind < kSupports; ++kind) total_[kind] += found_[k].support[kind];
    for (float& sum : total_) sum = std::max(sum, 1.0f);
  }

  // Shares of all support.
  Support shares(const Surface& surface) const {
    Support shares;
    for (int kind = 0; kind < kSupports; ++kind) shares[kind] = surface.support[kind] / total_[kind];
    return shares;
  }

  // The pixel's own first, then by support, without those that have hardly any.
  int sorted(Surface* out) {
    const auto end = std::remove_if(found_.begin() + 1, found_.begin() + count_, [&](auto& surface) {
      const Support share = shares(surface);
      return share[0] < kNegligible && share[3] < kNegligible;
    });
    std::stable_sort(found_.begin() + 1, end, [](const Surface& a, const Surface& b) {
      return a.support[0] > b.support[0];
    });
    const int kept = std::min<int>(end - found_.begin(), kCandidates);
    std::copy(found_.begin(), found_.begin() + kept, out);
    return kept;
  }

  bool settled() const {
    const Support share = shares(found_[0]);
    return share[0] > kSettled && share[3] > kSettled;
  }

 private:
  void add(std::ptrdiff_t here, const Sample& sample) {
    const std::ptrdiff_t there = here + std::ptrdiff_t(sample.dy) * images_.width + sample.dx;
    const float disparity = images_.disparity[there];
    if (std::isnan(disparity)) return;
    int k = 0;
    while (k < count_ && !belongs(found_[k], disparity)) ++k;
    if (k == count_) {
      if (count_ == kMostSurfaces) return;
      found_[count_++] = {disparity, disparity, disparity, 0, {}};
    }
    Surface& surface = found_[k];
    surface.low = std::min(surface.low, disparity);
    surface.high = std::max(surface.high, disparity);
    const Support& alike = weights.color[color_step<kChannels>(
        images_.left + here * kChannels, images_.left + there * kChannels)];
    const float worth = images_.weight[there];
    Support more;
    for (int kind = 0; kind < kSupports; ++kind)
      more[kind] = worth * sample.near[kind] * alike[kind];
    for (int kind = 0; kind < kSupports; ++kind) surface.support[kind] += more[kind];
    if (more[3] > surface.best) {
      surface.best = more[3];
      surface.disparity = disparity;
    }
  }

  static bool belongs(const Surface& surface, float disparity) {
    return disparity >= std::max(surface.low - kSamePx, surface.high - kWidestPx) &&
           disparity <= std::min(surface.high + kSamePx, surface.low + kWidestPx);
  }

  const ChoiceImages& images_;
  int count_ = 0;
  std::array<Surface, kMostSurfaces> found_;
  Support total_{};
};

// The difference of the two images at one disparity: of the pixel, of 3x3 and of 5x5.
struct Difference {
  float level, slope, level3, slope3, level5, slope5;
};

template <int kChannels>
class Look {
 public:
  Look(const ChoiceImages& images, int x, int y) : images_(images), x_(x), y_(y) {
    const std::uint8_t* here = images.left + (std::ptrdiff_t(y) * images.width + x) * kChannels;
    for (int k = 0, dy = -kLook; dy <= kLook; ++dy)
      for (int dx = -kLook; dx <= kLook; ++dx, ++k) {
        const int column = x + dx, row = y + dy;
        weight_[k] = 0;
        // the slope looks at both neighbours
        if (column < 1 || column + 1 >= images.width || row < 0 || row >= images.height) continue;
        const std::uint8_t* there = left(row, column);
        weight_[k] = int(weights.color[color_step<kChannels>(here, there)][0]) *
                     weights.look[std::abs(dx) + std::abs(dy)] / 32;
        slope_[k] = sum(there + kChannels) - sum(there - kChannels);
        alike_ += weight_[k];
      }
  }

  // How much of what is around looks like the pixel.
  float alike() const { return float(alike_) / (255 * kSide * kSide); }

  Difference at(float disparity) const {
    const int sixteenths = int(std::lround(disparity * kFine));
    std::int64_t level5 = 0, slope5 = 0, total = 0;
    int level3 = 0, slope3 = 0, count3 = 0, level1 = kUnseenLevel, slope1 = kUnseenSlope;
    for (int k = 0, dy = -kLook; dy <= kLook; ++dy)
      for (int dx = -kLook; dx <= kLook; ++dx, ++k) {
        if (weight_[k] == 0) continue;
        int level = kUnseenLevel, slope = kUnseenSlope;
        compare(k, (x_ + dx) * kFine - sixteenths, y_ + dy, level, slope);
        if (dx == 0 && dy == 0) level1 = level, slope1 = slope;
        level = std::min(level, kLevelCap);
        slope = std::min(slope, kSlopeCap);
        level5 += std::int64_t(weight_[k]) * level;
        slope5 += std::int64_t(weight_[k]) * slope;
        total += weight_[k];
        if (std::max(std::abs(dx), std::abs(dy)) > 1) continue;
        level3 += level;
        slope3 += slope;
        ++count3;
      }
    const float one = std::max(1, count3), all = float(std::max<std::int64_t>(1, total));
    return {float(std::min(level1, kOwnLevelCap)), float(std::min(slope1, kOwnSlopeCap)),
            level3 / one, slope3 / one, float(level5) / all, float(slope5) / all};
  }

 private:
  const std::uint8_t* left(int row, int column) const {
    return images_.left + (std::ptrdiff_t(row) * images_.width + column) * kChannels;
  }
  static int sum(const std::uint8_t* pixel) {
    return kChannels == 3 ? pixel[0] + pixel[1] + pixel[2] : 3 * pixel[0];
  }

  // Pixel k of the window against the right image at a column in sixteenths.
  void compare(int k, int sixteenths, int row, int& level, int& slope) const {
    const int column = sixteenths >> 4, share = sixteenths & (kFine - 1);
    if (column < 1 || column + 2 >= images_.width) return;
    const std::uint8_t* right =
        images_.right + (std::ptrdiff_t(row) * images_.width + column) * kChannels;
    const std::uint8_t* own = window(k);
    level = 0;
    for (int c = 0; c < kChannels; ++c)
      level += std::abs(kFine * own[c] - (kFine - share) * right[c] - share * right[c + kChannels]);
    if (kChannels == 1) level *= 3;
    const int before = sum(right + kChannels) - sum(right - kChannels);
    const int after = sum(right + 2 * kChannels) - sum(right);
    slope = std::abs(kFine * slope_[k] - (kFine - share) * before - share * after) / 3;
  }
  const std::uint8_t* window(int k) const {
    return left(y_ + k / kSide - kLook, x_ + k % kSide - kLook);
  }

  const ChoiceImages& images_;
  const int x_, y_;
  int weight_[kSide * kSide], slope_[kSide * kSide], alike_ = 0;
};

float fourth_root(float share) { return std::sqrt(std::sqrt(share)); }

template <int kChannels>
Candidates candidates(const ChoiceImages& images, int x, int y) {
  Surfaces<kChannels> around(images, x, y);
  Surface surfaces[kCandidates];
  Candidates found{};
  found.disparity[0] = images.disparity[std::ptrdiff_t(y) * images.width + x];
  found.count = around.settled() ? 1 : around.sorted(surfaces);
  if (found.count == 1) return found;
  const Look<kChannels> look(images, x, y);
  Difference differences[kCandidates];
  float low = surfaces[0].disparity, high = low;
  float least3 = std::numeric_limits<float>::max(), least5 = least3;
  for (int k = 0; k < found.count; ++k) {
    const float disparity = found.disparity[k] = surfaces[k].disparity;
    low = std::min(low, disparity);
    high = std::max(high, disparity);
    differences[k] = look.at(disparity);
    least3 = std::min(least3, differences[k].level3);
    least5 = std::min(least5, differences[k].level5);
  }
  const float misfit = float(images.misfit[std::ptrdiff_t(y) * images.width + x]) / 4;
  const float usual = kScale * (misfit + 1.5f);
  for (int k = 0; k < found.count; ++k) {
    const Difference& d = differences[k];
    const float disparity = found.disparity[k];
    float* clue = found.clues[k];
    for (const float share : around.shares(surfaces[k])) *clue++ = fourth_root(share);
    for (const float level : {d.level, d.level3, d.level5, d.level3 - least3, d.level5 - least5})
      *clue++ = level / (5 * kScale);
    for (const float slope : {d.slope, d.slope3, d.slope5}) *clue++ = slope / (10 * kFine);
    *clue++ = k == 0;
    *clue++ = (disparity - low) / (high - low + 0.001f);
    *clue++ = std::min(high - low, 20.0f) / 10;
    *clue++ = std::clamp((disparity - found.disparity[0]) / 5, -2.0f, 2.0f);
    *clue++ = look.alike();
    *clue++ = misfit / 8;
    *clue++ = std::min((d.level3 - least3) / usual, 4.0f);
    *clue++ = std::min((d.level5 - least5) / usual, 4.0f);
  }
  return found;
}

// One layer: in order of what goes in, so that every compiler adds in the same order.
template <int kIn>
void layer(const float (&weights)[kIn + 1][kUnits], const float* in, float* out) {
  std::copy(weights[kIn], weights[kIn] + kUnits, out);
  for (int k = 0; k < kIn; ++k)
    for (int i = 0; i < kUnits; ++i) out[i] += weights[k][i] * in[k];
  for (int i = 0; i < kUnits; ++i) out[i] = std::max(out[i], 0.0f);
}

float score(const Chooser& chooser, const float* clues) {
  float first[kUnits], second[kUnits];
  layer<kChoiceClues>(chooser.first, clues, first);
  layer<kUnits>(chooser.second, first, second);
  float sum = 0;
  for (int k = 0; k < kUnits; ++k) sum += chooser.last[k] * second[k];
  return sum;
}

}  // namespace

Candidates candidates_at(const ChoiceImages& images, int x, int y) {
  return images.channels == 3 ? candidates<3>(images, x, y) : candidates<1>(images, x, y);
}

void choose_surfaces(const ChoiceImages& images, const Chooser& chooser, float keep, int threads, float* out) {
  constexpr int kRows = 8;
  const auto of_row = [&](int y) {
    for (int x = 0; x < images.width; ++x) {
      const std::ptrdiff_t here = std::ptrdiff_t(y) * images.width + x;
      out[here] = images.disparity[here];
      if (!images.wanted[here] || std::isnan(out[here])) continue;
      const Candidates found = candidates_at(images, x, y);
      if (found.count < 2) continue;
      float best = score(chooser, found.clues[0]) + keep;
      for (int k = 1; k < found.count; ++k)
        if (const float other = score(chooser, found.clues[k]); other > best) {
          best = other;
          out[here] = found.disparity[k];
        }
    }
  };
  parallel_for(threads, (images.height + kRows - 1) / kRows, [&](int task, int) {
    for (int y = task * kRows; y < std::min(images.height, (task + 1) * kRows); ++y) of_row(y);
  });
}

}  // namespace stereo
