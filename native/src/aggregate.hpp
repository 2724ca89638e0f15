// Stages 2 and 3: the cost of a match, and semi-global aggregation (Hirschmueller 2008).
//
// A path carries, for each disparity, the cheapest way to have come here: no change of disparity,
// one step (p1) or a jump (p2, smaller across edges of the image). Only what the way costs on top
// of the best one is summed; it never exceeds p2, so all of it lives in bytes. Padding lanes and the
// world outside [0, disparities) cost so much that they never win a minimum (see dead_cost), which
// lets plain adds suffice.
#pragma once

#include <cstddef>

#include "kernel.hpp"
#include "simd.hpp"

namespace {

using namespace stereo;

// Number of vectors per pixel: known to the compiler for short ranges, so that state stays in
// registers; 0 means only known at run time.
template <int kFixed>
struct Vectors {
  static constexpr int kCapacity = kFixed ? kFixed : kMaxDisparities / kLanes + 1;
  int count;
  explicit Vectors(const Search& search) : count(kFixed ? kFixed : search.cells / kLanes) {}
  int operator()() const { return kFixed ? kFixed : count; }
};

// All ones in the lanes of the last vector that stand for no disparity.
inline V padding_lanes(const Search& search) {
  const int used = search.disparities - (search.cells - kLanes);
  return (V)(iota() >= broadcast(static_cast<u8>(used)));
}

// The cost of one left pixel against each of its candidates.
class MatchingCost {
 public:
  MatchingCost(const Search& search, const RowDescription& row, int x)
      : cap_(broadcast(search.penalties.gradient_cap)) {
    const LeftPixel& pixel = row.left[x];
    const u8* candidates = row.right + (search.width - 1 - x);
    for (int p = 0; p < kCensusBytes; ++p) {
      census_[p] = broadcast(pixel.census[p]);
      plane_[p] = candidates + p * search.plane_stride;
    }
    gradient_ = broadcast(pixel.gradient);
    plane_[kCensusBytes] = candidates + kCensusBytes * search.plane_stride;
  }

  V operator()(int v) const {
    V cost = min(absolute_difference(gradient_, load(plane_[kCensusBytes] + v * kLanes)), cap_);
    for (int p = 0; p < kCensusBytes; ++p)
      cost += popcount(census_[p] ^ load(plane_[p] + v * kLanes));
    return cost;
  }

 private:
  V census_[kCensusBytes], gradient_, cap_;
  const u8* plane_[kPlanes];
};

// One path arriving at one pixel: turns its state at the pixel before into the surcharge of each
// disparity here. The state may be overwritten behind the vector that was read.
class Arrival {
 public:
  Arrival(const Penalties& penalties, u8 floor, u8 p2)
      : p1_(broadcast(penalties.p1)),
        floor_(broadcast(floor)),
        ceiling_(broadcast(static_cast<u8>(floor + p2))),
        outside_(broadcast(static_cast<u8>(255 - penalties.p1))),
        before_(outside_) {}

  V outside() const { return outside_; }

  V operator()(V here, V next) {
    const V neighbours = min(shift_in_previous(before_, here), shift_in_next(here, next));
    before_ = here;
    return min(min(neighbours + p1_, here), ceiling_) - floor_;
  }

 private:
  V p1_, floor_, ceiling_, outside_, before_;
};

template <int kFixed, bool kGather>
void climb_columns(const Search& search, const RowDescription& row, const LeftPixel* below,
                   int begin, int end, PathRow from, PathRow to, const GatherRow* gather) {
  const Vectors<kFixed> vectors(search);
  const V dead = padding_lanes(search) & search.penalties.dead_cost;
  for (int x = begin; x < end; ++x) {
    const std::ptrdiff_t cell = std::ptrdiff_t(x) * search.cells;
    const MatchingCost matching(search, row, x);
    Arrival arrival(search.penalties, from.floor[x], below ? below[x].p2_above : 0);
    const u8* state = from.cost + cell;
    V here = load(state), best = broadcast(255);
    for (int v = 0; v < vectors(); ++v) {
      const bool last = v + 1 == vectors();
      const V next = last ? arrival.outside() : load(state + (v + 1) * kLanes);
      const V surcharge = arrival(here, next);
      V cost = matching(v);
      if (last) cost = max(cost, dead);
      const V total = cost + surcharge;
      best = min(best, total);
      store(to.cost + cell + v * kLanes, total);
      if (kGather) {
        store(gather->match + cell + v * kLanes, cost);
        store(gather->sum + cell + v * kLanes, surcharge);
      }
      here = next;
    }
    to.floor[x] = lowest(best);
  }
}

template <int kFixed, bool kGathered>
void forward_columns(const Search& search, const RowDescription& row, int begin, int end,
                     PathRow above, u8* along_memory, u8* along_floor, GatherRow gather) {
  const Vectors<kFixed> vectors(search);
  const V dead = padding_lanes(search) & search.penalties.dead_cost;
  V along[Vectors<kFixed>::kCapacity];
  for (int v = 0; v < vectors(); ++v) along[v] = load(along_memory + v * kLanes);
  u8 floor = *along_floor;
  for (int x = begin; x < end; ++x) {
    const std::ptrdiff_t cell = std::ptrdiff_t(x) * search.cells;
    const MatchingCost matching(search, row, x);
    Arrival from_left(search.penalties, floor, row.left[x].p2_left);
    Arrival from_above(search.penalties, above.floor[x], row.left[x].p2_above);
    u8* state = above.cost + cell;
    V left_here = along[0], above_here = load(state);
    V left_best = broadcast(255), above_best = broadcast(255);
    for (int v = 0; v < vectors(); ++v) {
      const bool last = v + 1 == vectors();
      const V left_next = last ? from_left.outside() : along[v + 1];
      const V above_next = last ? from_above.outside() : load(state + (v + 1) * kLanes);
      const V left_surcharge = from_left(left_here, left_next);
      const V above_surcharge = from_above(above_here, above_next);
      V sum = add_saturated(left_surcharge, above_surcharge);
      V cost;
      if (kGathered) {
        cost = load(gather.match + cell + v * kLanes);
        sum = add_saturated(sum, load(gather.sum + cell + v * kLanes));
      } else {
        cost = matching(v);
        if (last) cost = max(cost, dead);
        store(gather.match + cell + v * kLanes, cost);
      }
      store(gather.sum + cell + v * kLanes, sum);
      const V left_total = cost + left_surcharge, above_total = cost + above_surcharge;
      left_best = min(left_best, left_total);
      above_best = min(above_best, above_total);
      along[v] = left_total;
      store(state + v * kLanes, above_total);
      left_here = left_next;
      above_here = above_next;
    }
    floor = lowest(left_best);
    above.floor[x] = lowest(above_best);
  }
  for (int v = 0; v < vectors(); ++v) store(along_memory + v * kLanes, along[v]);
  *along_floor = floor;
}

}  // namespace
