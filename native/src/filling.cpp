#include "filling.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "parallel.hpp"

namespace stereo {
namespace {

// The price of a path, in sixteenths: of a step to the side and of one aslant, of a gray level between
// two neighbours beyond the first ones, and of a step of a surface nearer than its surroundings.
constexpr int kStep = 8, kAslant = 11, kLevel = 16, kFreeLevels = 2;
constexpr int kNearer = 320, kNearerAslant = 452;
constexpr float kNearerPx = 3;  // than both ends of the hole's row
constexpr int kFar = std::numeric_limits<int>::max() / 2;

// The slope of a surface: from every eighth pixel that is as far and looks alike, within 40 px. A
// steeper one is no surface but an edge, and few pixels say little of a slope.
constexpr int kSpacing = 8, kReach = 5;
constexpr float kSteepest = 0.3f, kRoughPx = 1;
constexpr double kAlikeLevels = 20, kCautionPx2 = 500;
// It is continued no farther than this, and by no more: then the surface goes on level.
constexpr float kContinuedPx = 32, kMostPx = 10;
constexpr float kSettledPx = 8;  // how far a pixel's own deviation from its surroundings fades

struct Slope {
  float across, down;  // px of disparity per px
  float offset;        // of the surface's level above the pixel itself
};

class Filling {
 public:
  Filling(const HoleyMap& map, int threads)
      : map_(map),
        threads_(threads),
        pitch_(map.width + 2),
        reached_(std::size_t(pitch_) * (map.height + 2), Reached{kFar, -1}) {
    for (int y = 0; y < map.height; ++y) {
      first_.push_back(holes_.size());
      prepare_row(y);
    }
    first_.push_back(holes_.size());
  }

  void run(float* out) {
    // over the image and back; a second time would change nothing that can be measured
    sweep<-1>();
    sweep<1>();
    std::copy(map_.px, map_.px + std::size_t(map_.width) * map_.height, out);
    measure_slopes();
    parallel_for(threads_, map_.height, [&](int y, int) {
      for (std::size_t k = first_[y]; k < first_[y + 1]; ++k)
        if (const int source = reached_[holes_[k].padded].source; source >= 0)
          out[holes_[k].pixel] = continued(source, holes_[k].pixel);
    });
  }

 private:
  struct Hole {
    int pixel, padded;  // its index in the map, and in the array with a border
    float farther;      // nearer disparities than this pay more
  };
  struct Reached {
    int cost, source;
  };

  int padded(int x, int y) const { return (y + 1) * pitch_ + x + 1; }

  // Known pixels cost nothing; holes know what lies farther at the ends of their row.
  void prepare_row(int y) {
    const float* row = map_.px + std::size_t(y) * map_.width;
    for (int x = 0; x < map_.width; ++x) {
      if (!std::isnan(row[x])) {
        reached_[padded(x, y)] = {0, y * map_.width + x};
        continue;
      }
      const int first = x;
      while (x + 1 < map_.width && std::isnan(row[x + 1])) ++x;
      // where a hole begins or ends at the border, nothing is known of what is behind
      const bool between = first > 0 && x + 1 < map_.width;
      const float farther = between ? std::min(row[first - 1], row[x + 1]) + kNearerPx
                                    : std::numeric_limits<float>::infinity();
      for (int i = first; i <= x; ++i)
        holes_.push_back({y * map_.width + i, padded(i, y), farther});
    }
  }

  // Row after row, downwards (kSide = -1: from the row above) or upwards; each keeps behind the one
  // before, so that the result is that of one thread.
  template <int kSide>
  void sweep() {
    constexpr int kLead = 32;  // pixels: how rarely a row tells how far it has come
    std::vector<Progress> done(map_.height);
    parallel_for(threads_, map_.height, [&](int task, int) {
      const int y = kSide < 0 ? task : map_.height - 1 - task;
      const Reaching reaching(done[task]);
      const int count = int(first_[y + 1] - first_[y]);
      int awaited = 0, told = 0;
      for (int k = 0; k < count; ++k) {
        const Hole& hole = holes_[kSide < 0 ? first_[y] + k : first_[y + 1] - 1 - k];
        const int column = hole.pixel - y * map_.width;
        const int way = kSide < 0 ? column : map_.width - 1 - column;
        if (task > 0 && way + 2 > awaited) {
          awaited = way + 2 + kLead;
          done[task - 1].wait_for(std::min(awaited, map_.width));
        }
        relax<kSide>(hole);
        if (way + 1 >= told + kLead) done[task].reach(told = way + 1);
      }
    });
  }

