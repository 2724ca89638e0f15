#include "doubt.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "matcher.hpp"
#include "parallel.hpp"

namespace stereo {
namespace {

constexpr int kStep = 3;                    // of the coarse grid, in pixels
constexpr float kPerPx = 8, kPerContrast = 64;
constexpr int kPerGray = 4, kFaint = 8;     // kFaint: in the levels of kPerGray
constexpr int kMean = 10, kFar = 5;         // reach of the mean and of the steps, in coarse pixels
constexpr int kBand = 16;                   // coarse rows of one task
constexpr std::int16_t kLowest = -32768, kHighest = 32767;  // of the levels, which begin at kLowest

// The nearest whole number, the even one of two; below 2^22.
float rounded(float value) {
  constexpr float kMagic = 12582912;  // 1.5 * 2^23: there floats are whole numbers
  return (value + kMagic) - kMagic;
}

// Mirrored at the middle of the first and of the last one.
int mirrored(int i, int count) {
  if (count == 1) return 0;
  while (i < 0 || i >= count) i = i < 0 ? -i : 2 * count - 2 - i;
  return i;
}

// A row with so many mirrored values before and behind it.
template <class T>
const T* mirrored_row(const T* row, int width, int reach, std::vector<T>& memory) {
  memory.resize(width + 2 * reach);
  std::copy(row, row + width, memory.begin() + reach);
  for (int k = 1; k <= reach; ++k) {
    memory[reach - k] = row[mirrored(-k, width)];
    memory[reach + width - 1 + k] = row[mirrored(width - 1 + k, width)];
  }
  return memory.data() + reach;
}

class Judge {
 public:
  Judge(const FinishedMap& map, const DoubtPoints& points, int threads)
      : map_(map),
        points_(points),
        threads_(threads),
        width_((map.width + kStep - 1) / kStep),
        height_((map.height + kStep - 1) / kStep),
        lowest_(height_),
        table_(points) {
    const std::size_t size = std::size_t(width_) * height_;
    px_.resize(size);
    for (auto* bytes : {&own_, &off_mean_, &contrast_}) bytes->resize(size);
    for (auto* words : {&off_, &here_, &off_sums_, &here_sums_, &level_, &nearest_, &near_, &far_})
      words->resize(size);
  }

  void run(float* confidence) {
    bands([&](int first, int end, Memory& memory) {
      for (int y = first; y < end; ++y) look(y, memory);
    });
    const float lowest = *std::min_element(lowest_.begin(), lowest_.end());
    bands([&](int first, int end, Memory& memory) {
      compare(first, end, memory);
      for (int y = first; y < end; ++y) find_extremes(y, lowest, memory);
    });
    bands([&](int first, int end, Memory& memory) {
      for (int y = first; y < end; ++y) finish(y, memory, confidence);
    });
  }

 private:
  struct Memory {  // of one task
    std::vector<float> confidence;
    std::vector<std::int16_t> words;
    std::vector<std::uint16_t> columns;
    std::vector<std::uint8_t> own, clues;
    std::vector<std::int32_t> sums, wide;
  };

  // The probability of each sum of the points of all clues, as one table: the clue kOwn of a pixel
  // chooses the part for pixels, for those of planes or for holes.
  struct Table {
    explicit Table(const DoubtPoints& points) {
      int low = points.start, high = points.start;
      for (int clue = 0; clue < kClues; ++clue) {
        const std::int16_t* row = points.points + 256 * clue;
        std::copy(row, row + 256, worth[clue]);
        const auto [least, most] = std::minmax_element(row, row + 256);
        low += *least, high += *most;
      }
      const int size = high - low + 1;
      values.resize(3 * std::size_t(size));
      for (int i = 0; i < size; ++i) {
        values[i] = points.probability[std::clamp(low + i, 0, 255)];
        values[size + i] = std::min(values[i], points.plane_at_most);
        values[2 * size + i] = 0;
      }
      for (int level = 0; level < 256; ++level)
        worth[kOwn][level] += (level == 0 ? 2 : level == points.plane ? 1 : 0) * size - low;
    }
    std::int32_t worth[kClues][256];
    std::vector<float> values;
  };

