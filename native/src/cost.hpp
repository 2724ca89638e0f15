// The cost of matching two pixels: all that depends on it stands in this file.
//
// Three descriptions are compared. Census (which neighbours are brighter than the centre) does not
// change with gain and exposure. The horizontal Sobel response adds the strength of edges, which
// census throws away. The learned code, trained by training/train.py, tells by one bit each whether
// a weighted sum of a few pixels of the smoothed image is above zero: it sees farther, and through
// noise. The cost is half of their sum, so that the paths' penalties fit in bytes beside it.
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

constexpr int kWindowX = 5, kWindowY = 5;  // columns and rows to each side
constexpr int kCensusBytes = 3, kCensusBits = 8 * kCensusBytes;
constexpr int kCodeBytes = 5, kCodeBits = 8 * kCodeBytes;
constexpr int kTaps = 8;  // of each bit of the learned code
constexpr int kPlanes = kCensusBytes + 1 + kCodeBytes;  // in this order; the gradient is the one
constexpr int kFaintStep = 2;  // between the pixels of the window whose contrast is looked at
constexpr int kSmoothMax = 1023;  // of the smoothed image: a quarter of its sum, of 8-bit units

// One term of a bit of the learned code.
struct Tap {
  std::int8_t x, y;     // from the pixel, within the window
  std::int16_t weight;  // those of a bit sum to zero
};

struct CostOptions {
  int gradient_cap = 10;  // larger differences of gradient are no more evidence
  int faint_levels = 12;  // where the window's contrast is at most this, the learned code counts
  Tap code[kCodeBits][kTaps] = {};
};

static inline int largest_cost(const CostOptions& options) {
  const int shape = kCensusBits + options.gradient_cap;
  return shape > kCodeBits ? shape : (shape + kCodeBits + 1) / 2;
}

