// Order of the work. Three of the four paths (from the left, from above, from the right) need only
// what lies above and in the row itself; the path from below needs the whole image first. Storing it
// for all pixels would take width * height * disparities bytes, written once and read once. Instead
// a first sweep from the bottom up keeps its state at every kBlockRows-th row only, and the second
// sweep repeats one block at a time from there. That costs one more evaluation of the path, and
// saves nine tenths of the memory.
#include "matcher.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

#include "buffer.hpp"
#include "finish.hpp"
#include "padded_image.hpp"
#include "parallel.hpp"

namespace stereo {
namespace {

constexpr int kBlockRows = 8;      // rows between checkpoints of the upward path
constexpr int kStripColumns = 64;  // columns that one task of the upward path takes
constexpr int kStepColumns = 64;   // columns between two looks at the row above
constexpr float kBorrowedConfidence = 0.55f;  // of a hole that the median closed: measured

int blocks_of(int height) { return (height + kBlockRows - 1) / kBlockRows; }

Search make_search(int width, int height, const Options& options, int lanes) {
  Search search{};
  search.width = width;
  search.height = height;
  search.min_disparity = options.min_disparity;
  search.disparities = options.disparities;
  search.cells = (options.disparities + lanes - 1) / lanes * lanes;
  search.plane_stride = width + search.cells + kVectorSlack;
  Penalties& penalties = search.penalties;
  penalties.p1 = static_cast<std::uint8_t>(options.p1);
  penalties.gradient_cap = static_cast<std::uint8_t>(options.gradient_cap);
  penalties.dead_cost = static_cast<std::uint8_t>(kCensusBits + options.gradient_cap + options.p2 + 1);
  for (int step = 0; step < 256; ++step) {
    const int beyond_noise = std::max(0, step - 4);
    const int p2 = options.p2_width > 0
                       ? options.p2 * options.p2_width / (options.p2_width + beyond_noise)
                       : options.p2;
    penalties.p2[step] = static_cast<std::uint8_t>(std::max(std::min(options.p1 + 2, options.p2), p2));
  }
  return search;
}

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

const Options& checked(const Options& o) {
  require(1 <= o.disparities && o.disparities <= kMaxDisparities,
          "num_disparities must be 1 to 4080");
  require(std::abs(o.min_disparity) <= 65536, "min_disparity must be within -65536 to 65536");
  require(o.paths == 3 || o.paths == 4, "paths must be 3 or 4");
  require(0 <= o.p1 && o.p1 <= o.p2, "p1 must be 0 to p2");
  require(0 <= o.gradient_cap, "gradient_cap must not be negative");
  require(kCensusBits + o.gradient_cap + 2 * o.p2 + 1 + o.p1 <= 255,
          "24 + gradient_cap + 2 * p2 + 1 + p1 must not exceed 255: path costs live in bytes");
  require(0 <= o.uniqueness_percent && o.uniqueness_percent < 100,
          "uniqueness_percent must be 0 to 99");
  require(1 <= o.threads && o.threads <= 256, "threads must be 1 to 256");
  return o;
}

}  // namespace

struct Matcher::Workspace {
  // What one thread needs for a row.
  struct Worker {
    Buffer<std::uint8_t> scratch, along, match, sum, right_row;
    Buffer<LeftPixel> left_row;
    Buffer<Winner> winners;
    FinishMemory finish;
  };
  Buffer<std::uint16_t> left_image, right_image;
  Buffer<LeftPixel> left;
  Buffer<std::uint8_t> right;
  Buffer<std::uint8_t> above, above_floor;      // state of the path from above
  Buffer<std::uint8_t> climb, climb_floor;      // state of the path from below, and its checkpoints
  Buffer<std::uint8_t> match, sum;              // two blocks of rows
  Buffer<float> raw;
  std::vector<Worker> workers;
  ConfidenceModel confidence;
};

// One call of match(): the stages in their order, on the workspace's memory.
template <class Pixel>
class Matcher::Run {
 public:
  Run(const Options& options, const Kernel& kernel, int width, int height, Workspace& workspace)
      : options_(options),
        kernel_(kernel),
        search_(make_search(width, height, options, kernel.lanes)),
        work_(workspace),
        left_image_(workspace.left_image, width, height),
        right_image_(workspace.right_image, width, height),
        row_cells_(std::size_t(width) * search_.cells) {
    work_.raw.resize(std::size_t(raw_stride()) * height);
    work_.above.resize(row_cells_);
    work_.above_floor.resize(width);
    std::memset(work_.above.get(), 0, row_cells_);
    std::memset(work_.above_floor.get(), 0, width);
    work_.workers.resize(options.threads);
    for (Worker& worker : work_.workers) prepare(worker);
  }

