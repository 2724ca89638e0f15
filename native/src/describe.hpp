// Stage 1: what a pixel looks like, in a form that two images can be compared by (cost.hpp), laid
// out as the next stages read it.
#pragma once

#include "cost.hpp"
#include "kernel.hpp"

namespace {

using namespace stereo;

template <class Pixel>
u8 penalty_between(const Penalties& penalties, Pixel a, Pixel b, float gain) {
  const int step = a > b ? a - b : b - a;
  if (sizeof(Pixel) == 1) return penalties.p2[step];  // their gain is 1
  const int units = static_cast<int>(static_cast<float>(step) * gain);
  return penalties.p2[units < 255 ? units : 255];
}

template <class Pixel>
void describe_left(const Search& search, const Pixel* const* rows, const u16* const* smooth,
                   float gain, u8* scratch, LeftPixel* out) {
  const int stride = search.plane_stride;
  describe_planes(search.cost, rows, smooth, search.width, gain, stride, scratch);
  const Pixel *row = rows[kWindowY], *above = rows[kWindowY - 1];
  for (int x = 0; x < search.width; ++x) {
    LeftPixel& pixel = out[x];
    for (int plane = 0; plane < kPlanes; ++plane)
      pixel.description[plane] = scratch[plane * stride + x];
    pixel.p2_left = penalty_between(search.penalties, row[x], row[x - 1], gain);
    pixel.p2_above = penalty_between(search.penalties, row[x], above[x], gain);
  }
  faint_plane(smooth, search.width, search.cost.faint_levels, scratch);
  for (int x = 0; x < search.width; ++x) out[x].faint = scratch[x];
}

template <class Pixel>
void describe_right(const Search& search, const Pixel* const* rows, const u16* const* smooth,
                    float gain, u8* scratch, u8* out) {
  const int stride = search.plane_stride, last = search.width - 1;
  describe_planes(search.cost, rows, smooth, search.width, gain, stride, scratch);
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
