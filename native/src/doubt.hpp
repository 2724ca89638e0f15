// How far to trust each pixel of a finished map. stereo/refining/doubt.py says why, and does the same
// to the bit where this was not built; its names and constants are those of this file.
#pragma once

#include <cstdint>

namespace stereo {

struct FinishedMap {
  int width, height;
  const float *px, *confidence;       // [height][width]; px is not finite in a hole
  const std::uint8_t *left, *right;   // the images, gray
};

// The clues in the order of their points.
enum Clue { kOwn, kAround, kDiffer, kUnlike, kDrop, kDropNear, kRise, kClues };

struct DoubtPoints {
  const std::int16_t* points;  // [kClues][256] what each level of a clue is worth
  int start;                   // of their sum
  const float* probability;    // [256] of a sum; beyond it the border
  int plane;                   // the level of kOwn of a plane ...
  float plane_at_most;         // ... and the most that one is trusted
};

// Writes confidence, [height][width]. Any number of threads gives the same bits.
void judge(const FinishedMap& map, const DoubtPoints& points, int threads, float* confidence);

}  // namespace stereo
