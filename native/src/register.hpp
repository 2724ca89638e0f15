// Depth as another camera sees it: each pixel becomes a small facet of its surface, is moved, and
// drawn into a z-buffer. stereo/register.py has the same in numpy, to the last bit.
#pragma once

#include <cstdint>

namespace stereo {

// The map as it was measured: a pinhole without distortion.
struct SeenDepth {
  int width, height;
  const float* depth;  // [height][width] metres, NaN unknown
  const float* sigma;  // [height][width] its standard deviation
  float focal, cx, cy;
};

// The camera that it is moved to. Its lens is a table: where the ray (x, y, 1) is seen, for x and y
// in steps from `first`; NaN where it is not.
struct OtherCamera {
  int width, height;
  float fx, fy, cx, cy;
  float rotation[9], shift[3];  // from the measuring camera's frame, metres
  int columns, rows;
  float first_x, first_y, per_step;
  const float* pixels;  // [rows][columns][2]
};

struct FacetRules {
  float pixels_per_inverse_metre;  // focal times baseline: what makes 1/Z a disparity
  float same_surface_px;           // neighbours that differ by less are one surface
  float half_side;                 // of a facet, in pixels of the measured map
  float largest_px;                // facets that reach farther in the other image are cut there
  float least_turn;                // a facet seen more edge-on than this share is not drawn
};

// depth, sigma: [other.height][other.width], NaN where nothing is seen; source: the index of the
// measured pixel, -1 for none. The nearest facet wins, of two equal ones the later: no order of
// drawing, thread count or processor changes the result.
void register_depth(const SeenDepth& seen, const OtherCamera& other, const FacetRules& rules,
                    int threads, float* depth, float* sigma, std::int32_t* source);

}  // namespace stereo
