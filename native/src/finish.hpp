// Stage 5: from winners to disparities. Left-right check, uniqueness, sub-pixel, confidence.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "matcher.hpp"

namespace stereo {

// Below every disparity, so that the median treats a hole as the farthest background.
constexpr float kHole = -1e6f;

// How likely a winner is right within a pixel: a logistic regression on four logarithms of costs,
// in fixed point, so that it gives the same bits everywhere. See finish.cpp.
class ConfidenceModel {
 public:
  ConfidenceModel();
  // How much dearer than the winner its rival and the steeper and flatter of its two sides are.
  float operator()(std::uint8_t cost, std::uint8_t margin, std::uint8_t steeper,
                   std::uint8_t flatter) const {
    const int logit = margin_[margin] + cost_[cost] + steeper_[steeper] + flatter_[flatter];
    return likelihood_[std::clamp(logit, -kLimit, kLimit) + kLimit];
  }

 private:
  static constexpr int kSteps = 64;              // of the logit, per unit
  static constexpr int kLimit = 8 * kSteps;      // beyond +-8 nothing changes
  int margin_[256], cost_[256], steeper_[256], flatter_[256];
  float likelihood_[2 * kLimit + 1];
};

// The right view's disparity of one row, taken from the left view's winners: of all left pixels that
// chose a right one, the cheapest keeps it, and among equals the nearer surface.
class RightView {
 public:
  void resize(int width) { keys_.resize(width + 1); }
  void vote(const Search& search, const Winners& winners);
  // Does the right pixel that this left one chose agree within max_px? Negative: need not agree, only
  // be in the image.
  bool agrees(int width, int there, int index, int max_px) const {
    const int slot = slot_of(width, there);
    const int theirs = kIndexMask - int(keys_[slot] & kIndexMask);
    return (slot < width) & ((max_px < 0) | (std::abs(theirs - index) <= max_px));
  }

 private:
  static constexpr int kIndexMask = 0xffff;  // of a key: cost above, index below, counted backwards
  static constexpr std::uint32_t kNobody = 255u << 16;
  static int slot_of(int width, int there) {  // all outside the image share one
    return unsigned(there) < unsigned(width) ? there : width;
  }
  std::vector<std::uint32_t> keys_;  // [width + 1]
};

// How steeply the cost rises to both sides of the winners of a row. One pixel's rise is noisy, and
// noise draws the sub-pixel minimum to whole pixels; so it is summed over the pixels beside it that
// chose the same disparity (benchmarks/pixel_locking.py).
class Slopes {
 public:
  void resize(int width);
  void gather(const Winners& winners);
  // Where between its neighbours the minimum of each column lies, -0.5 to 0.5 px.
  const float* fractions() const { return fractions_.data(); }

 private:
  static constexpr int kReach = 4;             // columns to each side
  std::vector<std::int16_t> index_;            // [width + 2 * kReach], -1 beyond the row
  std::vector<std::int16_t> before_, after_;   // the same, of one pixel
  std::vector<std::int16_t> befores_, afters_; // [width], summed
  std::vector<float> fractions_;               // [width]
};

struct FinishMemory {  // of one row
  RightView right;
  Slopes slopes;
  std::vector<std::uint8_t> margin, steeper, flatter, valid;
  void resize(int width);
};

// Writes disparity, kHole where unknown, and confidence, 0 where unknown.
void finish_row(const Search& search, const Options& options, const ConfidenceModel& model,
                const Winners& winners, FinishMemory& memory, float* disparity, float* confidence);

}  // namespace stereo