  void operator()(ImageView<Pixel> left, ImageView<Pixel> right, float* disparity,
                  float* confidence, Winner* winners) {
    confidence_ = confidence;
    winners_ = winners;
    each_row([&](int y, Worker&) {
      left_image_.copy_row(left, y);
      right_image_.copy_row(right, y);
    });
    gain_ = gain_to_8_bits(left_image_, right_image_, search_.width, search_.height);
    if (options_.paths == 4) {
      describe_all();
      climb_all();
      sweep_blocks();
    } else {
      sweep_once();
    }
    polish(disparity);
  }

 private:
  using Worker = Workspace::Worker;
  static constexpr bool kBytes = sizeof(Pixel) == 1;

  int strips() const { return (search_.width + kStripColumns - 1) / kStripColumns; }
  int raw_stride() const { return search_.width + 2 + kVectorSlack / int(sizeof(float)); }
  float* raw_row(int y) const { return work_.raw.get() + std::ptrdiff_t(raw_stride()) * y + 1; }

  template <class Body>
  void each_row(const Body& body) {
    constexpr int kRows = 16;
    parallel_for(options_.threads, (search_.height + kRows - 1) / kRows, [&](int task, int worker) {
      for (int y = task * kRows; y < std::min(search_.height, (task + 1) * kRows); ++y)
        body(y, work_.workers[worker]);
    });
  }

  void prepare(Worker& worker) {
    worker.scratch.resize(std::size_t(kPlanes) * search_.plane_stride);
    worker.along.resize(search_.cells);
    worker.winners.resize(search_.width);
    worker.finish.resize(search_.width);
    if (options_.paths == 4) return;
    worker.left_row.resize(search_.width);
    worker.right_row.resize(std::size_t(kPlanes) * search_.plane_stride);
    worker.match.resize(row_cells_);
    worker.sum.resize(row_cells_);
  }

  // Stage 1.
  void describe(int y, Worker& worker, LeftPixel* left, std::uint8_t* right) const {
    constexpr int kRows = 2 * kCensusRadiusY + 1;
    const Pixel *left_rows[kRows], *right_rows[kRows];
    for (int i = 0; i < kRows; ++i) {
      left_rows[i] = left_image_.clamped_row(y + i - kCensusRadiusY);
      right_rows[i] = right_image_.clamped_row(y + i - kCensusRadiusY);
    }
    std::uint8_t* scratch = worker.scratch.get();
    if constexpr (kBytes) {
      kernel_.describe_left_8(search_, left_rows, gain_, scratch, left);
      kernel_.describe_right_8(search_, right_rows, gain_, scratch, right);
    } else {
      kernel_.describe_left_16(search_, left_rows, gain_, scratch, left);
      kernel_.describe_right_16(search_, right_rows, gain_, scratch, right);
    }
  }

  RowDescription description(int y) const {
    return {work_.left.get() + std::ptrdiff_t(search_.width) * y,
            work_.right.get() + std::ptrdiff_t(kPlanes) * search_.plane_stride * y};
  }

  void describe_all() {
    work_.left.resize(std::size_t(search_.width) * search_.height);
    work_.right.resize(std::size_t(kPlanes) * search_.plane_stride * search_.height);
    each_row([&](int y, Worker& worker) {
      const RowDescription row = description(y);
      describe(y, worker, const_cast<LeftPixel*>(row.left), const_cast<std::uint8_t*>(row.right));
    });
  }

  // Stage 2: the path from below. Checkpoint b is its state just below block b; the one past the
  // last block is the working state of the strips.
  PathRow checkpoint(int block) const {
    return {work_.climb.get() + row_cells_ * block,
            work_.climb_floor.get() + std::size_t(search_.width) * block};
  }

