// Planes of disparity, proposed by triples of matches (RANSAC; Fischler and Bolles 1981).
#pragma once

#include <vector>

namespace stereo {

struct Plane {
  double a, b, c;  // disparity a * x + b * y + c, with x, y in pixels of the image
  float at(float x, float y) const { return float(a) * x + float(b) * y + float(c); }
};

struct Place {  // a pixel of the left image
  int x, y;
};

struct PlaneMatch {
  float x, y, d, weight;  // weight > 0
};

constexpr float kAgreePx = 1.0f;  // a match within this of a plane supports it

// Planes through random triples of matches, those with most support first, each fitted to the matches
// that agree with it. No two are alike: over `places` they differ by a few pixels.
std::vector<Plane> propose_planes(const std::vector<PlaneMatch>& matches,
                                  const std::vector<Place>& places);

}  // namespace stereo
