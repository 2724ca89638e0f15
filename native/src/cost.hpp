// The cost of matching two pixels: all that depends on it stands in this file.
//
// Census (which neighbours are brighter than the centre) does not change with gain and exposure;
// the horizontal Sobel response adds the strength of edges, which census throws away.
//
// Each pixel of both images is described by kPlanes bytes, and a cost is a byte that compares two
// descriptions. For another cost, change: how far a description looks around its pixel (kWindowX,
// kWindowY) and how long it is (kPlanes); its parameters (CostOptions, check_cost; Python's
// side of them is in binding.cpp and stereo/matching/sgm.py); how high it rises (largest_cost); and
// for the kernels describe_planes and MatchingCost. tests/sgm_reference.py is the same once more,
// slow and obvious.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stereo {

constexpr int kWindowX = 4, kWindowY = 3;  // columns and rows to each side
constexpr int kCensusBytes = 3, kCensusBits = 8 * kCensusBytes;
constexpr int kPlanes = kCensusBytes + 1;  // census bytes, then the gradient

struct CostOptions {
  int gradient_cap = 10;  // larger differences of gradient are no more evidence
};

static inline int largest_cost(const CostOptions& options) {
  return kCensusBits + options.gradient_cap;
}

// Calls require_in(name, value, low, high) for each parameter.
template <class Require>
static void check_cost(const CostOptions& options, const Require& require_in) {
  require_in("gradient_cap", options.gradient_cap, 0, 255);
}

}  // namespace stereo

#ifdef STEREO_SIMD_HEADER  // What follows is for the kernels, compiled for each instruction set.
#include "simd.hpp"

namespace {

using namespace stereo;

struct Offset {
  int x, y;
};

// The 20 neighbours of a 5x5 window without its corners, and one farther out on each side: near
// pixels say most about where an edge is. On pairs.json better than 5x5, 7x7 or a 9x7 checkerboard.
constexpr bool in_census(int x, int y) {
  const int ax = x < 0 ? -x : x, ay = y < 0 ? -y : y;
  const bool near = ax <= 2 && ay <= 2 && ax + ay < 4;
  const bool far = (ax == kWindowX && ay == 0) || (ax == 0 && ay == kWindowY);
  return (near && ax + ay > 0) || far;
}

struct CensusPattern {
  Offset offset[kCensusBits];
  constexpr CensusPattern() : offset{} {
    int n = 0;
    for (int y = -kWindowY; y <= kWindowY; ++y)
      for (int x = -kWindowX; x <= kWindowX; ++x)
        if (in_census(x, y)) offset[n++] = {x, y};
  }
};
constexpr CensusPattern kCensus;

template <class Pixel>
void census_plane(const Pixel* const* rows, int width, int byte, u8* out) {
  const Pixel* centre = rows[kWindowY];
  const Pixel* other[8];
  for (int bit = 0; bit < 8; ++bit) {
    const Offset o = kCensus.offset[byte * 8 + bit];
    other[bit] = rows[kWindowY + o.y] + o.x;
  }
  for (int x = 0; x < width; ++x) {
    unsigned bits = 0;
#pragma GCC unroll 8
    for (int bit = 0; bit < 8; ++bit) bits |= unsigned(other[bit][x] >= centre[x]) << bit;
    out[x] = static_cast<u8>(bits);
  }
}

// Sobel in x, a quarter of it in 8-bit units, clipped to a byte around 128.
template <class Pixel>
void gradient_plane(const Pixel* const* rows, int width, float gain, u8* out) {
  const Pixel *above = rows[kWindowY - 1], *row = rows[kWindowY], *below = rows[kWindowY + 1];
  const float quarter = gain * 0.25f;
  for (int x = 0; x < width; ++x) {
    const int sobel = 2 * (row[x + 1] - row[x - 1]) + (above[x + 1] - above[x - 1]) +
                      (below[x + 1] - below[x - 1]);
    const int units = static_cast<int>(static_cast<float>(sobel) * quarter);
    const int clipped = units < -128 ? -128 : units > 127 ? 127 : units;
    out[x] = static_cast<u8>(clipped + 128);
  }
}

// The description of one row, byte by byte: planes[kPlanes][stride]. rows[0..2 * kWindowY]: the row
// itself in the middle; `gain` converts intensities to 8-bit units.
template <class Pixel>
void describe_planes(const Pixel* const* rows, int width, float gain, int stride, u8* planes) {
  for (int byte = 0; byte < kCensusBytes; ++byte)
    census_plane(rows, width, byte, planes + byte * stride);
  gradient_plane(rows, width, gain, planes + kCensusBytes * stride);
}

// The cost of one left pixel against each of its candidates.
class MatchingCost {
 public:
  // What all pixels share, once per row.
  struct Shared {
    explicit Shared(const CostOptions& options)
        : gradient_cap(broadcast(static_cast<u8>(options.gradient_cap))) {}
    const V gradient_cap;
  };

  // `left`: [kPlanes] of the pixel; `candidates`: [kPlanes][stride], of which the v-th vector of
  // each plane describes candidates v * kLanes and on.
  MatchingCost(const Shared& shared, const u8* left, const u8* candidates, std::ptrdiff_t stride)
      : cap_(shared.gradient_cap) {
    for (int p = 0; p < kCensusBytes; ++p) {
      census_[p] = broadcast(left[p]);
      plane_[p] = candidates + p * stride;
    }
    gradient_ = broadcast(left[kCensusBytes]);
    plane_[kCensusBytes] = candidates + kCensusBytes * stride;
  }

  // Of the v-th vector of candidates.
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

}  // namespace
#endif
