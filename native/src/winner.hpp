// Stage 4: the last path, from the right, and the winner of each pixel.
#pragma once

#include "aggregate.hpp"

namespace {

// The lowest total, its two neighbours, and the best of all others.
template <int kFixed>
Winner choose(const Search& search, const Vectors<kFixed>& vectors, const V* total, V best) {
  const u8 lowest_cost = lowest(best);
  int index = 0;
  for (int v = 0; v < vectors(); ++v) {
    const int lane = first_equal(total[v], broadcast(lowest_cost));
    if (lane == kLanes) continue;
    index = v * kLanes + lane;
    break;
  }
  V rivals = broadcast(255);
  for (int v = 0; v < vectors(); ++v) {
    const int distance = v * kLanes - (index - 1);  // of lane 0 from the winner's left neighbour
    const bool near = -kLanes < distance && distance < 3;
    const V excluded = (V)(iota() + static_cast<u8>(distance) < 3);
    rivals = min(rivals, near ? total[v] | excluded : total[v]);
  }
  const u8* costs = reinterpret_cast<const u8*>(total);
  Winner winner{};
  winner.index = static_cast<u16>(index);
  winner.cost = lowest_cost;
  winner.before = index > 0 ? costs[index - 1] : 255;
  winner.after = index + 1 < search.disparities ? costs[index + 1] : 255;
  winner.rival = lowest(rivals);
  return winner;
}

template <int kFixed>
void backward_columns(const Search& search, const RowDescription& row, GatherRow gather,
                      Winner* winners) {
  const Vectors<kFixed> vectors(search);
  const V padding = padding_lanes(search);
  V along[Vectors<kFixed>::kCapacity], totals[Vectors<kFixed>::kCapacity];
  for (int v = 0; v < vectors(); ++v) along[v] = V{};
  u8 floor = 0;
  for (int x = search.width - 1; x >= 0; --x) {
    const std::ptrdiff_t cell = std::ptrdiff_t(x) * search.cells;
    const u8 p2 = x + 1 < search.width ? row.left[x + 1].p2_left : 0;
    Arrival from_right(search.penalties, floor, p2);
    V here = along[0], best = broadcast(255), lowest_total = broadcast(255);
    for (int v = 0; v < vectors(); ++v) {
      const bool last = v + 1 == vectors();
      const V next = last ? from_right.outside() : along[v + 1];
      const V surcharge = from_right(here, next);
      const V cost = load(gather.match + cell + v * kLanes);
      V total = add_saturated(add_saturated(load(gather.sum + cell + v * kLanes), surcharge), cost);
      if (last) total |= padding;
      along[v] = cost + surcharge;
      best = min(best, along[v]);
      lowest_total = min(lowest_total, total);
      totals[v] = total;
      here = next;
    }
    floor = lowest(best);
    winners[x] = choose(search, vectors, totals, lowest_total);
  }
}

}  // namespace
