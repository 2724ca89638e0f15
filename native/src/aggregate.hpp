// Stages 2 and 3: semi-global aggregation of the cost of a match (Hirschmueller 2008).
//
// A path carries, for each disparity, the cheapest way to have come here: no change of disparity,
// one step (p1) or a jump (p2, smaller across edges of the image). Only what the way costs on top
// of the best one is summed; it never exceeds p2, so all of it lives in bytes. Padding lanes and the
// world outside [0, disparities) cost 255, saturated, so they never win a minimum.
#pragma once

#include <cstddef>

#include "cost.hpp"
#include "kernel.hpp"

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
  const int used = search.num_disparities - (search.cells - kLanes);
  return (V)(iota() >= broadcast(static_cast<u8>(used)));
}

// What all pixels of a row share. A copy of its own: a store of bytes may alias any memory that
// others can see, and compilers would read that anew after every store.
struct RowShape {
  RowShape(const Search& search, const RowDescription& row)
      : cells(search.cells),
        plane_stride(search.plane_stride),
        left(row.left),
        last_right(row.right + (search.width - 1)),
        cost(search.cost),
        dead(padding_lanes(search)),
        p1(broadcast(search.penalties.p1)),
        outside(broadcast(255)) {}

  std::ptrdiff_t cell(int x) const { return std::ptrdiff_t(x) * cells; }
  MatchingCost matching(int x) const {
    return {cost, left[x].description, left[x].faint, last_right - x, plane_stride};
  }

  const std::ptrdiff_t cells, plane_stride;
  const LeftPixel* const left;
  const u8* const last_right;
  const MatchingCost::Shared cost;
  const V dead, p1, outside;  // outside [0, disparities) a state is this high
};

// One path arriving at one pixel: turns its state at the pixel before into the surcharge of each
// disparity here. The state may be overwritten behind the vector that was read.
class Arrival {
 public:
  // `floor`: the lowest of the state, in every lane.
  Arrival(const RowShape& row, V floor, u8 p2)
      : p1_(row.p1), floor_(floor), ceiling_(floor + broadcast(p2)), before_(row.outside) {}

  V operator()(V here, V next) {
    const V neighbours = min(shift_in_previous(before_, here), shift_in_next(here, next));
    before_ = here;
    return min(min(add_saturated(neighbours, p1_), here), ceiling_) - floor_;
  }

 private:
  V p1_, floor_, ceiling_, before_;
};

template <int kFixed, bool kGather>
void climb_columns(const Search& search, const RowDescription& description, const LeftPixel* below,
                   int begin, int end, PathRow from, PathRow to, GatherRow gather) {
  const Vectors<kFixed> vectors(search);
  const RowShape row(search, description);
  for (int x = begin; x < end; ++x) {
    const std::ptrdiff_t cell = row.cell(x);
    const MatchingCost matching = row.matching(x);
    Arrival arrival(row, broadcast(from.floor[x]), below ? below[x].p2_above : 0);
    const u8* state = from.cost + cell;
    V here = load(state), best = broadcast(255);
    for (int v = 0; v < vectors(); ++v) {
      const bool last = v + 1 == vectors();
      const V next = last ? row.outside : load(state + (v + 1) * kLanes);
      const V surcharge = arrival(here, next);
      V cost = matching(v);
      if (last) cost |= row.dead;
      const V total = add_saturated(cost, surcharge);
      best = min(best, total);
      store(to.cost + cell + v * kLanes, total);
      if (kGather) {
        store(gather.match + cell + v * kLanes, cost);
        store(gather.sum + cell + v * kLanes, surcharge);
      }
      here = next;
    }
    to.floor[x] = lowest(best);
  }
}

// The paths from the left and from above, on their way along one row.
template <int kFixed, bool kGathered>
class Forward {
 public:
  Forward(const Search& search, PathRow above, const Row& row)
      : vectors_(search),
        row_(search, row.description),
        above_(above),
        gather_(row.gather),
        floor_(broadcast(row.along_floor)) {
    for (int v = 0; v < vectors_(); ++v) along_[v] = load(row.along + v * kLanes);
  }

  // Must be called for one column after the other.
  void visit(int x) {
    const std::ptrdiff_t cell = row_.cell(x);
    const MatchingCost matching = row_.matching(x);
    Arrival from_left(row_, floor_, row_.left[x].p2_left);
    Arrival from_above(row_, broadcast(above_.floor[x]), row_.left[x].p2_above);
    u8* state = above_.cost + cell;
    V left_here = along_[0], above_here = load(state);
    V left_best = broadcast(255), above_best = broadcast(255);
    for (int v = 0; v < vectors_(); ++v) {
      const bool last = v + 1 == vectors_();
      const V left_next = last ? row_.outside : along_[v + 1];
      const V above_next = last ? row_.outside : load(state + (v + 1) * kLanes);
      const V left_surcharge = from_left(left_here, left_next);
      const V above_surcharge = from_above(above_here, above_next);
      V sum = add_saturated(left_surcharge, above_surcharge);
      V cost;
      if (kGathered) {
        cost = load(gather_.match + cell + v * kLanes);
        sum = add_saturated(sum, load(gather_.sum + cell + v * kLanes));
      } else {
        cost = matching(v);
        if (last) cost |= row_.dead;
        store(gather_.match + cell + v * kLanes, cost);
      }
      store(gather_.sum + cell + v * kLanes, sum);
      const V left_total = add_saturated(cost, left_surcharge);
      const V above_total = add_saturated(cost, above_surcharge);
      left_best = min(left_best, left_total);
      above_best = min(above_best, above_total);
      along_[v] = left_total;
      store(state + v * kLanes, above_total);
      left_here = left_next;
      above_here = above_next;
    }
    floor_ = lowest_everywhere(left_best);
    above_.floor[x] = lowest(above_best);
  }

  // Leave the state in the row, for the next call.
  void leave(Row& row) const {
    for (int v = 0; v < vectors_(); ++v) store(row.along + v * kLanes, along_[v]);
    row.along_floor = floor_[0];
  }

 private:
  const Vectors<kFixed> vectors_;
  const RowShape row_;
  const PathRow above_;
  const GatherRow gather_;
  V along_[Vectors<kFixed>::kCapacity], floor_;
};

template <int kFixed, bool kGathered>
void forward_columns(const Search& search, Row* rows, int count, int begin, int end,
                     PathRow above) {
  Forward<kFixed, kGathered> upper(search, above, rows[0]);
  if (count == 1) {
    for (int x = begin; x < end; ++x) upper.visit(x);
  } else {
    // The lower row stays a column behind: it needs what the path from above has become there.
    Forward<kFixed, kGathered> lower(search, above, rows[1]);
    upper.visit(begin);
    for (int x = begin + 1; x < end; ++x) {
      upper.visit(x);
      lower.visit(x - 1);
    }
    lower.visit(end - 1);
    lower.leave(rows[1]);
  }
  upper.leave(rows[0]);
}

}  // namespace
