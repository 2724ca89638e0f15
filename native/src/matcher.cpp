// Order of the work. Three of the four paths (from the left, from above, from the right) need only
// what lies above and in the row itself; the path from below needs the whole image first. Storing it
// for all pixels would take width * height * disparities bytes, written once and read once. Instead
// a first sweep from the bottom up keeps its state at every kBlockRows-th row only, and the second
// sweep repeats one block at a time from there. That costs one more evaluation of the path, and
// saves nine tenths of the memory.
//
// A thread takes a block through the climb and the paths from the left and from above strip by
// strip, so that what one leaves the next finds in the cache; only the path from the right, which
// begins when the last strip is done, reads the block from farther away.
#include "matcher.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "finish.hpp"
#include "padded_image.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace stereo {
namespace {

constexpr int kStripColumns = 64;  // columns of a block that are worked on before the next ones
constexpr float kBorrowedConfidence = 0.55f;  // of a hole that the median closed: measured

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

void require_in(const char* name, int value, int low, int high) {
  if (low <= value && value <= high) return;
  throw std::invalid_argument(std::string(name) + " must be " + std::to_string(low) + " to " +
                              std::to_string(high) + ", got " + std::to_string(value));
}

// The limits are those of SgmParams, which is where users meet them.
const Options& checked(const Options& o) {
  constexpr int kMany = 1 << 30;
  require_in("min_disparity", o.min_disparity, -65536, 65536);
  require_in("num_disparities", o.num_disparities, 1, kMaxDisparities);
  require_in("paths", o.paths, 3, 4);
  require_in("p2", o.p2, 0, 255);
  require_in("p1", o.p1, 0, o.p2);
  require_in("p2_width", o.p2_width, 0, 4096);
  require_in("uniqueness_percent", o.uniqueness_percent, 0, 99);
  require_in("left_right_max_px", o.left_right_max_px, -1, kMaxDisparities);
  require_in("speckle_size_px", o.speckle_size_px, 0, kMany);
  require_in("speckle_range_px", o.speckle_range_px, 0, kMaxDisparities);
  require_in("threads", o.threads, 1, 256);
  check_cost(o, require_in);
  require(largest_cost(o) + o.p2 <= 255,
          "the largest cost of a match + p2 must not exceed 255: path costs live in bytes");
  return o;
}

}  // namespace

Search make_search(int width, int height, const Options& options, int lanes) {
  Search search{};
  search.width = width;
  search.height = height;
  search.min_disparity = options.min_disparity;
  search.num_disparities = options.num_disparities;
  search.cells = (options.num_disparities + lanes - 1) / lanes * lanes;
  search.plane_stride = width + search.cells + kVectorSlack;
  search.cost = options;
  Penalties& penalties = search.penalties;
  penalties.p1 = static_cast<std::uint8_t>(options.p1);
  for (int step = 0; step < 256; ++step) {
    const int beyond_noise = std::max(0, step - 4);
    const int p2 = options.p2_width > 0
                       ? options.p2 * options.p2_width / (options.p2_width + beyond_noise)
                       : options.p2;
    penalties.p2[step] = static_cast<std::uint8_t>(std::max(std::min(options.p1 + 2, options.p2), p2));
  }
  return search;
}

// One call of match(): the stages in their order, on the workspace's memory.
template <class Pixel>
class Matcher::Run {
 public:
  Run(const Options& options, const Kernel& kernel, int width, int height, Workspace& workspace)
      : options_(options),
        kernel_(kernel),
        search_(make_search(width, height, options, kernel.lanes)),
        work_(allocated(workspace, search_, options)),
        left_image_(workspace.left_image, width, height),
        right_image_(workspace.right_image, width, height),
        left_smooth_(workspace.left_smooth, width, height),
        right_smooth_(workspace.right_smooth, width, height),
        row_cells_(std::size_t(width) * search_.cells) {}

