// Stage 5: from winners to disparities. Left-right check, uniqueness, sub-pixel, confidence.
#pragma once

#include <vector>

#include "matcher.hpp"

namespace stereo {

// Below every disparity, so that the median treats a hole as the farthest background.
constexpr float kHole = -1e6f;

// The confidence of each (margin, cost), see finish.cpp.
class ConfidenceTable {
 public:
  ConfidenceTable();
  float operator()(int margin, int cost) const {
    margin = margin < kMargins ? margin : kMargins - 1;
    cost = cost / kCostStep < kCosts ? cost / kCostStep : kCosts - 1;
    return table_[margin * kCosts + cost];
  }

 private:
  static constexpr int kMargins = 128, kCosts = 32, kCostStep = 4;
  float table_[kMargins * kCosts];
};

struct RightView {  // of one row
  std::vector<std::uint8_t> cost;
  std::vector<int> index;
};

void finish_row(const Search& search, const Options& options, const ConfidenceTable& table,
                const Winner* winners, RightView& right, float* disparity, float* confidence);

// Turns islands of fewer than `size` pixels into holes; neighbours belong together when they differ
// by at most `range`.
void remove_speckles(float* disparity, int width, int height, int size, float range);

}  // namespace stereo
