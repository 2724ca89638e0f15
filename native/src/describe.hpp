// Stage 1: what a pixel looks like, in a form that two images can be compared by.
//
// Census (which neighbours are brighter than the centre) does not change with gain and exposure;
// the horizontal Sobel response adds the strength of edges, which census throws away.
#pragma once

#include "kernel.hpp"
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
  const bool far = (ax == kCensusRadiusX && ay == 0) || (ax == 0 && ay == kCensusRadiusY);
  return (near && ax + ay > 0) || far;
}

struct CensusPattern {
  Offset offset[kCensusBits];
  constexpr CensusPattern() : offset{} {
    int n = 0;
    for (int y = -kCensusRadiusY; y <= kCensusRadiusY; ++y)
      for (int x = -kCensusRadiusX; x <= kCensusRadiusX; ++x)
        if (in_census(x, y)) offset[n++] = {x, y};
  }
};
constexpr CensusPattern kCensus;

template <class Pixel>
void census_plane(const Pixel* const* rows, int width, int byte, u8* out) {
  const Pixel* centre = rows[kCensusRadiusY];
  const Pixel* other[8];
  for (int bit = 0; bit < 8; ++bit) {
    const Offset o = kCensus.offset[byte * 8 + bit];
    other[bit] = rows[kCensusRadiusY + o.y] + o.x;
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
  const Pixel *above = rows[kCensusRadiusY - 1], *row = rows[kCensusRadiusY],
              *below = rows[kCensusRadiusY + 1];
  const float quarter = gain * 0.25f;
  for (int x = 0; x < width; ++x) {
    const int sobel = 2 * (row[x + 1] - row[x - 1]) + (above[x + 1] - above[x - 1]) +
                      (below[x + 1] - below[x - 1]);
    const int units = static_cast<int>(static_cast<float>(sobel) * quarter);
    const int clipped = units < -128 ? -128 : units > 127 ? 127 : units;
    out[x] = static_cast<u8>(clipped + 128);
  }
}

template <class Pixel>
void describe_planes(const Pixel* const* rows, int width, float gain, int stride, u8* planes) {
  for (int byte = 0; byte < kCensusBytes; ++byte)
    census_plane(rows, width, byte, planes + byte * stride);
  gradient_plane(rows, width, gain, planes + kCensusBytes * stride);
}

template <class Pixel>
u8 penalty_between(const Penalties& penalties, Pixel a, Pixel b, float gain) {
  const int step = a > b ? a - b : b - a;
  if (sizeof(Pixel) == 1) return penalties.p2[step];  // their gain is 1
  const int units = static_cast<int>(static_cast<float>(step) * gain);
  return penalties.p2[units < 255 ? units : 255];
}

template <class Pixel>
void describe_left(const Search& search, const Pixel* const* rows, float gain, u8* scratch,
                   LeftPixel* out) {
  const int stride = search.plane_stride;
  describe_planes(rows, search.width, gain, stride, scratch);
  const Pixel *row = rows[kCensusRadiusY], *above = rows[kCensusRadiusY - 1];
  for (int x = 0; x < search.width; ++x) {
    LeftPixel& pixel = out[x];
    for (int byte = 0; byte < kCensusBytes; ++byte) pixel.census[byte] = scratch[byte * stride + x];
    pixel.gradient = scratch[kCensusBytes * stride + x];
    pixel.p2_left = penalty_between(search.penalties, row[x], row[x - 1], gain);
    pixel.p2_above = penalty_between(search.penalties, row[x], above[x], gain);
  }
}

template <class Pixel>
void describe_right(const Search& search, const Pixel* const* rows, float gain, u8* scratch,
                    u8* out) {
  const int stride = search.plane_stride, last = search.width - 1;
  describe_planes(rows, search.width, gain, stride, scratch);
  // Element e shows column last - e - min_disparity; outside the image its border is repeated.
  const int shift = last - search.min_disparity;
  const int first = shift - last < 0 ? 0 : shift - last < stride ? shift - last : stride;
  const int end = shift + 1 < 0 ? 0 : shift + 1 < stride ? shift + 1 : stride;
  for (int plane = 0; plane < kPlanes; ++plane) {
    const u8* in = scratch + plane * stride;
    u8* to = out + plane * stride;
    for (int e = 0; e < first; ++e) to[e] = in[last];
    for (int e = first; e < end; ++e) to[e] = in[shift - e];
    for (int e = end < first ? first : end; e < stride; ++e) to[e] = in[0];
  }
}

}  // namespace