  void climb(int y, int begin, int end, PathRow from, PathRow to, const GatherRow* gather) const {
    const bool lowest = y + 1 == search_.height;
    kernel_.climb(search_, description(y), lowest ? nullptr : description(y + 1).left, begin, end,
                  from, to, gather);
  }

  void climb_all() {
    const int blocks = blocks_of(search_.height);
    work_.climb.resize(row_cells_ * (blocks + 1));
    work_.climb_floor.resize(std::size_t(search_.width) * (blocks + 1));
    const PathRow state = checkpoint(blocks);
    parallel_for(options_.threads, strips(), [&](int strip, int) {
      const int begin = strip * kStripColumns;
      const int end = std::min(search_.width, begin + kStripColumns);
      PathRow from = checkpoint(blocks - 1);
      std::memset(from.cost + std::size_t(begin) * search_.cells, 0,
                  std::size_t(end - begin) * search_.cells);
      std::memset(from.floor + begin, 0, end - begin);
      for (int y = search_.height - 1; y >= kBlockRows; --y) {
        const PathRow to = y % kBlockRows == 0 ? checkpoint(y / kBlockRows - 1) : state;
        climb(y, begin, end, from, to, nullptr);
        from = to;
      }
    });
  }

  // Repeats the climb through one block, from its checkpoint, keeping what each row gathers.
  void climb_block(int block, int strip) {
    const int begin = strip * kStripColumns, end = std::min(search_.width, begin + kStripColumns);
    const int top = block * kBlockRows;
    const PathRow state = checkpoint(block);
    for (int y = std::min(search_.height, top + kBlockRows) - 1; y >= top; --y) {
      const GatherRow gather = gathered(y);
      climb(y, begin, end, state, state, &gather);
    }
  }

  GatherRow gathered(int y) const {
    const std::size_t slot = row_cells_ * (y % (2 * kBlockRows));
    return {work_.match.get() + slot, work_.sum.get() + slot};
  }

  // Stage 3: the other paths. Tasks in order: climb block 0, climb block 1, rows of block 0, climb
  // block 2, rows of block 1, ... Each waits only for earlier ones.
  void sweep_blocks() {
    work_.match.resize(row_cells_ * 2 * kBlockRows);
    work_.sum.resize(row_cells_ * 2 * kBlockRows);
    const int blocks = blocks_of(search_.height), strips = this->strips();
    std::vector<Progress> reached(search_.height), climbed(blocks), swept(blocks);
    const int turn = strips + kBlockRows;  // of tasks: climb one block, sweep the one before it
    parallel_for(options_.threads, turn * (blocks + 1), [&](int task, int worker) {
      const int block = task / turn, step = task % turn;
      if (step < strips) {
        if (block == blocks) return;
        if (block >= 2) swept[block - 2].wait_for(rows_of(block - 2));
        climb_block(block, step);
        climbed[block].add(1);
      } else if (block > 0 && step - strips < rows_of(block - 1)) {
        const int y = (block - 1) * kBlockRows + step - strips;
        climbed[block - 1].wait_for(strips);
        sweep_row(y, description(y), gathered(y), reached, work_.workers[worker]);
        swept[block - 1].add(1);
      }
    });
  }

  int rows_of(int block) const {
    return std::min(kBlockRows, search_.height - block * kBlockRows);
  }

  // The same without the path from below: rows need nothing but themselves and the one above.
  void sweep_once() {
    std::vector<Progress> reached(search_.height);
    parallel_for(options_.threads, search_.height, [&](int y, int index) {
      Worker& worker = work_.workers[index];
      describe(y, worker, worker.left_row.get(), worker.right_row.get());
      sweep_row(y, {worker.left_row.get(), worker.right_row.get()},
                {worker.match.get(), worker.sum.get()}, reached, worker);
    });
  }

