// Stage 5: from winners to disparities. Left-right check, uniqueness, sub-pixel, confidence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "buffer.hpp"
#include "matcher.hpp"

namespace stereo {

// Below every disparity, so that the median treats a hole as the farthest background.
constexpr float kHole = -1e6f;

// The right view's disparity of one row, taken from the left view's winners: of all left pixels that
// chose a right one, the cheapest keeps it, and among equals the nearer surface.
class RightView {
 public:
  template <class Visit>
  void each_buffer(std::size_t width, const Visit& visit) {
    visit(keys_, width + 1);
  }
  void vote(const Search& search, const Winners& winners);
  // Does the right pixel that this left one chose agree within max_px? Negative: need not agree, only
  // be in the image.
  bool agrees(int width, int there, int index, int max_px) const {
    const int slot = slot_of(width, there);
    const int theirs = kIndexMask - int(keys_.get()[slot] & kIndexMask);
    return (slot < width) & ((max_px < 0) | (std::abs(theirs - index) <= max_px));
  }

 private:
  static constexpr int kIndexMask = 0xffff;  // of a key: cost above, index below, counted backwards
  static constexpr std::uint32_t kNobody = 255u << 16;
  static int slot_of(int width, int there) {  // all outside the image share one
    return unsigned(there) < unsigned(width) ? there : width;
  }
  Buffer<std::uint32_t> keys_;  // [width + 1]
};

// How steeply the cost rises to both sides of the winners of a row. One pixel's rise is noisy, and
// noise draws the sub-pixel minimum to whole pixels; so it is summed over the pixels beside it that
// chose the same disparity (benchmarks/pixel_locking.py).
class Slopes {
 public:
  template <class Visit>
  void each_buffer(std::size_t width, const Visit& visit) {
    for (auto* padded : {&index_, &before_, &after_}) visit(*padded, width + 2 * kReach);
    for (auto* sums : {&befores_, &afters_}) visit(*sums, width);
    visit(fractions_, width);
  }
  void gather(int width, const Winners& winners);
  // Where between its neighbours the minimum of each column lies, -0.5 to 0.5 px.
  const float* fractions() const { return fractions_.get(); }

 private:
  static constexpr int kReach = 4;         // columns to each side
  Buffer<std::int16_t> index_;             // [width + 2 * kReach], -1 beyond the row
  Buffer<std::int16_t> before_, after_;    // the same, of one pixel
  Buffer<std::int16_t> befores_, afters_;  // [width], summed
  Buffer<float> fractions_;                // [width]
};

struct FinishMemory {  // of one row
  RightView right;
  Slopes slopes;
  Buffer<std::uint8_t> margin, steeper, flatter, valid;

  // See Workspace::each_buffer.
  template <class Visit>
  void each_buffer(std::size_t width, const Visit& visit) {
    right.each_buffer(width, visit);
    slopes.each_buffer(width, visit);
    for (auto* bytes : {&margin, &steeper, &flatter, &valid}) visit(*bytes, width);
  }
};

// Writes disparity, kHole where unknown, and confidence, 0 where unknown.
void finish_row(const Search& search, const Options& options, const Winners& winners,
                FinishMemory& memory, float* disparity, float* confidence);

}  // namespace stereo
