#include "filling.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

#include "buffer.hpp"
#include "color_planes.hpp"

namespace stereo {
namespace {

constexpr float kNearerPx = 3;  // than both ends of the hole's row: pays more

// The slope of a surface: from every eighth pixel that is as far and looks alike, within 40 px. A
// steeper one is no surface but an edge, and few pixels say little of a slope.
constexpr int kSpacing = 8, kReach = 5;
constexpr float kSteepest = 0.3f, kRoughPx = 1;
constexpr double kAlikeLevels = 20, kCautionPx2 = 500;
// It is continued no farther than this, and by no more: then the surface goes on level.
constexpr float kContinuedPx = 32, kMostPx = 10;
constexpr float kSettledPx = 8;  // how far a pixel's own deviation from its surroundings fades

// By how much a difference in color lessens the weight of a pixel.
struct Unlike {
  double by_step[256];
  Unlike() {
    for (int step = 0; step < 256; ++step) {
      const double unlike = step / kAlikeLevels;
      by_step[step] = 1 + unlike * unlike;
    }
  }
  double operator[](int step) const { return by_step[step]; }
};
const Unlike kUnlike;

struct Slope {
  float across, down;  // px of disparity per px
  float offset;        // of the surface's level above the pixel itself
};

// The rows' runs of holes, and how each of them is reached.
class Filling {
 public:
  Filling(const HoleyMap& map, int threads)
      : map_(map),
        threads_(threads),
        rows_(best_kernel().fill),
        colors_(map.color, map.channels, map.width, map.height, threads),
        first_(map.height + 1) {
    find_runs();
    for (auto* memory : {&cost_, &source_}) memory->resize(holes_);
    std::fill_n(cost_.get(), holes_, kFillFar);
    std::fill_n(source_.get(), holes_, -1);
  }

  void run(float* out) {
    // over the image and back; a second time would change nothing that can be measured
    sweep<-1>();
    sweep<1>();
    measure_slopes();
    each_rows(map_.height, threads_, [&](int y) {
      const std::size_t row = std::size_t(y) * map_.width;
      std::copy(map_.px + row, map_.px + row + map_.width, out + row);
      for (std::size_t k = first_[y]; k < first_[y + 1]; ++k) continue_into(runs_[k], out + row);
    });
  }

 private:
  struct Run {
    int y, begin, end;  // columns
    float farther;      // nearer disparities than this pay more
    int hole;           // which hole the first one is
  };

  void find_runs() {
    std::vector<std::vector<Run>> found(map_.height);
    bands(map_.height, threads_, [&](int first, int end) {
      std::vector<std::uint8_t> unknown(map_.width + 8, 0);
      for (int y = first; y < end; ++y) {
        rows_.find_holes(map_.px + std::size_t(y) * map_.width, map_.width, unknown.data());
        find_runs(y, unknown.data(), found[y]);
      }
    });
    for (int y = 0; y < map_.height; ++y) {
      first_[y] = runs_.size();
      for (Run run : found[y]) {
        run.hole = holes_;
        holes_ += run.end - run.begin;
        runs_.push_back(run);
      }
    }
    first_[map_.height] = runs_.size();
  }
  // `unknown` has eight more bytes, which are zero.
  void find_runs(int y, const std::uint8_t* unknown, std::vector<Run>& found) const {
    const float* px = map_.px + std::size_t(y) * map_.width;
    for (int x = 0; x < map_.width;) {
      std::uint64_t eight;
      std::memcpy(&eight, unknown + x, sizeof eight);
      if (eight == 0) {
        x += 8;
        continue;
      }
      if (!unknown[x]) {
        ++x;
        continue;
      }
      const int begin = x;
      while (unknown[x]) ++x;
      // where a hole begins or ends at the border, nothing is known of what is behind
      const float farther = begin > 0 && x < map_.width
                                ? std::min(px[begin - 1], px[x]) + kNearerPx
                                : std::numeric_limits<float>::infinity();
      found.push_back({y, begin, x, farther, 0});
    }
  }

  // One row, with a pixel beyond each end from which no path comes.
  struct RowState {
    Buffer<std::int32_t> whole;
    Buffer<float> real;
    Reached reached;
    explicit RowState(int width) {
      const int pitch = width + 2 + kVectorSlack;
      whole.resize(2 * pitch), real.resize(pitch);
      std::fill_n(whole.get(), pitch, kFillFar);
      std::fill_n(whole.get() + pitch, pitch, -1);
      std::fill_n(real.get(), pitch, 0.0f);
      reached = {whole.get() + 1, whole.get() + pitch + 1, real.get() + 1};
    }
  };

