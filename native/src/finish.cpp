#include "finish.hpp"

#include <algorithm>
#include <cmath>

namespace stereo {
namespace {

// How likely a winner is right within a pixel: a logistic regression on four logarithms of costs,
// in fixed point, so that it gives the same bits everywhere.
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

// Weights fitted to "within 1 px of the truth" over pairs.json, each pair weighing the same
// (benchmarks/sgm_fit.py prints the fit and the sparsification area, confidence.py the calibration).
ConfidenceModel::ConfidenceModel() {
  for (int cost = 0; cost < 256; ++cost) {
    const double logarithm = kSteps * std::log1p(cost);
    margin_[cost] = static_cast<int>(std::lround(0.6740 * logarithm));
    cost_[cost] = static_cast<int>(std::lround(-1.2941 * logarithm + 3.2559 * kSteps));
    steeper_[cost] = static_cast<int>(std::lround(0.5455 * logarithm));
    flatter_[cost] = static_cast<int>(std::lround(-0.3476 * logarithm));
  }
  for (int i = -kLimit; i <= kLimit; ++i)
    likelihood_[i + kLimit] = static_cast<float>(1 / (1 + std::exp(-double(i) / kSteps)));
}

// Plain arrays and one pass per neighbour, so that compilers turn it into vectors.
void add_where_equal(int width, const std::int16_t* chosen, const std::int16_t* index,
                     const std::int16_t* before, const std::int16_t* after,
                     std::int16_t* __restrict befores, std::int16_t* __restrict afters) {
  for (int x = 0; x < width; ++x) {
    const std::int16_t same = index[x] == chosen[x] ? -1 : 0;
    befores[x] = static_cast<std::int16_t>(befores[x] + (before[x] & same));
    afters[x] = static_cast<std::int16_t>(afters[x] + (after[x] & same));
  }
}

// A parabola or two lines of equal slope draw the minimum to whole pixels, because the paths favour
// them; this curve follows the median true offset by the ratio of slopes, over pairs with truth
// finer than a pixel and over rendered slanted surfaces (benchmarks/pixel_locking.py).
void place_minimum(int width, const std::int16_t* before, const std::int16_t* after,
                   float* __restrict fraction) {
  for (int x = 0; x < width; ++x) {
    const int steeper = std::max<int>(std::max(before[x], after[x]), 1);
    const float ratio = static_cast<float>(before[x] - after[x]) / static_cast<float>(steeper);
    fraction[x] = ratio * (0.87f - 0.38f * std::abs(ratio));
  }
}

void compare_with_winner(int width, const std::uint8_t* cost, const std::uint8_t* before,
                         const std::uint8_t* after, const std::uint8_t* rival,
                         std::uint8_t* __restrict margin, std::uint8_t* __restrict steeper,
                         std::uint8_t* __restrict flatter) {
  for (int x = 0; x < width; ++x) {
    margin[x] = static_cast<std::uint8_t>(rival[x] - cost[x]);
    steeper[x] = static_cast<std::uint8_t>(std::max(before[x], after[x]) - cost[x]);
    flatter[x] = static_cast<std::uint8_t>(std::min(before[x], after[x]) - cost[x]);
  }
}

void find_unique(int width, int percent, const std::uint8_t* cost, const std::uint8_t* rival,
                 std::uint8_t* __restrict unique) {
  const auto share = static_cast<std::int16_t>(100 - percent);
  const bool all = percent == 0;
  for (int x = 0; x < width; ++x) {
    const auto theirs = static_cast<std::int16_t>(rival[x] * share);
    const auto ours = static_cast<std::int16_t>(cost[x] * 100);
    unique[x] = all | (theirs > ours);
  }
}

void place(int width, int first, int last_index, const std::uint16_t* index,
           const float* fractions, float* __restrict disparity) {
  for (int x = 0; x < width; ++x) {
    const int chosen = index[x];
    const float fraction = fractions[x];
    const bool inside = (chosen > 0) & (chosen < last_index);
    disparity[x] = static_cast<float>(first + chosen) + (inside ? fraction : 0.0f);
  }
}

void keep_where(int width, const std::uint8_t* valid, float otherwise, float* __restrict values) {
  for (int x = 0; x < width; ++x) {
    const float value = values[x];
    values[x] = valid[x] ? value : otherwise;
  }
}

}  // namespace

void Slopes::gather(int width, const Winners& winners) {
  for (auto* padded : {&index_, &before_, &after_}) {
    std::fill_n(padded->get(), kReach, -1);
    std::fill_n(padded->get() + kReach + width, kReach, -1);
  }
  std::int16_t *index = index_.get() + kReach, *before = before_.get() + kReach,
               *after = after_.get() + kReach;
  for (int x = 0; x < width; ++x) index[x] = static_cast<std::int16_t>(winners.index[x]);
  for (int x = 0; x < width; ++x)
    before[x] = static_cast<std::int16_t>(winners.before[x] - winners.cost[x]);
  for (int x = 0; x < width; ++x)
    after[x] = static_cast<std::int16_t>(winners.after[x] - winners.cost[x]);
  std::fill_n(befores_.get(), width, 0);
  std::fill_n(afters_.get(), width, 0);
  for (int shift = 0; shift <= 2 * kReach; ++shift)
    add_where_equal(width, index, index_.get() + shift, before_.get() + shift,
                    after_.get() + shift, befores_.get(), afters_.get());
  place_minimum(width, befores_.get(), afters_.get(), fractions_.get());
}

void RightView::vote(const Search& search, const Winners& winners) {
  const int width = search.width, shift = search.min_disparity;
  std::uint32_t* keys = keys_.get();
  std::fill_n(keys, width + 1, kNobody);
  for (int x = 0; x < width; ++x) {
    const int index = winners.index[x];
    std::uint32_t& key = keys[slot_of(width, x - shift - index)];
    key = std::min(key, std::uint32_t(winners.cost[x]) << 16 | std::uint32_t(kIndexMask - index));
  }
}

// Which pixels are valid follows no pattern that a processor could guess, so nothing here branches
// on it.
void finish_row(const Search& search, const Options& options, const Winners& winners,
                FinishMemory& memory, float* disparity, float* confidence) {
  static const ConfidenceModel model;
  const int width = search.width, shift = search.min_disparity;
  const int max_px = std::min(options.left_right_max_px, kMaxDisparities);
  std::uint8_t *margin = memory.margin.get(), *steeper = memory.steeper.get(),
               *flatter = memory.flatter.get(), *valid = memory.valid.get();
  memory.right.vote(search, winners);
  memory.slopes.gather(width, winners);
  compare_with_winner(width, winners.cost, winners.before, winners.after, winners.rival,
                      margin, steeper, flatter);
  find_unique(width, options.uniqueness_percent, winners.cost, winners.rival, valid);
  for (int x = 0; x < width; ++x) {
    const int index = winners.index[x];
    valid[x] &= memory.right.agrees(width, x - shift - index, index, max_px);
  }
  for (int x = 0; x < width; ++x)
    confidence[x] = model(winners.cost[x], margin[x], steeper[x], flatter[x]);
  place(width, shift, search.num_disparities - 1, winners.index, memory.slopes.fractions(),
        disparity);
  keep_where(width, valid, kHole, disparity);
  keep_where(width, valid, 0, confidence);
}

}  // namespace stereo
