#include "speckles.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "finish.hpp"

namespace stereo {

void Speckles::resize(int width, int height) {
  width_ = width;
  found_.resize(height);
  first_.resize(static_cast<std::size_t>(height) + 1);
}

// Holes make runs too: all have the same value, far from every other.
void Speckles::find_runs(int y, const float* row, float range, std::uint8_t* breaks) {
  std::vector<Run>& runs = found_[y];
  runs.clear();
  breaks[0] = 0;
  for (int x = 1; x < width_; ++x) breaks[x] = std::abs(row[x] - row[x - 1]) > range;
  int begin = 0;
  for (int x = 0; x < width_;) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, breaks + x, std::min(8, width_ - x));
    if (eight == 0) {
      x += 8;
      continue;
    }
    if (breaks[x]) {
      runs.push_back({begin, x, 0, x - begin});
      begin = x;
    }
    ++x;
  }
  runs.push_back({begin, width_, 0, width_ - begin});
}

int Speckles::root(int run) {
  while (runs_[run].parent != run) run = runs_[run].parent = runs_[runs_[run].parent].parent;
  return run;
}

void Speckles::join(int a, int b) {
  a = root(a), b = root(b);
  if (a == b) return;
  if (a > b) std::swap(a, b);
  runs_[b].parent = a;
  runs_[a].pixels += runs_[b].pixels;
}

void Speckles::join_rows(const float* disparity, float range) {
  runs_.clear();
  for (std::size_t y = 0; y < found_.size(); ++y) {
    first_[y] = static_cast<int>(runs_.size());
    for (Run run : found_[y]) {
      run.parent = static_cast<int>(runs_.size());
      runs_.push_back(run);
    }
  }
  first_[found_.size()] = static_cast<int>(runs_.size());
  for (std::size_t y = 1; y < found_.size(); ++y) {
    const float *row = disparity + y * width_, *above = row - width_;
    for (int a = first_[y - 1], b = first_[y]; a < first_[y] && b < first_[y + 1];) {
      const int begin = std::max(runs_[a].begin, runs_[b].begin);
      const int end = std::min(runs_[a].end, runs_[b].end);
      const bool known = begin < end && row[begin] != kHole && above[begin] != kHole;
      for (int x = begin; known && x < end; ++x)
        if (std::abs(row[x] - above[x]) <= range) {
          join(a, b);
          break;
        }
      runs_[a].end < runs_[b].end ? ++a : ++b;
    }
  }
  for (int run = 0; run < first_[found_.size()]; ++run) runs_[run].parent = root(run);
}

void Speckles::remove(int y, float* row, int size) const {
  for (int run = first_[y]; run < first_[y + 1]; ++run)
    if (runs_[runs_[run].parent].pixels <= size)
      std::fill(row + runs_[run].begin, row + runs_[run].end, kHole);
}

}  // namespace stereo