  // One row, following close behind the row above.
  void sweep_row(int y, RowDescription row, GatherRow gather, std::vector<Progress>& reached,
                 Worker& worker) {
    const PathRow above{work_.above.get(), work_.above_floor.get()};
    std::uint8_t* along = worker.along.get();
    std::uint8_t along_floor = 0;
    std::memset(along, 0, search_.cells);
    for (int begin = 0; begin < search_.width; begin += kStepColumns) {
      const int end = std::min(search_.width, begin + kStepColumns);
      if (y > 0) reached[y - 1].wait_for(end);
      kernel_.forward(search_, row, begin, end, options_.paths == 4, above, along, &along_floor,
                      gather);
      reached[y].reach(end);
    }
    Winner* winners =
        winners_ ? winners_ + std::ptrdiff_t(search_.width) * y : worker.winners.get();
    kernel_.backward(search_, row, gather, winners);
    finish_row(search_, options_, work_.confidence, winners, worker.finish, raw_row(y),
               confidence_ + std::ptrdiff_t(search_.width) * y);
  }

  // Stages 6 and 7: median, speckles.
  void polish(float* disparity) {
    const int width = search_.width, height = search_.height;
    each_row([&](int y, Worker&) {
      float* row = raw_row(y);
      row[-1] = row[0];
      std::fill(row + width, row + raw_stride() - 1, row[width - 1]);
    });
    each_row([&](int y, Worker&) {
      float* out = disparity + std::ptrdiff_t(width) * y;
      if (options_.median)
        kernel_.median(raw_row(std::max(y - 1, 0)), raw_row(y), raw_row(std::min(y + 1, height - 1)),
                       width, out);
      else
        std::copy(raw_row(y), raw_row(y) + width, out);
    });
    if (options_.speckle_size > 0)
      remove_speckles(disparity, width, height, options_.speckle_size,
                      float(options_.speckle_range_px));
    each_row([&](int y, Worker&) {
      const std::ptrdiff_t row = std::ptrdiff_t(width) * y;
      for (int x = 0; x < width; ++x)
        if (disparity[row + x] == kHole) {
          disparity[row + x] = std::numeric_limits<float>::quiet_NaN();
          confidence_[row + x] = 0;
        } else if (confidence_[row + x] == 0) {
          confidence_[row + x] = kBorrowedConfidence;
        }
    });
  }

  const Options& options_;
  const Kernel& kernel_;
  const Search search_;
  Workspace& work_;
  PaddedImage<Pixel> left_image_, right_image_;
  const std::size_t row_cells_;
  float gain_ = 1;
  float* confidence_ = nullptr;
  Winner* winners_ = nullptr;
};

Matcher::Matcher(const Options& options)
    : options_(checked(options)), workspace_(std::make_unique<Workspace>()) {
  best_kernel();  // an impossible STEREO_SIMD is reported here
}

Matcher::~Matcher() = default;

template <class Pixel>
void Matcher::match(ImageView<Pixel> left, ImageView<Pixel> right, int width, int height,
                    float* disparity, float* confidence, Winner* winners) {
  require(width > 0 && height > 0, "images must have at least one pixel");
  const std::lock_guard<std::mutex> lock(busy_);
  Run<Pixel>(options_, best_kernel(), width, height, *workspace_)(left, right, disparity,
                                                                  confidence, winners);
}

template void Matcher::match(ImageView<std::uint8_t>, ImageView<std::uint8_t>, int, int, float*,
                             float*, Winner*);
template void Matcher::match(ImageView<std::uint16_t>, ImageView<std::uint16_t>, int, int, float*,
                             float*, Winner*);

std::size_t memory_bytes(int width, int height, const Options& options, int bytes_per_pixel) {
  const Search search = make_search(width, height, checked(options), best_kernel().lanes);
  const std::size_t pixels = std::size_t(width) * height;
  const std::size_t row_cells = std::size_t(width) * search.cells;
  const std::size_t planes = std::size_t(kPlanes) * search.plane_stride;
  const std::size_t images = 2 * pixels * bytes_per_pixel + pixels * sizeof(float);
  const std::size_t worker = 2 * planes + width * (sizeof(Winner) + sizeof(LeftPixel) + 5);
  if (options.paths == 3) return images + row_cells + options.threads * (worker + 2 * row_cells);
  const std::size_t checkpoints = row_cells * (blocks_of(height) + 1);
  const std::size_t blocks = row_cells * 4 * kBlockRows;
  return images + row_cells + options.threads * worker + checkpoints + blocks +
         pixels * sizeof(LeftPixel) + planes * height;
}

}  // namespace stereo