  // Row after row, downwards (kSide = -1: from the row above) or upwards. The ways from the row beside
  // are found for all pixels of a few runs at once; then what comes along the row itself.
  template <int kSide>
  void sweep() {
    RowState one(map_.width), other(map_.width);
    Reached here = one.reached, beside = other.reached;
    RowMemory memory(map_.width);
    for (int k = 0; k < map_.height; ++k) {
      const int y = kSide < 0 ? k : map_.height - 1 - k;
      for (std::size_t first = first_[y], last; first < first_[y + 1]; first = last) {
        last = first + 1;
        while (last < first_[y + 1] && runs_[last].begin - runs_[last - 1].end <= kTogetherPx) ++last;
        const Span span{y, runs_[first].begin, runs_[last - 1].end};
        for (std::size_t i = first; i < last; ++i)
          std::fill(memory.farther.begin() + runs_[i].begin, memory.farther.begin() + runs_[i].end,
                    runs_[i].farther);
        from_beside<kSide>(span, k > 0, beside, here, memory);
        for (std::size_t i = first; i < last; ++i) along<kSide>(runs_[i], memory.dear[0].data(), here);
      }
      std::swap(here, beside);
    }
  }
  static constexpr int kTogetherPx = 32;  // known pixels between runs that are worked on together
  struct Span {
    int y, begin, end;
  };
  struct RowMemory {
    std::vector<std::int32_t> dear[4];  // steps of color: along the row, to the row beside, and aslant
    std::vector<float> farther;
    explicit RowMemory(int width) : farther(width + kVectorSlack) {
      for (auto& one : dear) one.resize(width + kVectorSlack);
    }
  };

  template <int kSide>
  void from_beside(const Span& span, bool any, Reached beside, Reached here, RowMemory& memory) {
    const std::ptrdiff_t width = map_.width, size = width * map_.height;
    const std::ptrdiff_t away[] = {kSide, kSide * width, kSide * (width + 1), kSide * (width - 1)};
    for (int i = 0; i < (any ? 4 : 1); ++i) {
      // what lies beyond a row's end is on another row, or nowhere: those ways cost too much anyway
      const std::ptrdiff_t row = width * span.y, there = row + away[i];
      const int begin = std::max<int>(span.begin, int(-there));
      const int end = std::min<int>(span.end, int(size - there));
      rows_.step_prices(colors_[0] + row + begin, colors_[0] + there + begin, map_.channels,
                        colors_.apart(), end - begin, memory.dear[i].data() + begin);
    }
    if (!any) return std::fill(here.cost + span.begin, here.cost + span.end, kFillFar);
    const int y = span.y + kSide;
    rows_.reach_known(map_.px + width * y, int(width) * y, std::max(span.begin - 1, 0),
                      std::min(span.end + 1, map_.width), beside);
    const std::int32_t* dear[3];
    for (int i = 0; i < 3; ++i) dear[i] = memory.dear[i + 1].data();
    rows_.reach(beside, dear, kSide, memory.farther.data(), span.begin, span.end, here);
    here.cost[width] = kFillFar;  // a vector may have gone there
  }

  // From the pixel beside, which was visited before, and as it was.
  template <int kSide>
  void along(const Run& run, const std::int32_t* dear, Reached here) {
    const std::ptrdiff_t row = std::ptrdiff_t(run.y) * map_.width;
    const int count = run.end - run.begin;
    const int before = kSide < 0 ? run.begin - 1 : run.end;
    const bool known = before >= 0 && before < map_.width;
    std::int32_t cost = known ? 0 : kFillFar, source = known ? int(row) + before : -1;
    float px = known ? map_.px[row + before] : 0;
    for (int i = 0; i < count; ++i) {
      const int k = kSide < 0 ? i : count - 1 - i, x = run.begin + k;
      cost += kFillStep + dear[x];
      if (px > run.farther) cost += kFillNearer;
      const std::int32_t was = cost_.get()[run.hole + k];
      if (cost >= was) {
        cost = was, source = source_.get()[run.hole + k];
        px = source < 0 ? 0 : map_.px[source];
      }
      if (here.cost[x] < cost) cost = here.cost[x], source = here.source[x], px = here.px[x];
      here.cost[x] = cost_.get()[run.hole + k] = cost;
      here.source[x] = source_.get()[run.hole + k] = source;
      here.px[x] = px;
    }
  }

