// Stage 7: islands of pixels that stand alone are mistakes.
#pragma once

#include <cstdint>
#include <vector>

namespace stereo {

// Finds islands of connected pixels: neighbours (of four) belong together when they differ by at
// most a range. Runs of connected pixels within rows are joined across rows by union-find.
class Speckles {
 public:
  void resize(int width, int height);

  // Of each row, in any order, from several threads. `scratch`: width bytes.
  void find_runs(int y, const float* row, float range, std::uint8_t* scratch);
  // Then once; `disparity`: all rows.
  void join_rows(const float* disparity, float range);
  // Then of each row, in any order: make kHole of what belongs to at most `size` pixels.
  void remove(int y, float* row, int size) const;

 private:
  struct Run {
    int begin, end, parent, pixels;  // parent: an index into runs_, below its own unless it is a root
  };
  int root(int run);
  void join(int a, int b);

  int width_ = 0;
  std::vector<std::vector<Run>> found_;  // by row
  std::vector<Run> runs_;                // of all rows
  std::vector<int> first_;               // [height + 1] of each row, in runs_
};

}  // namespace stereo