  // From the four neighbours that were visited before.
  template <int kSide>
  void relax(const Hole& hole) {
    relax_from(hole, kSide, kSide, kStep, kNearer);
    relax_from(hole, kSide * map_.width, kSide * pitch_, kStep, kNearer);
    relax_from(hole, kSide * (map_.width + 1), kSide * (pitch_ + 1), kAslant, kNearerAslant);
    relax_from(hole, kSide * (map_.width - 1), kSide * (pitch_ - 1), kAslant, kNearerAslant);
  }
  void relax_from(const Hole& hole, int to_pixel, int to_padded, int step, int nearer) {
    const Reached there = reached_[hole.padded + to_padded];
    Reached& here = reached_[hole.padded];
    int cost = there.cost + step;
    if (cost >= here.cost) return;  // beyond the border too
    cost += kLevel * std::max(0, color_step(hole.pixel, hole.pixel + to_pixel) - kFreeLevels);
    if (map_.px[there.source] > hole.farther) cost += nearer;
    if (cost < here.cost) here = {cost, there.source};
  }

  // The largest of the channels' differences.
  int color_step(int one, int other) const {
    const std::uint8_t* a = map_.color + std::size_t(one) * map_.channels;
    const std::uint8_t* b = map_.color + std::size_t(other) * map_.channels;
    int step = 0;
    for (int c = 0; c < map_.channels; ++c) step = std::max(step, std::abs(int(a[c]) - int(b[c])));
    return step;
  }

  // One slope for each square of the map from which surfaces are continued, at the first such pixel.
  void measure_slopes() {
    squares_ = (map_.width + kSpacing - 1) / kSpacing;
    slopes_.resize(std::size_t(squares_) * ((map_.height + kSpacing - 1) / kSpacing));
    std::vector<std::uint8_t> seen(slopes_.size());
    std::vector<int> sources;
    for (const Hole& hole : holes_) {
      const int source = reached_[hole.padded].source;
      if (source < 0 || seen[square(source)]) continue;
      seen[square(source)] = 1;
      sources.push_back(source);
    }
    constexpr int kBatch = 64;
    const int count = int(sources.size());
    parallel_for(threads_, (count + kBatch - 1) / kBatch, [&](int batch, int) {
      for (int k = batch * kBatch; k < std::min(count, (batch + 1) * kBatch); ++k)
        slopes_[square(sources[k])] = slope_at(sources[k] % map_.width, sources[k] / map_.width);
    });
  }
  std::size_t square(int pixel) const {
    return std::size_t(pixel / map_.width / kSpacing) * squares_ + pixel % map_.width / kSpacing;
  }

  float continued(int source, int pixel) const {
    const Slope& slope = slopes_[square(source)];
    const float dx = float(pixel % map_.width - source % map_.width);
    const float dy = float(pixel / map_.width - source / map_.width);
    const float way = std::sqrt(dx * dx + dy * dy);
    const float risen = (slope.across * dx + slope.down * dy) * std::min(1.0f, kContinuedPx / way) +
                        slope.offset * std::min(1.0f, way / kSettledPx);
    return map_.px[source] + std::clamp(risen, -kMostPx, kMostPx);
  }

  Slope slope_at(int x0, int y0) const {
    const int here = y0 * map_.width + x0;
    const float d0 = map_.px[here];
    double w = 0, wx = 0, wy = 0, wd = 0, wxx = 0, wxy = 0, wyy = 0, wxd = 0, wyd = 0;
    for (int j = -kReach; j <= kReach; ++j)
      for (int i = -kReach; i <= kReach; ++i) {
        const int dx = kSpacing * i, dy = kSpacing * j, x = x0 + dx, y = y0 + dy;
        if (x < 0 || y < 0 || x >= map_.width || y >= map_.height) continue;
        const int there = y * map_.width + x;
        const float risen = map_.px[there] - d0;
        const float steepest = kSteepest * float(std::max(std::abs(dx), std::abs(dy)));
        if (!(std::abs(risen) <= kRoughPx + steepest)) continue;  // a hole as well
        const double unlike = color_step(here, there) / kAlikeLevels;
        const double weight = map_.confidence[there] / (1 + unlike * unlike);
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
  const int threads_, pitch_;
  std::vector<Reached> reached_;  // with a border of one pixel that no path comes from
  std::vector<Hole> holes_;
  std::vector<std::size_t> first_;  // hole of each row, and where the last one ends
  std::vector<Slope> slopes_;
  int squares_ = 0;  // of a row
};

}  // namespace

void fill_holes(const HoleyMap& map, int threads, float* out) { Filling(map, threads).run(out); }

}  // namespace stereo
