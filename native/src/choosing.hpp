// Which surface does a pixel beside an edge of depth belong to? Every disparity around it is a
// candidate; a small network scores each by what speaks for it: how much of what looks like the
// pixel has that disparity, and how well the two images agree there. The best one wins.
#pragma once

#include <cstdint>

namespace stereo {

constexpr int kCandidates = 5;  // at most, of one pixel
constexpr int kChoiceClues = 20;      // of each
constexpr int kUnits = 12;     // units in each of the two hidden layers

struct ChoiceImages {
  int width, height, channels;  // 1 or 3
  const float* disparity;       // [height][width], NaN where unknown
  const std::uint8_t* weight;   // [height][width] how much the disparity is worth as evidence
  const std::uint8_t* left;     // [height][width][channels]
  const std::uint8_t* right;    // likewise
  const std::uint8_t* misfit;  // [height][width] how much the images differ there anyway, 1/4 level
  const std::uint8_t* wanted;  // [height][width] where to choose
};

// Weights of each input, and last the offsets.
struct Chooser {
  float first[kChoiceClues + 1][kUnits], second[kUnits + 1][kUnits], last[kUnits];
};
constexpr int kChooserSize = sizeof(Chooser) / sizeof(float);

// The candidates of one pixel; the first is its own disparity.
struct Candidates {
  int count;
  float disparity[kCandidates];
  float clues[kCandidates][kChoiceClues];
};

// For one pixel with a known disparity.
Candidates candidates_at(const ChoiceImages& images, int x, int y);

// out: [height][width], the best candidate where wanted, elsewhere the disparity; another than its
// own must score better by `keep`. Sums are of whole numbers or in a fixed order: no thread count or
// processor changes the result.
void choose_surfaces(const ChoiceImages& images, const Chooser& chooser, float keep, int threads,
                     float* out);

}  // namespace stereo
