// The plane of a textureless region: proposed by triples of matches, judged by the two images.
//
// The same steps as in stereo/refining/plane_fit.py, which serves where this module is not built and
// holds all the constants.
#pragma once

#include <cstdint>

namespace stereo {

struct Plane {
  double a, b, c;  // disparity a * x + b * y + c
};

struct PlaneViews {
  int width, height;
  const std::uint8_t* gray;          // [height][width] left image
  const std::int16_t* slope;         // its Sobel in x
  const std::uint8_t* right;         // right image
  const std::int16_t* right_slope;
};

struct PlanePlaces {  // pixels of the left image
  int count;
  const std::int32_t *row, *column;
};

struct PlaneMatches {
  int count;
  const float *x, *y, *d, *weight;
};

// Uniform random numbers in [0, 1): which matches make a triple, and which ones vote.
struct PlaneDraws {
  int triples, voters;
  const double* triple;  // [3][triples]
  const double* voter;
};

// stereo.refining.plane_fit.Rules, which says what they mean.
struct PlaneRules {
  float agree_px, cost_cap;
  double steepest, smallest_triangle, smallest_area_px2;
  int candidates, semifinalists, finalists, sifted, fewest_matches;
};

// Difference of intensity and slope of the places at each plane: out[planes][places].
void plane_costs(const PlaneRules& rules, const PlaneViews& views, const PlanePlaces& places,
                 int planes, const Plane* plane, float* out);

// False when no triple makes a plane.
bool best_plane(const PlaneRules& rules, const PlaneViews& views, const PlaneMatches& matches,
                const PlanePlaces& places, const PlaneDraws& draws, Plane& best);

}  // namespace stereo
