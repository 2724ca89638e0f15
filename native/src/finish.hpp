// Stage 5: from winners to disparities. Left-right check, uniqueness, sub-pixel, confidence.
#pragma once

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
  float operator()(const Winner& winner) const;

 private:
  static constexpr int kSteps = 64;              // of the logit, per unit
  static constexpr int kLimit = 8 * kSteps;      // beyond +-8 nothing changes
  int margin_[256], cost_[256], steeper_[256], flatter_[256];
  float likelihood_[2 * kLimit + 1];
};

struct RightView {  // of one row
  std::vector<std::uint8_t> cost;
  std::vector<int> index;
};

// How steeply the cost rises to both sides of the winners of a row. One pixel's rise is noisy, and
// noise draws the sub-pixel minimum to whole pixels; so it is summed over the pixels beside it that
// chose the same disparity (benchmarks/pixel_locking.py).
class Slopes {
 public:
  void resize(int width);
  void gather(const Winner* winners);
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
  void resize(int width);
};

void finish_row(const Search& search, const Options& options, const ConfidenceModel& model,
                const Winner* winners, FinishMemory& memory, float* disparity, float* confidence);

// Turns islands of fewer than `size` pixels into holes; neighbours belong together when they differ
// by at most `range`.
void remove_speckles(float* disparity, int width, int height, int size, float range);

}  // namespace stereo