  // One slope for each square of the map from which surfaces are continued, at the first such pixel.
  void measure_slopes() {
    squares_ = (map_.width + kSpacing - 1) / kSpacing;
    slopes_.resize(std::size_t(squares_) * ((map_.height + kSpacing - 1) / kSpacing));
    std::vector<std::uint8_t> seen(slopes_.size());
    std::vector<int> sources;
    int last = -1;
    for (int hole = 0; hole < holes_; ++hole) {
      const int source = source_.get()[hole];
      if (source < 0 || source == last) continue;
      last = source;
      if (seen[square(source)]) continue;
      seen[square(source)] = 1;
      sources.push_back(source);
    }
    const auto slope = map_.channels == 3 ? &Filling::slope_at<3> : &Filling::slope_at<1>;
    constexpr int kBatch = 64;
    const int count = int(sources.size());
    parallel_for(threads_, (count + kBatch - 1) / kBatch, [&](int batch, int) {
      for (int k = batch * kBatch; k < std::min(count, (batch + 1) * kBatch); ++k)
        slopes_[square(sources[k])] = (this->*slope)(sources[k] % map_.width, sources[k] / map_.width);
    });
  }
  std::size_t square(int pixel) const {
    return std::size_t(pixel / map_.width / kSpacing) * squares_ + pixel % map_.width / kSpacing;
  }

  void continue_into(const Run& run, float* row) const {
    int last = -1, from_x = 0, from_y = 0;
    Slope slope{};
    for (int x = run.begin; x < run.end; ++x) {
      const int source = source_.get()[run.hole + x - run.begin];
      if (source < 0) continue;
      if (source != last) {
        last = source, from_x = source % map_.width, from_y = source / map_.width;
        slope = slopes_[square(source)];
      }
      const float dx = float(x - from_x), dy = float(run.y - from_y);
      const float way = std::sqrt(dx * dx + dy * dy);
      const float risen =
          (slope.across * dx + slope.down * dy) * std::min(1.0f, kContinuedPx / way) +
          slope.offset * std::min(1.0f, way / kSettledPx);
      row[x] = map_.px[source] + std::clamp(risen, -kMostPx, kMostPx);
    }
  }

  template <int kChannels>
  Slope slope_at(int x0, int y0) const {
    const int here = y0 * map_.width + x0;
    const float d0 = map_.px[here];
    const int left = std::min(kReach, x0 / kSpacing), above = std::min(kReach, y0 / kSpacing);
    const int right = std::min(kReach, (map_.width - 1 - x0) / kSpacing);
    const int below = std::min(kReach, (map_.height - 1 - y0) / kSpacing);
    int color[kChannels];
    for (int c = 0; c < kChannels; ++c) color[c] = colors_[c][here];
    double w = 0, wx = 0, wy = 0, wd = 0, wxx = 0, wxy = 0, wyy = 0, wxd = 0, wyd = 0;
    for (int j = -above; j <= below; ++j)
      for (int i = -left; i <= right; ++i) {
        const int dx = kSpacing * i, dy = kSpacing * j;
        const std::ptrdiff_t there = here + std::ptrdiff_t(dy) * map_.width + dx;
        const float risen = map_.px[there] - d0;
        const float steepest = kSteepest * float(std::max(std::abs(dx), std::abs(dy)));
        if (!(std::abs(risen) <= kRoughPx + steepest)) continue;  // a hole as well
        int step = 0;  // the largest of the channels' differences
        for (int c = 0; c < kChannels; ++c)
          step = std::max(step, std::abs(color[c] - int(colors_[c][there])));
        const double weight = map_.confidence[there] / kUnlike[step];
        w += weight, wx += weight * dx, wy += weight * dy, wd += weight * risen;
        wxx += weight * dx * dx, wxy += weight * dx * dy, wyy += weight * dy * dy;
        wxd += weight * dx * risen, wyd += weight * dy * risen;
      }
    if (!(w > 1e-3)) return {0, 0, 0};
    const double mx = wx / w, my = wy / w, md = wd / w;
    const double xx = wxx - w * mx * mx + kCautionPx2, yy = wyy - w * my * my + kCautionPx2;
    const double xy = wxy - w * mx * my, xd = wxd - w * mx * md, yd = wyd - w * my * md;
    const double determinant = xx * yy - xy * xy;
    const double across = (xd * yy - yd * xy) / determinant, down = (yd * xx - xd * xy) / determinant;
    const double offset = std::clamp(md - across * mx - down * my, -1.0, 1.0);
    return {float(across), float(down), float(offset)};
  }

  const HoleyMap& map_;
  const int threads_;
  const FillRows& rows_;
  const ColorPlanes colors_;
  std::vector<Run> runs_;
  std::vector<std::size_t> first_;       // run of each row, and where the last one ends
  int holes_ = 0;
  Buffer<std::int32_t> cost_, source_;   // of each hole
  std::vector<Slope> slopes_;
  int squares_ = 0;  // of a row
};

}  // namespace

void fill_holes(const HoleyMap& map, int threads, float* out) { Filling(map, threads).run(out); }

}  // namespace stereo
