// The rows of filling.cpp, compiled for each instruction set.
#pragma once

#include <cstddef>

#include "fill_rows.hpp"
#include "median.hpp"
#include "simd.hpp"

namespace {

using namespace stereo;

void find_holes(const float* px, int width, u8* __restrict out) {
  for (int x = 0; x < width; ++x) out[x] = px[x] != px[x];
}

// So many bytes, then zeros.
inline V load_some(const u8* p, int count) {
  if (count >= kLanes) return load(p);
  V v{};
  std::memcpy(&v, p, count);
  return v;
}

void step_prices(const u8* a, const u8* b, int channels, std::ptrdiff_t apart, int count,
                 std::int32_t* __restrict out) {
  for (int x = 0; x < count; x += kLanes) {
    V step{};
    for (int c = 0; c < channels; ++c) {
      const std::ptrdiff_t at = c * apart + x;
      step = max(step, absolute_difference(load_some(a + at, count - x), load_some(b + at, count - x)));
    }
    u8 beyond[kLanes];
    store(beyond, max(step, broadcast(kFillFreeLevels)) - broadcast(kFillFreeLevels));
    for (int k = 0; k < kLanes; ++k) out[x + k] = kFillLevel * beyond[k];
  }
}

void reach_known(const float* px, int start, int first, int end, Reached row) {
  std::int32_t *__restrict cost = row.cost, *__restrict source = row.source;
  float* __restrict from = row.px;
  for (int x = first; x < end; ++x) {
    const bool known = px[x] == px[x];
    cost[x] = known ? 0 : cost[x];
    source[x] = known ? start + x : source[x];
    from[x] = known ? px[x] : from[x];
  }
}

struct FillWay {  // of a vector of pixels
  Signs cost, source;
  F px;

  // From the pixels at `there`; `dear`: how much the steps of color cost.
  static FillWay from(Reached row, int there, const std::int32_t* dear, F farther, int step,
                      int nearer) {
    FillWay way;
    std::memcpy(&way.cost, row.cost + there, sizeof way.cost);
    std::memcpy(&way.source, row.source + there, sizeof way.source);
    way.px = load_floats(row.px + there);
    Signs prices;
    std::memcpy(&prices, dear, sizeof prices);
    way.cost += prices + step + ((Signs)(way.px > farther) & nearer);
    return way;
  }
  // The other one where it is cheaper.
  void improve(const FillWay& other) {
    const Signs cheaper = other.cost < cost;
    cost = cheaper ? other.cost : cost;
    source = cheaper ? other.source : source;
    px = cheaper ? other.px : px;
  }
};

void reach_from_beside(Reached beside, const std::int32_t* const* dear, int side,
                       const float* farther, int first, int end, Reached out) {
  for (int x = first; x < end; x += kFloatLanes) {
    const F limit = load_floats(farther + x);
    FillWay best = FillWay::from(beside, x, dear[0] + x, limit, kFillStep, kFillNearer);
    best.improve(
        FillWay::from(beside, x + side, dear[1] + x, limit, kFillAslant, kFillNearerAslant));
    best.improve(
        FillWay::from(beside, x - side, dear[2] + x, limit, kFillAslant, kFillNearerAslant));
    std::memcpy(out.cost + x, &best.cost, sizeof best.cost);
    std::memcpy(out.source + x, &best.source, sizeof best.source);
    std::memcpy(out.px + x, &best.px, sizeof best.px);
  }
}

constexpr FillRows kFillRows = {find_holes, step_prices, reach_known, reach_from_beside};

}  // namespace
