// Two rectified images in, disparity and confidence out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "given_code.hpp"
#include "kernel.hpp"

namespace stereo {

// The parameters of stereo.matching.sgm.SgmParams, by the same names.
struct Options : CostOptions {
  int min_disparity = 0;
  int num_disparities = 128;
  int paths = 4;                // 4: left, right, up, down. 3: without up, in one pass
  int p1 = 20, p2 = 84;         // surcharge of a step of one, and of a jump
  int p2_width = 16;            // a jump costs half where the image steps by this plus 4 levels
  int uniqueness_percent = 10;  // how far above the winner the best rival must be
  int left_right_max_px = 1;    // how far the right view's opinion may be off; -1: no check
  bool median = true;
  int speckle_size_px = 100;    // smaller islands are removed; 0: none
  int speckle_range_px = 2;     // steps larger than this separate islands
  int threads = 1;
};

template <class Pixel>
struct ImageView {
  const Pixel* data;
  std::ptrdiff_t row_stride, column_stride;  // in pixels
};

// The instruction set that Matcher uses: the widest this processor has, or what the environment
// variable STEREO_SIMD names (baseline, avx2, avx512). Throws std::invalid_argument if that is
// unknown or not available here.
const Kernel& best_kernel();

// What the kernels are told of a search in images of this size.
Search make_search(int width, int height, const Options& options, int lanes);

// Bytes that a Matcher holds for images of this size, besides its results and the list of runs that
// the removal of speckles makes, whose length depends on the picture. Throws std::invalid_argument.
std::size_t memory_bytes(int width, int height, const Options& options, int bytes_per_pixel);

struct Workspace;

// Matches pairs of one size; keeps its memory from one pair to the next. Calls from several threads
// take turns.
class Matcher {
 public:
  explicit Matcher(const Options& options);  // throws std::invalid_argument
  ~Matcher();

  // disparity, confidence: [height][width]; NaN and 0 where unknown. winners, if given, receives
  // what stands before the left-right check, of all rows; tests compare it with their reference.
  // codes, if given, take the place of the learned code's last bytes.
  template <class Pixel>
  void match(ImageView<Pixel> left, ImageView<Pixel> right, int width, int height,
             float* disparity, float* confidence, const Winners* winners = nullptr,
             const GivenCodes* codes = nullptr);

 private:
  template <class Pixel>
  class Run;
  const Options options_;
  std::mutex busy_;
  const std::unique_ptr<Workspace> workspace_;
};

}  // namespace stereo
