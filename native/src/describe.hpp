// Stage 1: what a pixel looks like, in a form that two images can be compared by (cost.hpp), laid
// out as the next stages read it.
#pragma once

#include "cost.hpp"
#include "kernel.hpp"

namespace {

using namespace stereo;

// What a jump between each pixel of a row and the one in `other` costs.
template <class Pixel>
void penalty_row(const Penalties& penalties, const Pixel* row, const Pixel* other, int width,
                 float gain, u8* out) {
  if constexpr (sizeof(Pixel) == 1) {  // their gain is 1
    bool flat = true;  // beyond what a vector looks up
    for (int step = 64; step < 256; ++step) flat &= penalties.p2[step] == penalties.p2[63];
    for (int x = 0; flat && x < width; x += kLanes)
      store(out + x, look_up_64(absolute_difference(load(row + x), load(other + x)), penalties.p2));
    for (int x = 0; !flat && x < width; ++x)
      out[x] = penalties.p2[row[x] > other[x] ? row[x] - other[x] : other[x] - row[x]];
  } else {
    for (int x = 0; x < width; ++x) {
      const int step = row[x] > other[x] ? row[x] - other[x] : other[x] - row[x];
      const int units = static_cast<int>(static_cast<float>(step) * gain);
      out[x] = penalties.p2[units < 255 ? units : 255];
    }
  }
}

// Behind the planes of a description, the scratch memory holds three more rows. In the first one
// describe_left leaves where pixels are faint: describe_right looks there for where it needs the
// learned code.
constexpr int kFaintRow = kPlanes, kLeftRow = kPlanes + 1, kAboveRow = kPlanes + 2;
static_assert(kAboveRow < kScratchPlanes);

// A word of four bytes for each of a vector of pixels, the first one lowest.
inline void four_bytes(const u8* a, const u8* b, const u8* c, const u8* d,
                       std::uint32_t* __restrict words) {
  for (int i = 0; i < kLanes; ++i)
    words[i] = std::uint32_t(a[i]) | std::uint32_t(b[i]) << 8 | std::uint32_t(c[i]) << 16 |
               std::uint32_t(d[i]) << 24;
}

template <class Pixel>
void describe_left(const Search& search, const Pixel* const* rows, const u16* const* smooth,
                   float gain, u8* scratch, LeftPixel* out) {
  const int stride = search.plane_stride;
  u8 *faint = scratch + kFaintRow * stride, *left = scratch + kLeftRow * stride;
  u8* above = scratch + kAboveRow * stride;
  faint_plane(smooth, search.width, search.cost.faint_levels, reinterpret_cast<u16*>(scratch), faint);
  for (int x = search.width; x < search.width + kLanes; ++x) faint[x] = 0;
  describe_planes(search.cost, rows, smooth, search.width, gain, faint, stride, scratch);
  const Pixel* row = rows[kWindowY];
  penalty_row(search.penalties, row, row - 1, search.width, gain, left);
  penalty_row(search.penalties, row, rows[kWindowY - 1], search.width, gain, above);
  const u8* planes[kPlanes];
  for (int p = 0; p < kPlanes; ++p) planes[p] = scratch + p * stride;
  static_assert(sizeof(LeftPixel) == 12 && kPlanes == 9 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  for (int x = 0; x < search.width; x += kLanes) {  // three words a pixel
    std::uint32_t words[3][kLanes], together[3 * kLanes];
    four_bytes(planes[0] + x, planes[1] + x, planes[2] + x, planes[3] + x, words[0]);
    four_bytes(planes[4] + x, planes[5] + x, planes[6] + x, planes[7] + x, words[1]);
    four_bytes(planes[8] + x, faint + x, left + x, above + x, words[2]);
    for (int i = 0; i < kLanes; ++i)
      for (int k = 0; k < 3; ++k) together[3 * i + k] = words[k][i];
    const int count = search.width - x < kLanes ? search.width - x : kLanes;
    std::memcpy(reinterpret_cast<u8*>(out + x), together, count * sizeof(LeftPixel));
  }
}

// Marks the columns of the right image that faint pixels of the left one are compared with.
inline void mark_candidates(const Search& search, const u8* faint, u8* wanted) {
  const int last = search.width - 1;
  for (int x = 0; x <= last + kLanes; ++x) wanted[x] = 0;
  for (int x = 0, marked = 0; x <= last; x += kLanes) {
    if (lowest((V)(load(faint + x) == V{}))) continue;
    const auto inside = [&](int column) { return column < 0 ? 0 : column > last ? last : column; };
    const int begin = inside(x - search.min_disparity - search.cells + 1);
    const int end = inside(x + kLanes - 1 - search.min_disparity);
    for (int column = begin > marked ? begin : marked; column <= end; ++column) wanted[column] = 1;
    marked = end;  // candidates move on with the pixels
  }
}

template <class Pixel>
void describe_right(const Search& search, const Pixel* const* rows, const u16* const* smooth,
                    float gain, u8* scratch, u8* out) {
  const int stride = search.plane_stride, last = search.width - 1;
  u8* wanted = scratch + kLeftRow * stride;
  mark_candidates(search, scratch + kFaintRow * stride, wanted);
  describe_planes(search.cost, rows, smooth, search.width, gain, wanted, stride, scratch);
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
