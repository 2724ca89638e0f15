#include "finish.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

namespace stereo {
namespace {

// The right view's disparity, taken from the left view's winners: of all left pixels that chose a
// right one, the cheapest keeps it, and among equals the nearer surface.
void vote(const Search& search, const Winner* winners, RightView& right) {
  std::fill(right.cost.begin(), right.cost.end(), 255);
  std::fill(right.index.begin(), right.index.end(), -1);
  for (int x = search.width - 1; x >= 0; --x) {
    const int xr = x - search.min_disparity - winners[x].index;
    if (xr < 0 || xr >= search.width || winners[x].cost >= right.cost[xr]) continue;
    right.cost[xr] = winners[x].cost;
    right.index[xr] = winners[x].index;
  }
}

bool agrees(const Search& search, const RightView& right, int x, int index, int max_px) {
  const int xr = x - search.min_disparity - index;
  if (xr < 0 || xr >= search.width) return false;  // seen by the left camera only
  return max_px < 0 || (right.index[xr] >= 0 && std::abs(right.index[xr] - index) <= max_px);
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

}  // namespace

void Slopes::resize(int width) {
  for (auto* padded : {&index_, &before_, &after_}) padded->assign(width + 2 * kReach, -1);
  for (auto* sums : {&befores_, &afters_}) sums->resize(width);
  fractions_.resize(width);
}

void Slopes::gather(const Winner* winners) {
  const int width = static_cast<int>(befores_.size());
  for (int x = 0; x < width; ++x) {
    index_[x + kReach] = static_cast<std::int16_t>(winners[x].index);
    before_[x + kReach] = static_cast<std::int16_t>(winners[x].before - winners[x].cost);
    after_[x + kReach] = static_cast<std::int16_t>(winners[x].after - winners[x].cost);
  }
  std::fill(befores_.begin(), befores_.end(), 0);
  std::fill(afters_.begin(), afters_.end(), 0);
  const std::int16_t* chosen = index_.data() + kReach;
  for (int shift = 0; shift <= 2 * kReach; ++shift)
    add_where_equal(width, chosen, index_.data() + shift, before_.data() + shift,
                    after_.data() + shift, befores_.data(), afters_.data());
  place_minimum(width, befores_.data(), afters_.data(), fractions_.data());
}

void FinishMemory::resize(int width) {
  right.cost.resize(width);
  right.index.resize(width);
  slopes.resize(width);
}

// Weights fitted to "within 1 px of the truth" over pairs.json, each pair weighing the same
// (benchmarks/sgm_fit.py prints the fit, the calibration and the sparsification area).
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

float ConfidenceModel::operator()(const Winner& winner) const {
  const int logit = margin_[winner.rival - winner.cost] + cost_[winner.cost] +
                    steeper_[std::max(winner.before, winner.after) - winner.cost] +
                    flatter_[std::min(winner.before, winner.after) - winner.cost];
  return likelihood_[std::clamp(logit, -kLimit, kLimit) + kLimit];
}

void finish_row(const Search& search, const Options& options, const ConfidenceModel& model,
                const Winner* winners, FinishMemory& memory, float* disparity, float* confidence) {
  vote(search, winners, memory.right);
  memory.slopes.gather(winners);
  for (int x = 0; x < search.width; ++x) {
    const Winner& winner = winners[x];
    const bool unique =
        winner.rival * (100 - options.uniqueness_percent) > winner.cost * 100 ||
        options.uniqueness_percent == 0;
    const bool valid =
        unique && agrees(search, memory.right, x, winner.index, options.left_right_max_px);
    const bool inside = winner.index > 0 && winner.index + 1 < search.disparities;
    disparity[x] = valid ? static_cast<float>(search.min_disparity + winner.index) +
                               (inside ? memory.slopes.fractions()[x] : 0.0f)
                         : kHole;
    confidence[x] = valid ? model(winner) : 0.0f;
  }
}

// Runs of connected pixels within rows, joined across rows by union-find.
void remove_speckles(float* disparity, int width, int height, int size, float range) {
  struct Run {
    int begin, end, parent, pixels;
  };
  std::vector<Run> runs;
  std::vector<int> row_begin(static_cast<std::size_t>(height) + 1);
  const auto root = [&](int i) {
    while (runs[i].parent != i) i = runs[i].parent = runs[runs[i].parent].parent;
    return i;
  };
  const auto join = [&](int a, int b) {
    a = root(a), b = root(b);
    if (a == b) return;
    if (a > b) std::swap(a, b);
    runs[b].parent = a;
    runs[a].pixels += runs[b].pixels;
  };
  const auto connected = [&](float a, float b) { return std::abs(a - b) <= range; };
  for (int y = 0; y < height; ++y) {
    const float* row = disparity + static_cast<std::ptrdiff_t>(y) * width;
    row_begin[y] = static_cast<int>(runs.size());
    for (int x = 0; x < width;) {
      const int begin = x++;
      if (row[begin] == kHole) continue;
      while (x < width && connected(row[x], row[x - 1])) ++x;
      const int id = static_cast<int>(runs.size());
      runs.push_back({begin, x, id, x - begin});
    }
    row_begin[y + 1] = static_cast<int>(runs.size());
    if (y == 0) continue;
    for (int a = row_begin[y - 1], b = row_begin[y]; a < row_begin[y] && b < row_begin[y + 1];) {
      const int begin = std::max(runs[a].begin, runs[b].begin);
      const int end = std::min(runs[a].end, runs[b].end);
      for (int x = begin; x < end; ++x)
        if (connected(row[x], row[x - width])) {
          join(a, b);
          break;
        }
      runs[a].end < runs[b].end ? ++a : ++b;
    }
  }
  for (int y = 0; y < height; ++y)
    for (int i = row_begin[y]; i < row_begin[y + 1]; ++i)
      if (runs[root(i)].pixels <= size)
        std::fill(disparity + static_cast<std::ptrdiff_t>(y) * width + runs[i].begin,
                  disparity + static_cast<std::ptrdiff_t>(y) * width + runs[i].end, kHole);
}

}  // namespace stereo
