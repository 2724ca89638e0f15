// Smooth regions of the image, where there is nothing to match, get planes of disparity.
//
// stereo/refining/surfaces.py says why and which regions; here each of them is looked at.
#pragma once

#include <cstdint>

#include "agreement.hpp"

namespace stereo {

constexpr int kSurfaceStep = 4;  // regions are known on every fourth row and column of the image

struct SurfaceRegions {
  int count;
  const std::int32_t* label;   // of each region
  const std::int32_t* box;     // [count][4] its x, y, width and height, on the coarse grid
  const std::int32_t* labels;  // the coarse grid: [ceil(height / step)][ceil(width / step)]
};

// Writes planes into px and confidence ([height][width], NaN and 0 where unknown). Regions are looked
// at in any order and written in theirs: any number of threads gives the same bits.
void plane_surfaces(const PlaneViews& views, const SurfaceRegions& regions, int threads, float* px,
                    float* confidence);

}  // namespace stereo
