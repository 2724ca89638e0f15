// A median of disparities around a pixel, weighted by how much each looks as if it belongs to it.
//
// Constant weights would round corners and eat thin things; weights that fall with the distance in
// colour let the edges of surfaces snap to those of the image (Ma et al., "Constant time weighted
// median filtering for stereo matching and beyond", ICCV 2013).
#pragma once

#include <cstdint>

namespace stereo {

struct EdgeImage {
  int width, height, channels;  // 1 or 3
  const float* disparity;      // [height][width], NaN where unknown: there the weight is 0
  const std::uint8_t* weight;  // [height][width] how much the disparity is worth as evidence
  const std::uint8_t* color;   // [height][width][channels]
  const std::uint8_t* wanted;  // [height][width] where to look; elsewhere the disparity stays
};

// out: [height][width], 1 within reach_px of neighbours that differ by more than step_px.
void around_edges(int width, int height, const float* disparity, float step_px, int reach_px,
                  int threads, std::uint8_t* out);

// out: [height][width]. Where at least half of the weight lies within keep_px of a pixel's own
// disparity, that is kept to the last bit. All weights are integers: no order of summation, thread
// count or processor changes the result.
void weighted_median(const EdgeImage& image, float keep_px, int threads, float* out);

struct EdgeRules {
  float step_px, keep_px, moved_confidence;  // see stereo/refining/edges.py
};

// Both at once, with the confidence as weight: out_px and out_confidence, [height][width].
void sharpen_edges(int width, int height, int channels, const float* px, const float* confidence,
                   const std::uint8_t* color, const EdgeRules& rules, int threads, float* out_px,
                   float* out_confidence);

}  // namespace stereo
