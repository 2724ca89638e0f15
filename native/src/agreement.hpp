// How well the two images agree at a plane of disparity (after Bleyer and Gelautz 2005, who fit planes
// to regions, but by the matches alone).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "planes.hpp"

namespace stereo {

struct PlaneViews {
  int width, height;
  const std::uint8_t* gray;   // [height][width] left image
  const std::int16_t* slope;  // its Sobel in x, four times the gray levels per pixel
  const std::int16_t* fine;   // what stands out of its surroundings, within +-127, any unit
  const std::uint8_t* right;  // right image
  const std::int16_t *right_slope, *right_fine;
};

// Places of the left image in vectors: many planes are tried on them.
class PlacesInVectors {
 public:
  static constexpr int kLanes = 4;
  using Floats = float __attribute__((vector_size(4 * kLanes)));
  using Ints = std::int32_t __attribute__((vector_size(4 * kLanes)));

  PlacesInVectors(const PlaneViews& views, const std::vector<Place>& at);

  std::size_t size() const { return size_; }
  std::size_t vectors() const { return x_.size(); }
  // Of the v-th vector: the columns in the right image to which the plane leads (NaN in lanes beyond
  // the last place), and where the rows begin.
  Floats partner(const Plane& plane, std::size_t v) const {
    const float a = float(plane.a), b = float(plane.b), c = float(plane.c);
    return x_[v] - (a * x_[v] + b * y_[v] + c);
  }
  Ints row(std::size_t v) const { return row_[v]; }

 private:
  std::size_t size_;
  std::vector<Floats> x_, y_;
  std::vector<Ints> row_;
};

// Differences of intensity and slope at places, gray levels.
class PlaneCosts {
 public:
  PlaneCosts(const PlaneViews& views, const std::vector<Place>& at);

  // Of each place.
  void operator()(const Plane& plane, std::vector<float>& costs) const;
  // Their mean; 0 without any.
  double mean(const Plane& plane) const;

 private:
  using Floats = PlacesInVectors::Floats;
  const PlaneViews& views_;
  PlacesInVectors places_;
  std::vector<Floats> gray_, slope_;
};

// The finest texture at places: noise does not correlate, and over ten thousand pixels even a blank
// wall has texture enough.
class FineTexture {
 public:
  FineTexture(const PlaneViews& views, std::vector<Place> at);

  std::size_t size() const { return at_.size(); }
  double correlation(const Plane& plane) const;
  // The plane nearby at which it is highest; not without any place.
  Plane tuned(Plane plane) const;
  // By how many standard deviations it stands above what wrong shifts give.
  double deviations(const Plane& plane, int threads) const;

 private:
  const PlaneViews& views_;
  std::vector<Place> at_;
  PlacesInVectors places_;
  std::vector<std::int16_t> left_;
};

}  // namespace stereo