  void operator()(ImageView<Pixel> left, ImageView<Pixel> right, float* disparity,
                  float* confidence, const Winners* winners, const GivenCodes* codes) {
    confidence_ = confidence;
    winners_ = winners;
    codes_ = codes;
    std::memset(work_.above.get(), 0, row_cells_);
    std::memset(work_.above_floor.get(), 0, search_.width);
    each_row([&](int y, Worker&) {
      left_image_.copy_row(left, y);
      right_image_.copy_row(right, y);
    });
    gain_ = gain_to_8_bits(left_image_, right_image_, search_.width, search_.height);
    each_row([&](int y, Worker&) {
      smooth(left_image_, left_smooth_, y);
      smooth(right_image_, right_smooth_, y);
    });
    if (options_.paths == 4) {
      describe_all();
      climb_all();
    }
    sweep();
    polish(disparity);
  }

 private:
  using Worker = Workspace::Worker;
  static constexpr bool kBytes = sizeof(Pixel) == 1;

  static Workspace& allocated(Workspace& workspace, const Search& search, const Options& options) {
    workspace.each_buffer(search, options, sizeof(Pixel),
                          [](auto& buffer, std::size_t count) { buffer.resize(count); });
    return workspace;
  }

  int strips() const { return (search_.width + kStripColumns - 1) / kStripColumns; }
  float* raw_row(int y) const {
    return work_.raw.get() + std::ptrdiff_t(raw_stride(search_.width)) * y + 1;
  }

  template <class Body>
  void each_row(const Body& body) {
    constexpr int kRows = 16;
    parallel_for(options_.threads, (search_.height + kRows - 1) / kRows, [&](int task, int worker) {
      for (int y = task * kRows; y < std::min(search_.height, (task + 1) * kRows); ++y)
        body(y, work_.workers[worker]);
    });
  }

  // Stage 0.
  void smooth(const PaddedImage<Pixel>& image, PaddedImage<std::uint16_t>& into, int y) const {
    const Pixel* rows[] = {image.clamped_row(y - 1), image.clamped_row(y), image.clamped_row(y + 1)};
    std::uint16_t* out = into.row(y);
    if constexpr (kBytes)
      kernel_.smooth_8(rows, search_.width, gain_, out);
    else
      kernel_.smooth_16(rows, search_.width, gain_, out);
    into.extend_row(y);
  }

  // Stage 1. Describes row y as the i-th one in `into`.
  template <class Descriptions>
  void describe(int y, Worker& worker, const Descriptions& into, int i) const {
    LeftPixel* left = left_row(into, i);
    std::uint8_t* right = right_row(into, i);
    constexpr int kRows = 2 * kWindowY + 1;
    const Pixel *left_rows[kRows], *right_rows[kRows];
    const std::uint16_t *left_smooth[kRows], *right_smooth[kRows];
    for (int k = 0; k < kRows; ++k) {
      left_rows[k] = left_image_.clamped_row(y + k - kWindowY);
      right_rows[k] = right_image_.clamped_row(y + k - kWindowY);
      left_smooth[k] = left_smooth_.clamped_row(y + k - kWindowY);
      right_smooth[k] = right_smooth_.clamped_row(y + k - kWindowY);
    }
    std::uint8_t* scratch = worker.scratch.get();
    if constexpr (kBytes) {
      kernel_.describe_left_8(search_, left_rows, left_smooth, gain_, scratch, left);
      kernel_.describe_right_8(search_, right_rows, right_smooth, gain_, scratch, right);
    } else {
      kernel_.describe_left_16(search_, left_rows, left_smooth, gain_, scratch, left);
      kernel_.describe_right_16(search_, right_rows, right_smooth, gain_, scratch, right);
    }
    if (codes_) {
      codes_->put_left(search_, y, left);
      codes_->put_right(search_, y, right);
    }
  }

  // The i-th row's description in the workspace, or in a worker.
  template <class Descriptions>
  LeftPixel* left_row(const Descriptions& in, int i) const {
    return in.left.get() + std::ptrdiff_t(search_.width) * i;
  }
  template <class Descriptions>
  std::uint8_t* right_row(const Descriptions& in, int i) const {
    return in.right.get() + std::ptrdiff_t(kPlanes) * search_.plane_stride * i;
  }
  template <class Descriptions>
  RowDescription description(const Descriptions& in, int i) const {
    return {left_row(in, i), right_row(in, i)};
  }

