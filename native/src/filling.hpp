// Holes of a disparity map take what looks most like them and lies near, in two dimensions.
//
// Each hole pixel belongs to the known pixel from which the cheapest path leads to it: a path costs
// little where the image stays the same, much across its edges (a geodesic distance; Criminisi et al.,
// "Geodesic image and video editing", 2010), and much more through a place that both neighbours on its
// row say is farther away: what only one camera sees is background. From that pixel on, its surface is
// continued with the slope it has there.
#pragma once

#include <cstdint>

namespace stereo {

struct HoleyMap {
  int width, height, channels;  // 1 or 3
  const float* px;             // [height][width] NaN: a hole
  const float* confidence;     // [height][width]
  const std::uint8_t* color;   // [height][width][channels]
};

// out: [height][width], what is known as it is. A map that knows nothing stays as it is.
// Any number of threads gives the same bits.
void fill_holes(const HoleyMap& map, int threads, float* out);

}  // namespace stereo