  // Calls body(first, end, memory) for bands of coarse rows.
  template <class Body>
  void bands(const Body& body) const {
    parallel_for(threads_, (height_ + kBand - 1) / kBand, [&](int band, int) {
      Memory memory;
      body(band * kBand, std::min(height_, (band + 1) * kBand), memory);
    });
  }
  template <class T>
  T* at(std::vector<T>& plane, int y) const {
    return plane.data() + std::size_t(width_) * y;
  }

  // What is known at each pixel of the coarse row y, and the sums of 21 columns.
  void look(int y, Memory& memory) {
    const std::size_t row = std::size_t(kStep) * y * map_.width;
    memory.confidence.resize(width_);
    float *px = at(px_, y), *confidence = memory.confidence.data();
    for (int x = 0; x < width_; ++x) {
      px[x] = map_.px[row + kStep * x];
      confidence[x] = map_.confidence[row + kStep * x];
    }
    std::uint8_t* own = at(own_, y);
    rows_.own_levels(px, confidence, width_, own);
    std::int16_t *off = at(off_, y), *here = at(here_, y);
    float lowest = std::numeric_limits<float>::infinity();
    for (int x = 0; x < width_; ++x) {
      px[x] = own[x] ? px[x] : 0;
      lowest = std::min(lowest, px[x]);
      here[x] = map_.left[row + kStep * x];
      off[x] = static_cast<std::int16_t>(here[x] - partner(row, float(kStep * x) - px[x]));
    }
    lowest_[y] = lowest;
    add_along(off, at(off_sums_, y), memory);
    add_along(here, at(here_sums_, y), memory);
  }

  // The right image at a column between its pixels; its border is repeated.
  int partner(std::size_t row, float column) const {
    const float inside = std::min(std::max(column, 0.0f), float(map_.width - 1));
    const int x = static_cast<int>(inside);
    const std::uint8_t* right = map_.right + row;
    const int one = right[x], next = right[std::min(x + 1, map_.width - 1)];
    return static_cast<int>(rounded(float(one) + (inside - float(x)) * float(next - one)));
  }

  void add_along(const std::int16_t* row, std::int16_t* sums, Memory& memory) const {
    std::vector<std::int16_t>& wide = memory.words;
    wide.resize(width_ + 2 * kMean);
    std::copy(row, row + width_, wide.begin() + kMean);
    for (int k = 1; k <= kMean; ++k) {
      wide[kMean - k] = row[mirrored(-k, width_)];
      wide[kMean + width_ - 1 + k] = row[mirrored(width_ - 1 + k, width_)];
    }
    rows_.add_along(wide.data(), 2 * kMean + 1, width_, sums);
  }

  // How far the images, and their difference, are from the mean of 21x21, in some coarse rows.
  void compare(int first, int end, Memory& memory) {
    without_mean(off_, off_sums_, first, end, memory, off_mean_);
    without_mean(here_, here_sums_, first, end, memory, contrast_);
    const std::uint8_t* own = at(own_, first);
    std::uint8_t* off = at(off_mean_, first);
    for (std::ptrdiff_t i = 0; i < std::ptrdiff_t(width_) * (end - first); ++i)
      off[i] = own[i] ? off[i] : 0;
  }
  void without_mean(std::vector<std::int16_t>& plane, std::vector<std::int16_t>& sums, int first,
                    int end, Memory& memory, std::vector<std::uint8_t>& out) {
    constexpr float kShare = 1.0f / ((2 * kMean + 1) * (2 * kMean + 1));
    memory.words.assign(width_, 0);
    memory.sums.assign(width_, 0);
    const std::int16_t* lost = memory.words.data();  // nothing at first
    for (int y = first - kMean; y < end + kMean; ++y) {
      if (y > first + kMean) lost = at(sums, mirrored(y - 2 * kMean - 1, height_));
      rows_.move_window(at(sums, mirrored(y, height_)), lost, width_, memory.sums.data());
      const int middle = y - kMean;
      if (middle >= first)
        rows_.off_mean(at(plane, middle), memory.sums.data(), kShare, kPerGray, width_,
                       at(out, middle));
    }
  }

