#include "finish.hpp"

#include <algorithm>
#include <cmath>

namespace stereo {
namespace {

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

void Slopes::resize(int width) {
  for (auto* padded : {&index_, &before_, &after_}) padded->assign(width + 2 * kReach, -1);
  for (auto* sums : {&befores_, &afters_}) sums->resize(width);
  fractions_.resize(width);
}

void Slopes::gather(const Winners& winners) {
  const int width = static_cast<int>(befores_.size());
  std::int16_t *index = index_.data() + kReach, *before = before_.data() + kReach,
               *after = after_.data() + kReach;
  for (int x = 0; x < width; ++x) index[x] = static_cast<std::int16_t>(winners.index[x]);
  for (int x = 0; x < width; ++x)
    before[x] = static_cast<std::int16_t>(winners.before[x] - winners.cost[x]);
  for (int x = 0; x < width; ++x)
    after[x] = static_cast<std::int16_t>(winners.after[x] - winners.cost[x]);
  std::fill(befores_.begin(), befores_.end(), 0);
  std::fill(afters_.begin(), afters_.end(), 0);
  const std::int16_t* chosen = index_.data() + kReach;
  for (int shift = 0; shift <= 2 * kReach; ++shift)
    add_where_equal(width, chosen, index_.data() + shift, before_.data() + shift,
                    after_.data() + shift, befores_.data(), afters_.data());
  place_minimum(width, befores_.data(), afters_.data(), fractions_.data());
}

void RightView::vote(const Search& search, const Winners& winners) {
  const int width = search.width, shift = search.min_disparity;
  std::fill(keys_.begin(), keys_.end(), kNobody);
  for (int x = 0; x < width; ++x) {
    const int index = winners.index[x];
    std::uint32_t& key = keys_[slot_of(width, x - shift - index)];
    key = std::min(key, std::uint32_t(winners.cost[x]) << 16 | std::uint32_t(kIndexMask - index));
  }
}

void FinishMemory::resize(int width) {
  right.resize(width);
  slopes.resize(width);
  for (auto* bytes : {&margin, &steeper, &flatter, &valid}) bytes->resize(width);
}

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

// Which pixels are valid follows no pattern that a processor could guess, so nothing here branches
// on it.
void finish_row(const Search& search, const Options& options, const ConfidenceModel& model,
                const Winners& winners, FinishMemory& memory, float* disparity,
                float* confidence) {
  const int width = search.width, shift = search.min_disparity;
  const int max_px = std::min(options.left_right_max_px, kMaxDisparities);
  std::uint8_t* valid = memory.valid.data();
  memory.right.vote(search, winners);
  memory.slopes.gather(winners);
  compare_with_winner(width, winners.cost, winners.before, winners.after, winners.rival,
                      memory.margin.data(), memory.steeper.data(), memory.flatter.data());
  find_unique(width, options.uniqueness_percent, winners.cost, winners.rival, valid);
  for (int x = 0; x < width; ++x) {
    const int index = winners.index[x];
    valid[x] &= memory.right.agrees(width, x - shift - index, index, max_px);
  }
  for (int x = 0; x < width; ++x)
    confidence[x] =
        model(winners.cost[x], memory.margin[x], memory.steeper[x], memory.flatter[x]);
  place(width, shift, search.disparities - 1, winners.index, memory.slopes.fractions(), disparity);
  keep_where(width, valid, kHole, disparity);
  keep_where(width, valid, 0, confidence);
}

}  // namespace stereo