// Calls require_in(name, value, low, high) for each parameter.
template <class Require>
static void check_cost(const CostOptions& options, const Require& require_in) {
  require_in("gradient_cap", options.gradient_cap, 0, 255 - kCensusBits);
  require_in("faint_levels", options.faint_levels, -1, 255);
  for (const auto& taps : options.code) {
    int above = 0, below = 0;
    for (const Tap& tap : taps) {
      require_in("a tap's column", tap.x, -kWindowX, kWindowX);
      require_in("a tap's row", tap.y, -kWindowY, kWindowY);
      (tap.weight > 0 ? above : below) += tap.weight;
    }
    // what 16 bits hold
    require_in("the sum of a bit's positive weights", above, 0, 32767 / kSmoothMax);
    require_in("the sum of a bit's negative weights", below, -above, -above);
  }
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
  const bool far = (ax == 4 && ay == 0) || (ax == 0 && ay == 3);
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

// One row of the smoothed image: a quarter of the sum over 3x3, the middle counting four times, the
// sides twice, in 8-bit units. rows[0..2]: the row itself in the middle, readable one pixel beyond.
template <class Pixel>
void smooth_row(const Pixel* const* rows, int width, float gain, u16* out) {
  const Pixel *above = rows[0], *row = rows[1], *below = rows[2];
  const float quarter = gain * 0.25f;
  for (int x = 0; x < width; ++x) {
    const int sum = above[x - 1] + 2 * above[x] + above[x + 1] +
                    2 * (row[x - 1] + 2 * row[x] + row[x + 1]) + below[x - 1] + 2 * below[x] +
                    below[x + 1];  // a byte image's gain is 1
    const int units =
        sizeof(Pixel) == 1 ? sum / 4 : static_cast<int>(static_cast<float>(sum) * quarter);
    out[x] = static_cast<u16>(units > kSmoothMax ? kSmoothMax : units);
  }
}

// The learned code of a row, a plane for each byte; `rows` of the smoothed image. For whole vectors of
// pixels, and only where one of `wanted` is not zero: elsewhere it is not looked at, and zero.
inline void code_planes(const CostOptions& options, const u16* const* rows, int width,
                        const u8* wanted, int stride, u8* planes) {
  constexpr int kPixels = kLanes / int(sizeof(u16));  // two vectors of words share a weight
  struct Term {
    const u16* from;
    std::int16_t weight;
  };
  Term terms[kCodeBits][kTaps];
  for (int bit = 0; bit < kCodeBits; ++bit)
    for (int t = 0; t < kTaps; ++t) {
      const Tap tap = options.code[bit][t];
      terms[bit][t] = {rows[kWindowY + tap.y] + tap.x, tap.weight};
    }
  for (int x = 0; x < width; x += kLanes) {
    const bool any = lowest((V)(load(wanted + x) == V{})) == 0;
    for (int byte = 0; byte < kCodeBytes; ++byte) {
      u8* out = planes + byte * stride + x;
      if (!any) {
        store(out, V{});
        continue;
      }
      Words first{}, second{};
      for (int bit = 0; bit < 8; ++bit) {
        Words one{}, two{};
#pragma GCC unroll 8
        for (int t = 0; t < kTaps; ++t) {
          const Term& term = terms[8 * byte + bit][t];
          const Words weight = Words{} + term.weight;
          one += weight * load_words(term.from + x);
          two += weight * load_words(term.from + x + kPixels);
        }
        const auto mark = static_cast<std::int16_t>(1 << bit);
        first |= (Words)(one > Words{}) & mark;
        second |= (Words)(two > Words{}) & mark;
      }
      store_bytes(out, first);
      store_bytes(out + kPixels, second);
    }
  }
}

// 255 where the smoothed image hardly changes in the window, by its border and its middle; else 0.
// `rows` of the smoothed image. Writes whole vectors. Extremes of columns first, in `memory`, which
// holds 2 * (width + 2 * kWindowX + kLanes) words.
inline void faint_plane(const u16* const* rows, int width, int levels, u16* memory, u8* out) {
  constexpr int kPixels = kLanes / int(sizeof(u16));
  u16 *low = memory + kWindowX, *high = low + width + 2 * kWindowX + kLanes;
  for (int x = -kWindowX; x < width + kWindowX; x += kPixels) {
    Words lowest = load_words(rows[0] + x), highest = lowest;
    for (int y = kFaintStep; y <= 2 * kWindowY; y += kFaintStep) {
      const Words value = load_words(rows[y] + x);
      lowest = value < lowest ? value : lowest;
      highest = value > highest ? value : highest;
    }
    std::memcpy(low + x, &lowest, sizeof lowest);
    std::memcpy(high + x, &highest, sizeof highest);
  }
  for (int x = 0; x < width; x += kPixels) {
    Words lowest = load_words(rows[kWindowY] + x), highest = lowest;
    for (int column = -kWindowX; column <= kWindowX; column += kFaintStep) {
      const Words less = load_words(low + x + column), more = load_words(high + x + column);
      lowest = less < lowest ? less : lowest;
      highest = more > highest ? more : highest;
    }
    // without a sign: what lies beyond the row may be anything
    const Words contrast = (Words)((UnsignedWords)highest - (UnsignedWords)lowest);
    store_bytes(out + x, (Words)(contrast <= Words{} + static_cast<std::int16_t>(4 * levels)));
  }
}

// The description of one row, byte by byte: planes[kPlanes][stride]. rows[0..2 * kWindowY]: the row
// itself in the middle, and `smooth` the same of the smoothed image; `gain` converts intensities to
// 8-bit units. The learned code is known where it is wanted, see code_planes.
template <class Pixel>
void describe_planes(const CostOptions& options, const Pixel* const* rows, const u16* const* smooth,
                     int width, float gain, const u8* wanted, int stride, u8* planes) {
  for (int byte = 0; byte < kCensusBytes; ++byte)
    census_plane(rows, width, byte, planes + byte * stride);
  gradient_plane(rows, width, gain, planes + kCensusBytes * stride);
  code_planes(options, smooth, width, wanted, stride, planes + (kCensusBytes + 1) * stride);
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
  // each plane describes candidates v * kLanes and on. `faint`: see faint_plane.
  MatchingCost(const Shared& shared, const u8* left, u8 faint, const u8* candidates,
               std::ptrdiff_t stride)
      : cap_(shared.gradient_cap),
        gradient_(broadcast(left[kCensusBytes])),
        code_(left + kCensusBytes + 1),
        faint_(faint) {
    for (int p = 0; p < kCensusBytes; ++p) census_[p] = broadcast(left[p]);
    for (int p = 0; p < kPlanes; ++p) plane_[p] = candidates + p * stride;
  }

  // Of the v-th vector of candidates. Faint pixels lie together, so the branch is foreseen.
  V operator()(int v) const {
    V shape = min(absolute_difference(gradient_, right(kCensusBytes, v)), cap_);
    for (int p = 0; p < kCensusBytes; ++p) shape += popcount(census_[p] ^ right(p, v));
    if (!faint_) return shape;
    V code{};
    for (int p = 0; p < kCodeBytes; ++p)
      code += popcount(broadcast(code_[p]) ^ right(kCensusBytes + 1 + p, v));
    return half_sum(shape, code);
  }

 private:
  V right(int p, int v) const { return load(plane_[p] + v * kLanes); }
  V census_[kCensusBytes], cap_, gradient_;
  const u8* code_;
  const u8 faint_;
  const u8* plane_[kPlanes];
};

}  // namespace
#endif