  // The levels of the coarse row y, and their extremes along it; holes count for none.
  void find_extremes(int y, float lowest, Memory& memory) {
    const std::int16_t* level = at(level_, y);
    rows_.map_levels(at(px_, y), lowest, kPerPx, width_, at(level_, y));
    const auto extremes = [&](int reach, std::int16_t neutral, auto join, std::int16_t* out) {
      memory.words.assign(width_ + 2 * reach, neutral);
      rows_.replace_holes(level, at(own_, y), neutral, width_, memory.words.data() + reach);
      std::fill(out, out + width_, neutral);
      for (int k = 0; k <= 2 * reach; ++k) join(memory.words.data() + k, width_, out);
    };
    extremes(kFar, kLowest, rows_.higher_of, at(nearest_, y));
    extremes(1, kHighest, rows_.lower_of, at(near_, y));
    extremes(kFar, kHighest, rows_.lower_of, at(far_, y));
  }

  // The extreme of the rows around y.
  template <class Join>
  const std::int16_t* extreme(std::vector<std::int16_t>& along, int y, int reach, Join join,
                              Memory& memory) const {
    memory.words.assign(at(along, y), at(along, y) + width_);
    for (int k = std::max(y - reach, 0); k <= std::min(y + reach, height_ - 1); ++k)
      join(at(along, k), width_, memory.words.data());
    return memory.words.data();
  }

  void blur(std::vector<std::uint8_t>& plane, int y, Memory& memory, std::uint8_t* out) const {
    memory.columns.resize(width_ + 2);
    std::uint16_t* columns = memory.columns.data() + 1;
    rows_.add_rows(at(plane, mirrored(y - 1, height_)), at(plane, y),
                   at(plane, mirrored(y + 1, height_)), width_, columns);
    columns[-1] = columns[mirrored(-1, width_)];
    columns[width_] = columns[mirrored(width_, width_)];
    rows_.mean_of_nine(columns, width_, out);
  }

  // The clues of the coarse row y, and with them the confidence of the rows of the image.
  void finish(int y, Memory& memory, float* confidence) {
    memory.clues.resize(std::size_t(kClues) * width_);
    const auto clue = [&](int which) { return memory.clues.data() + std::size_t(width_) * which; };
    blur(own_, y, memory, clue(kAround));
    blur(off_mean_, y, memory, clue(kDiffer));
    blur(contrast_, y, memory, clue(kUnlike));
    rows_.unlikeness(clue(kDiffer), clue(kUnlike), kFaint, kPerContrast, width_, clue(kUnlike));
    const std::int16_t* level = at(level_, y);
    const std::uint8_t* own = at(own_, y);
    rows_.step_between(extreme(far_, y, kFar, rows_.lower_of, memory), level, own, width_,
                       clue(kDrop));
    rows_.step_between(extreme(near_, y, 1, rows_.lower_of, memory), level, own, width_,
                       clue(kDropNear));
    rows_.step_between(level, extreme(nearest_, y, kFar, rows_.higher_of, memory), own, width_,
                       clue(kRise));
    memory.sums.assign(width_, points_.start);
    for (int which = kAround; which < kClues; ++which)
      rows_.add_worth(clue(which), table_.worth[which], width_, memory.sums.data());
    spread(y, memory, confidence);
  }

  // To the rows of the image.
  void spread(int y, Memory& memory, float* confidence) const {
    memory.wide.resize(std::size_t(kStep) * width_);
    for (int x = 0; x < width_; ++x)
      for (int k = 0; k < kStep; ++k) memory.wide[kStep * x + k] = memory.sums[x];
    memory.own.resize(map_.width);
    for (int row = kStep * y; row < std::min(kStep * (y + 1), map_.height); ++row) {
      const std::size_t begin = std::size_t(row) * map_.width;
      rows_.own_levels(map_.px + begin, map_.confidence + begin, map_.width, memory.own.data());
      rows_.look_up(memory.own.data(), memory.wide.data(), table_.worth[kOwn], table_.values.data(),
                    map_.width, confidence + begin);
    }
  }

  const DoubtRows& rows_ = best_kernel().doubt;
  const FinishedMap& map_;
  const DoubtPoints& points_;
  const int threads_, width_, height_;
  std::vector<float> px_, lowest_;
  std::vector<std::uint8_t> own_, off_mean_, contrast_;
  std::vector<std::int16_t> off_, here_, off_sums_, here_sums_;  // of the images and their difference
  std::vector<std::int16_t> level_, nearest_, near_, far_;       // of the map; extremes along rows
  const Table table_;
};

}  // namespace

void judge(const FinishedMap& map, const DoubtPoints& points, int threads, float* confidence) {
  Judge(map, points, threads).run(confidence);
}

}  // namespace stereo
