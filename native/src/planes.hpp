// Planes of disparity: proposed by triples of matches, compared by the two images.
//
// Candidates come from triples of matches (RANSAC; Fischler and Bolles 1981); the evidence that
// chooses among them is how well the images agree at each (after Bleyer and Gelautz 2005, who fit
// planes to regions, but by the matches alone).
#pragma once

#include <cstdint>
#include <vector>

namespace stereo {

struct Plane {
  double a, b, c;  // disparity a * x + b * y + c, with x, y in pixels of the image
  float at(float x, float y) const { return float(a) * x + float(b) * y + float(c); }
};

struct PlaneViews {
  int width, height;
  const std::uint8_t* gray;   // [height][width] left image
  const std::int16_t* slope;  // its Sobel in x, four times the gray levels per pixel
  const std::int16_t* fine;   // what stands out of its surroundings, any unit
  const std::uint8_t* right;  // right image
  const std::int16_t *right_slope, *right_fine;
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

// Difference of intensity and slope at a place, gray levels.
float plane_cost(const PlaneViews& views, const Plane& plane, Place at);

// Its mean over places; 0 without any.
double plane_cost(const PlaneViews& views, const Plane& plane, const std::vector<Place>& at);

// Correlation of the finest texture at a plane, over places: noise does not correlate, and over ten
// thousand pixels even a blank wall has texture enough.
double fine_correlation(const PlaneViews& views, const Plane& plane, const std::vector<Place>& at);

// The plane nearby at which it is highest; `at` is not empty.
Plane fine_tuned(const PlaneViews& views, Plane plane, const std::vector<Place>& at);

// By how many standard deviations it stands above what wrong shifts give.
double fine_deviations(const PlaneViews& views, const Plane& plane, const std::vector<Place>& at);

}  // namespace stereo