  void describe_all() {
    each_row([&](int y, Worker& worker) { describe(y, worker, work_, y); });
  }

  // Stage 2: the path from below. Checkpoint b is its state just below block b; the one past the
  // last block is the working state of the strips.
  PathRow checkpoint(int block) const {
    return {work_.climb.get() + row_cells_ * block,
            work_.climb_floor.get() + std::size_t(search_.width) * block};
  }

  void climb(int y, int begin, int end, PathRow from, PathRow to, const GatherRow* gather) const {
    const bool lowest = y + 1 == search_.height;
    kernel_.climb(search_, description(work_, y),
                  lowest ? nullptr : left_row(work_, y + 1), begin, end, from, to, gather);
  }

  void climb_all() {
    const int blocks = blocks_of(search_.height, kBlockRows);
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

  // Repeats the climb through one strip of a block, from its checkpoint, keeping what each row gathers.
  void climb_block(int block, int begin, int end, const Row* rows) const {
    const int top = block * kBlockRows;
    const PathRow state = checkpoint(block);
    for (int y = std::min(search_.height, top + kBlockRows) - 1; y >= top; --y)
      climb(y, begin, end, state, state, &rows[y - top].gather);
  }

  // Stage 3: the other paths. A block's strips follow close behind those of the block above.
  void sweep() {
    const int blocks = blocks_of(search_.height, block_rows(options_));
    std::vector<Progress> reached(blocks);
    parallel_for(options_.threads, blocks, [&](int block, int worker) {
      sweep_block(block, reached, work_.workers[worker]);
    });
  }

  void sweep_block(int block, std::vector<Progress>& reached, Worker& worker) const {
    const Reaching reaching(reached[block]);
    const bool climbs = options_.paths == 4;
    const int top = block * block_rows(options_);
    const int count = std::min(block_rows(options_), search_.height - top);
    const PathRow above{work_.above.get(), work_.above_floor.get()};
    Row rows[kBlockRows];
    for (int i = 0; i < count; ++i) rows[i] = start_row(top, i, worker);
    for (int begin = 0; begin < search_.width; begin += kStripColumns) {
      const int end = std::min(search_.width, begin + kStripColumns);
      if (climbs) climb_block(block, begin, end, rows);
      if (block > 0) reached[block - 1].wait_for(end);
      for (int i = 0; i < count; i += kTogether)
        kernel_.forward(search_, rows + i, std::min(kTogether, count - i), begin, end, climbs,
                        above);
      reached[block].reach(end);
    }
    for (int i = 0; i < count; i += kTogether) {
      const int together = std::min(kTogether, count - i);
      kernel_.backward(search_, rows + i, together);
      for (int j = i; j < i + together; ++j) finish(top + j, rows[j].winners, worker);
    }
  }

  // The i-th row of the block that begins at row `top`, before its first column.
  Row start_row(int top, int i, Worker& worker) const {
    Row row{};
    if (options_.paths == 4) {
      row.description = description(work_, top + i);
    } else {
      describe(top + i, worker, worker, i);
      row.description = description(worker, i);
    }
    row.gather = {worker.match.get() + i * row_cells_, worker.sum.get() + i * row_cells_};
    row.along = worker.along.get() + std::ptrdiff_t(i) * search_.cells;
    std::memset(row.along, 0, search_.cells);
    row.winners = winners_ ? *winners_ + std::ptrdiff_t(search_.width) * (top + i)
                           : winners_of(worker, i % kTogether);
    return row;
  }

  Winners winners_of(const Worker& worker, int row) const {
    const std::ptrdiff_t width = search_.width, plane = kTogether * width;
    return Winners::in(worker.winner_index.get(), worker.winner_costs.get(), plane) + row * width;
  }

  // Stage 5.
  void finish(int y, const Winners& winners, Worker& worker) const {
    float* row = raw_row(y);
    finish_row(search_, options_, winners, worker.finish, row,
               confidence_ + std::ptrdiff_t(search_.width) * y);
    row[-1] = row[0];  // for the median
    std::fill(row + search_.width, row + raw_stride(search_.width) - 1, row[search_.width - 1]);
  }

  // Stages 6 and 7: median, speckles.
  void polish(float* disparity) {
    const int height = search_.height;
    const bool speckles = options_.speckle_size_px > 0;
    const float range = float(options_.speckle_range_px);
    if (speckles) work_.speckles.resize(search_.width, height);
    each_row([&](int y, Worker& worker) {
      float* row = disparity + std::ptrdiff_t(search_.width) * y;
      if (options_.median)
        kernel_.median(raw_row(std::max(y - 1, 0)), raw_row(y), raw_row(std::min(y + 1, height - 1)),
                       search_.width, row);
      else
        std::copy(raw_row(y), raw_row(y) + search_.width, row);
      if (speckles) work_.speckles.find_runs(y, row, range, worker.scratch.get());
    });
    if (speckles) work_.speckles.join_rows(disparity, range);
    each_row([&](int y, Worker&) {
      float* row = disparity + std::ptrdiff_t(search_.width) * y;
      if (speckles) work_.speckles.remove(y, row, options_.speckle_size_px);
      deliver(row, confidence_ + std::ptrdiff_t(search_.width) * y);
    });
  }

  // Holes become NaN, without confidence; what the median put into one borrows it.
  void deliver(float* disparity, float* confidence) const {
    for (int x = 0; x < search_.width; ++x) {
      const bool hole = disparity[x] == kHole;
      const float known = confidence[x] == 0 ? kBorrowedConfidence : confidence[x];
      disparity[x] = hole ? std::numeric_limits<float>::quiet_NaN() : disparity[x];
      confidence[x] = hole ? 0.0f : known;
    }
  }

  const Options& options_;
  const Kernel& kernel_;
  const Search search_;
  Workspace& work_;
  PaddedImage<Pixel> left_image_, right_image_;
  PaddedImage<std::uint16_t> left_smooth_, right_smooth_;
  const std::size_t row_cells_;
  float gain_ = 1;
  float* confidence_ = nullptr;
  const Winners* winners_ = nullptr;
  const GivenCodes* codes_ = nullptr;
};

Matcher::Matcher(const Options& options)
    : options_(checked(options)), workspace_(std::make_unique<Workspace>()) {
  best_kernel();  // an impossible STEREO_SIMD is reported here
}

Matcher::~Matcher() = default;

template <class Pixel>
void Matcher::match(ImageView<Pixel> left, ImageView<Pixel> right, int width, int height,
                    float* disparity, float* confidence, const Winners* winners,
                    const GivenCodes* codes) {
  require(width > 0 && height > 0, "images must have at least one pixel");
  const std::lock_guard<std::mutex> lock(busy_);
  Run<Pixel>(options_, best_kernel(), width, height, *workspace_)(left, right, disparity,
                                                                  confidence, winners, codes);
}

template void Matcher::match(ImageView<std::uint8_t>, ImageView<std::uint8_t>, int, int, float*,
                             float*, const Winners*, const GivenCodes*);
template void Matcher::match(ImageView<std::uint16_t>, ImageView<std::uint16_t>, int, int, float*,
                             float*, const Winners*, const GivenCodes*);

std::size_t memory_bytes(int width, int height, const Options& options, int bytes_per_pixel) {
  require(width > 0 && height > 0, "images must have at least one pixel");
  require(bytes_per_pixel == 1 || bytes_per_pixel == 2, "bytes_per_pixel must be 1 or 2");
  std::size_t bytes = 0;
  Workspace().each_buffer(make_search(width, height, checked(options), best_kernel().lanes), options,
                          bytes_per_pixel, [&](const auto& buffer, std::size_t count) {
                            bytes += count * buffer.kElementBytes;
                          });
  return bytes;
}

}  // namespace stereo
