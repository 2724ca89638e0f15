// Stage 4: the last path, from the right, and the winner of each pixel.
#pragma once

#include "aggregate.hpp"

namespace {

// Where the three lanes from `first` on are all ones, the rest zero; first may lie outside.
inline V three_lanes(int first) {
  struct Table {
    u8 lane[2 * kLanes + 3];
    constexpr Table() : lane{} {
      for (int i = 0; i < 3; ++i) lane[kLanes + i] = 255;
    }
  };
  static constexpr Table kTable;
  const int clamped = first < -3 ? -3 : first > kLanes ? kLanes : first;
  return load(kTable.lane + kLanes - clamped);
}

// The total costs of one pixel, with a byte of 255 before and behind, to look at neighbours.
template <int kFixed>
struct Totals {
  Totals() { store(memory, broadcast(255)); }
  u8* begin() { return memory + kLanes; }
  alignas(kLanes) u8 memory[(Vectors<kFixed>::kCapacity + 2) * kLanes];
};

// The lowest total, its two neighbours, and the best of all others. `lowest_total`: in every lane.
template <int kFixed>
void choose(const Vectors<kFixed>& vectors, const u8* totals, V lowest_total,
            const Winners& winners, int x) {
  int index = 0;
  for (int v = 0; v < vectors(); ++v) {
    const int lane = first_equal(load(totals + v * kLanes), lowest_total);
    index = v * kLanes + lane;
    if (lane != kLanes) break;
  }
  V rivals = broadcast(255);
  for (int v = 0; v < vectors(); ++v)
    rivals = min(rivals, load(totals + v * kLanes) | three_lanes(index - 1 - v * kLanes));
  winners.index[x] = static_cast<u16>(index);
  winners.cost[x] = totals[index];
  winners.before[x] = totals[index - 1];
  winners.after[x] = totals[index + 1];
  winners.rival[x] = lowest(rivals);
}

// A block of rows is larger than the cache nearby, and processors foresee reading backwards badly.
// The address may lie before the array: it is only a hint.
inline void prefetch_before(const u8* p) {
  constexpr std::uintptr_t kBytes = 6144;
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(p) - kBytes));
}

// The path from the right, on its way along one row.
template <int kFixed>
class Backward {
 public:
  Backward(const Search& search, const Row& row)
      : vectors_(search),
        row_(search, row.description),
        padding_(padding_lanes(search)),
        gather_(row.gather),
        winners_(row.winners) {
    for (int v = 0; v < vectors_(); ++v) along_[v] = V{};
    store(totals_.begin() + vectors_() * kLanes, broadcast(255));
  }

  // Must be called for one column after the other, from the right. p2: of a jump from there.
  void visit(int x, u8 p2) {
    const std::ptrdiff_t cell = row_.cell(x);
    Arrival from_right(row_, floor_, p2);
    V here = along_[0], best = broadcast(255), lowest_total = broadcast(255);
    for (int v = 0; v < vectors_(); ++v) {
      const bool last = v + 1 == vectors_();
      const V next = last ? row_.outside : along_[v + 1];
      const V surcharge = from_right(here, next);
      const u8 *match = gather_.match + cell + v * kLanes, *sum = gather_.sum + cell + v * kLanes;
      prefetch_before(match);
      prefetch_before(sum);
      const V cost = load(match);
      V total = add_saturated(add_saturated(load(sum), surcharge), cost);
      if (last) total |= padding_;
      along_[v] = add_saturated(cost, surcharge);
      best = min(best, along_[v]);
      lowest_total = min(lowest_total, total);
      store(totals_.begin() + v * kLanes, total);
      here = next;
    }
    floor_ = lowest_everywhere(best);
    choose(vectors_, totals_.begin(), lowest_everywhere(lowest_total), winners_, x);
  }

  u8 p2_from_left(int x) const { return row_.left[x].p2_left; }

 private:
  const Vectors<kFixed> vectors_;
  const RowShape row_;
  const V padding_;
  const GatherRow gather_;
  const Winners winners_;
  V along_[Vectors<kFixed>::kCapacity], floor_{};
  Totals<kFixed> totals_;
};

template <int kFixed>
void backward_columns(const Search& search, const Row* rows, int count) {
  const int last = search.width - 1;
  Backward<kFixed> one(search, rows[0]);
  one.visit(last, 0);
  if (count == 1) {
    for (int x = last - 1; x >= 0; --x) one.visit(x, one.p2_from_left(x + 1));
  } else {
    Backward<kFixed> other(search, rows[1]);
    other.visit(last, 0);
    for (int x = last - 1; x >= 0; --x) {
      one.visit(x, one.p2_from_left(x + 1));
      other.visit(x, other.p2_from_left(x + 1));
    }
  }
}

}  // namespace
