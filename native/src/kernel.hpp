// What one instruction set offers the matcher: a table of functions over rows of pixels.
//
// kernel.cpp is compiled once per instruction set and fills one table; matcher.cpp picks a table at
// run time. All tables give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cost.hpp"
#include "doubt_rows.hpp"
#include "edge_rows.hpp"
#include "fill_rows.hpp"

namespace stereo {

constexpr int kMaxDisparities = 4080;  // 255 vectors of the narrowest instruction set
constexpr int kVectorSlack = 64;       // bytes past the end that a vector may touch

// One left pixel as the kernels want it, all in one place.
struct LeftPixel {
  std::uint8_t description[kPlanes];  // see cost.hpp
  std::uint8_t faint;                     // the same
  std::uint8_t p2_left;               // penalty of a jump between this pixel and its left neighbour
  std::uint8_t p2_above;              // the same, with the pixel above
};

// The best disparity of each pixel of a row, as an index from the smallest searched one, and the
// total costs that tell how sure and how precise it is. All [width].
struct Winners {
  std::uint16_t* index;
  std::uint8_t* cost;            // at the winner
  std::uint8_t *before, *after;  // at its two neighbours; 255 past the ends of the range
  std::uint8_t* rival;           // the lowest cost away from the winner and its neighbours

  // Of so many pixels; `costs` has four times that.
  static Winners in(std::uint16_t* index, std::uint8_t* costs, std::ptrdiff_t pixels) {
    return {index, costs, costs + pixels, costs + 2 * pixels, costs + 3 * pixels};
  }
  Winners operator+(std::ptrdiff_t pixels) const {
    return {index + pixels, cost + pixels, before + pixels, after + pixels, rival + pixels};
  }
};

struct Penalties {
  std::uint8_t p1;
  std::uint8_t p2[256];    // by absolute difference of intensity, in 8-bit units
};

// One row of both images, described for matching.
struct RowDescription {
  const LeftPixel* left;       // [width]
  // [kPlanes][plane_stride], running right to left: element e describes the right image's column
  // width - 1 - (e + min_disparity), clamped to the image. The candidates of left column x are then
  // the contiguous run that begins at element width - 1 - x.
  const std::uint8_t* right;
};

// Shape of the search and where padding lanes begin; the same for every row.
struct Search {
  int width, height;
  int min_disparity, num_disparities;
  int cells;         // num_disparities rounded up to whole vectors: bytes of state per pixel and path
  int plane_stride;  // bytes between planes of RowDescription::right
  CostOptions cost;
  Penalties penalties;
};

// Costs-to-go of one path for a row of pixels.
struct PathRow {
  std::uint8_t* cost;   // [width][cells]
  std::uint8_t* floor;  // [width] the lowest of each pixel
};

// What the pixels of one row gather on their way to a winner.
struct GatherRow {
  std::uint8_t* match;  // [width][cells] cost of matching
  std::uint8_t* sum;    // [width][cells] cost-to-go of the paths so far, saturated at 255
};

// A row on its way through forward() and backward().
struct Row {
  RowDescription description;
  GatherRow gather;
  std::uint8_t* along;      // [cells] state of the path from the left, at the last column visited
  std::uint8_t along_floor;
  Winners winners;
};

// Rows that are worked on at once: a pixel waits for the one beside it, and meanwhile the other row
// goes on.
constexpr int kTogether = 2;

struct Kernel {
  const char* name;
  int lanes;

  // One row of the smoothed image from three of the image; see cost.hpp.
  void (*smooth_8)(const std::uint8_t* const* rows, int width, float gain, std::uint16_t* out);
  void (*smooth_16)(const std::uint16_t* const* rows, int width, float gain, std::uint16_t* out);

  // Describe one row. rows[0..2 * kWindowY]: the row itself and kWindowY above and below, each
  // readable from -kWindowX to width + kWindowX + kVectorSlack. `gain` converts intensities to 8-bit
  // units. smooth: the same rows of the smoothed image. scratch: kPlanes * plane_stride bytes.
  void (*describe_left_8)(const Search&, const std::uint8_t* const* rows,
                          const std::uint16_t* const* smooth, float gain, std::uint8_t* scratch,
                          LeftPixel* out);
  void (*describe_left_16)(const Search&, const std::uint16_t* const* rows,
                          const std::uint16_t* const* smooth, float gain, std::uint8_t* scratch,
                          LeftPixel* out);
  void (*describe_right_8)(const Search&, const std::uint8_t* const* rows,
                          const std::uint16_t* const* smooth, float gain, std::uint8_t* scratch,
                          std::uint8_t* out);
  void (*describe_right_16)(const Search&, const std::uint16_t* const* rows,
                          const std::uint16_t* const* smooth, float gain, std::uint8_t* scratch,
                          std::uint8_t* out);

  // The upward path, columns [begin, end) of one row; `below` gives p2 towards the row below and is
  // null on the last row. With `gather`, also keeps the matching cost and starts the sum.
  void (*climb)(const Search&, const RowDescription&, const LeftPixel* below, int begin, int end,
                PathRow from, PathRow to, const GatherRow* gather);

  // The paths from the left and from above through columns [begin, end) of up to kTogether rows,
  // one below the other. With has_gathered they begin from what climb() left.
  void (*forward)(const Search&, Row* rows, int count, int begin, int end, bool has_gathered,
                  PathRow above);

  // The path from the right, and the winners, of up to kTogether whole rows.
  void (*backward)(const Search&, const Row* rows, int count);

  // 3x3 median of a row; rows [-1 .. width] must be readable (borders replicated).
  void (*median)(const float* above, const float* row, const float* below, int width, float* out);

  DoubtRows doubt;
  EdgeRows edges;
  FillRows fill;
};

extern const Kernel kKernelBaseline, kKernelAvx2, kKernelAvx512;  // the last two on x86-64 only

}  // namespace stereo
