// The memory that a matcher keeps from one pair to the next, and how much of it a pair needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "finish.hpp"
#include "kernel.hpp"
#include "matcher.hpp"
#include "padded_image.hpp"
#include "speckles.hpp"

namespace stereo {

constexpr int kBlockRows = 8;  // rows between checkpoints of the upward path

// Rows that one task takes.
inline int block_rows(const Options& options) { return options.paths == 4 ? kBlockRows : kTogether; }

inline int blocks_of(int height, int rows) { return (height + rows - 1) / rows; }

// Floats from one row of the raw disparity to the next: one before the row and some behind it, for
// the median.
inline int raw_stride(int width) { return width + 2 + kVectorSlack / int(sizeof(float)); }

struct Workspace {
  // What one thread needs for a block of rows.
  struct Worker {
    Buffer<std::uint8_t> scratch, along, match, sum;
    Buffer<LeftPixel> left;      // descriptions, with paths = 3
    Buffer<std::uint8_t> right;  // the same
    Buffer<std::uint16_t> winner_index;
    Buffer<std::uint8_t> winner_costs;
    FinishMemory finish;
  };
  Buffer<std::uint16_t> left_image, right_image;  // of bytes too: two in each
  Buffer<std::uint16_t> left_smooth, right_smooth;
  Buffer<LeftPixel> left;                         // descriptions, with paths = 4
  Buffer<std::uint8_t> right;                     // the same
  Buffer<std::uint8_t> above, above_floor;  // state of the path from above
  Buffer<std::uint8_t> climb, climb_floor;  // state of the path from below, and its checkpoints
  Buffer<float> raw;
  std::vector<Worker> workers;
  Speckles speckles;

  // Calls visit(buffer, count) with each buffer and the elements that a pair needs of it. Whatever
  // allocates or tells the memory walks here; only the runs of Speckles depend on the picture.
  template <class Visit>
  void each_buffer(const Search& search, const Options& options, int bytes_per_pixel,
                   const Visit& visit) {
    const std::size_t width = search.width, height = search.height;
    const std::size_t row_cells = width * search.cells;
    const std::size_t row_planes = std::size_t(kPlanes) * search.plane_stride;
    const std::size_t image = padded_words(search.width, search.height, bytes_per_pixel);
    visit(left_image, image);
    visit(right_image, image);
    const std::size_t smooth = padded_words(search.width, search.height, sizeof(std::uint16_t));
    visit(left_smooth, smooth);
    visit(right_smooth, smooth);
    visit(above, row_cells);
    visit(above_floor, width);
    visit(raw, std::size_t(raw_stride(search.width)) * height);
    if (options.paths == 4) {
      const std::size_t states = blocks_of(search.height, kBlockRows) + 1;
      visit(left, width * height);
      visit(right, row_planes * height);
      visit(climb, row_cells * states);
      visit(climb_floor, width * states);
    }
    workers.resize(options.threads);
    const std::size_t rows = block_rows(options);
    for (Worker& worker : workers) {
      visit(worker.scratch, std::size_t(kScratchPlanes) * search.plane_stride);
      visit(worker.along, rows * search.cells);
      visit(worker.match, rows * row_cells);
      visit(worker.sum, rows * row_cells);
      visit(worker.winner_index, kTogether * width);
      visit(worker.winner_costs, 4 * kTogether * width);
      worker.finish.each_buffer(search.width, visit);
      if (options.paths == 4) continue;
      visit(worker.left, rows * width);
      visit(worker.right, rows * row_planes);
    }
  }
};

}  // namespace stereo
