#include "planes.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace stereo {
namespace {

// Draws matches by their weight: the inverse of the cumulative weight, with a table of where to begin.
class Lottery {
 public:
  explicit Lottery(const PlaneMatches& matches) : until_(matches.count), first_(kBuckets) {
    double sum = 0;
    for (int i = 0; i < matches.count; ++i) until_[i] = sum += matches.weight[i];
    for (int bucket = 0, i = 0; bucket < kBuckets; ++bucket) {
      while (i + 1 < matches.count && until_[i] < sum * bucket / kBuckets) ++i;
      first_[bucket] = i;
    }
  }
  int operator()(double chance) const {
    const double wanted = chance * until_.back();
    int i = first_[int(chance * kBuckets)];
    while (i + 1 < int(until_.size()) && until_[i] < wanted) ++i;
    return i;
  }

 private:
  static constexpr int kBuckets = 1024;
  std::vector<double> until_;
  std::vector<int> first_;
};

double spread(const float* values, int count) {
  const auto [low, high] = std::minmax_element(values, values + count);
  return double(*high) - double(*low);
}

std::vector<Plane> through_triples(const PlaneRules& rules, const PlaneMatches& m,
                                   const PlaneDraws& draws) {
  const Lottery lottery(m);
  const double extent = spread(m.x, m.count) * spread(m.y, m.count);
  const double smallest = std::max(rules.smallest_area_px2, rules.smallest_triangle * extent);
  std::vector<Plane> planes;
  planes.reserve(draws.triples);
  for (int t = 0; t < draws.triples; ++t) {
    const int i = lottery(draws.triple[t]), j = lottery(draws.triple[draws.triples + t]),
              k = lottery(draws.triple[2 * draws.triples + t]);
    const double ux = m.x[j] - m.x[i], uy = m.y[j] - m.y[i], ud = m.d[j] - m.d[i];
    const double vx = m.x[k] - m.x[i], vy = m.y[k] - m.y[i], vd = m.d[k] - m.d[i];
    const double area = ux * vy - uy * vx;
    if (std::abs(area) <= smallest) continue;
    const double a = (ud * vy - vd * uy) / area, b = (vd * ux - ud * vx) / area;
    if (std::abs(a) < rules.steepest && std::abs(b) < rules.steepest)
      planes.push_back({a, b, m.d[i] - a * m.x[i] - b * m.y[i]});
  }
  return planes;
}

// The matches that vote, in vectors; the last ones beyond their number weigh nothing. Votes are whole
// numbers: added in any order they give the same.
class Voters {
 public:
  Voters(float agree_px, const PlaneMatches& matches, const PlaneDraws& draws)
      : agree_px_(agree_px),
        x_((draws.voters + kLanes - 1) / kLanes),
        y_(x_),
        d_(x_),
        votes_(x_.size()) {
    for (int i = 0; i < draws.voters; ++i) {
      const int voter = int(draws.voter[i] * matches.count), v = i / kLanes, lane = i % kLanes;
      x_[v][lane] = matches.x[voter];
      y_[v][lane] = matches.y[voter];
      d_[v][lane] = matches.d[voter];
      votes_[v][lane] = int(matches.weight[voter] * 65536);
    }
  }

  int operator()(const Plane& plane) const {
    const float a = float(plane.a), b = float(plane.b), c = float(plane.c);
    Ints sum{};
    for (std::size_t v = 0; v < x_.size(); ++v) {
      const Floats off = a * x_[v] + b * y_[v] + c - d_[v];
      sum += votes_[v] & ((off < agree_px_) & (off > -agree_px_));
    }
    int total = 0;
    for (int lane = 0; lane < kLanes; ++lane) total += sum[lane];
    return total;
  }

 private:
  static constexpr int kLanes = 4;
  using Floats = float __attribute__((vector_size(4 * kLanes)));
  using Ints = std::int32_t __attribute__((vector_size(4 * kLanes)));
  const float agree_px_;
  std::vector<Floats> x_, y_, d_;
  std::vector<Ints> votes_;
};

// The planes with the highest scores, best first; among equals the earlier.
template <class Score>
std::vector<Plane> best_of(const std::vector<Plane>& planes, const std::vector<Score>& scores,
                           int most) {
  std::vector<int> order(planes.size());
  std::iota(order.begin(), order.end(), 0);
  most = std::min(most, int(order.size()));
  std::partial_sort(order.begin(), order.begin() + most, order.end(), [&](int i, int j) {
    return scores[i] != scores[j] ? scores[i] > scores[j] : i < j;
  });
  std::vector<Plane> best;
  for (int i = 0; i < most; ++i) best.push_back(planes[order[i]]);
  return best;
}

std::vector<Plane> propose(const PlaneRules& rules, const PlaneMatches& matches,
                           const PlaneDraws& draws) {
  const std::vector<Plane> planes = through_triples(rules, matches, draws);
  const Voters voters(rules.agree_px, matches, draws);
  std::vector<int> scores;
  for (const Plane& plane : planes) scores.push_back(voters(plane));
  return best_of(planes, scores, rules.candidates);
}

float cost_at(float cap, const PlaneViews& views, std::ptrdiff_t row, int column,
              float disparity) {
  const float there = float(column) - disparity;
  if (!(there >= 0 && there <= float(views.width - 1))) return cap / 2;  // tells nothing
  const int x = int(there), next = std::min(x + 1, views.width - 1);
  const float part = there - float(x);
  const std::uint8_t* right = views.right + row;
  const std::int16_t* slope = views.right_slope + row;
  const float gray = right[x] + part * float(right[next] - right[x]);
  const float steep = slope[x] + part * float(slope[next] - slope[x]);
  return std::min(std::abs(views.gray[row + column] - gray), cap) +
         std::min(std::abs(views.slope[row + column] - steep) * 0.25f, cap);
}

float cost_of(float cap, const PlaneViews& views, const PlanePlaces& at, const Plane& plane,
              int i) {
  const float disparity = float(plane.a) * float(at.column[i]) + float(plane.b) * float(at.row[i]) +
                          float(plane.c);
  return cost_at(cap, views, std::ptrdiff_t(at.row[i]) * views.width, at.column[i], disparity);
}

// The planes at which the images agree best, judged by every step-th place.
std::vector<Plane> sift(float cap, const PlaneViews& views, const PlanePlaces& at,
                        const std::vector<Plane>& planes, int step, int most) {
  std::vector<double> scores;
  for (const Plane& plane : planes) {
    double sum = 0;
    for (int i = 0; i < at.count; i += step) sum += cost_of(cap, views, at, plane, i);
    scores.push_back(-sum);
  }
  return best_of(planes, scores, most);
}

// Weighted least squares over the matches that agree, twice.
Plane polish(const PlaneRules& rules, Plane plane, const PlaneMatches& m) {
  for (int round = 0; round < 2; ++round) {
    const float a = float(plane.a), b = float(plane.b), c = float(plane.c);
    // From a place nearby, and from the plane, so that sums of squares lose no digits.
    const double x0 = m.x[0], y0 = m.y[0];
    double w = 0, wx = 0, wy = 0, wd = 0, wxx = 0, wxy = 0, wyy = 0, wxd = 0, wyd = 0;
    int agree = 0;
    for (int i = 0; i < m.count; ++i) {
      const float off = m.d[i] - (a * m.x[i] + b * m.y[i] + c);
      if (!(std::abs(off) < rules.agree_px)) continue;
      const double weight = m.weight[i], x = m.x[i] - x0, y = m.y[i] - y0;
      ++agree;
      w += weight, wx += weight * x, wy += weight * y, wd += weight * off;
      wxx += weight * x * x, wxy += weight * x * y, wyy += weight * y * y;
      wxd += weight * x * off, wyd += weight * y * off;
    }
    if (agree < rules.fewest_matches) break;
    const double mx = wx / w, my = wy / w, md = wd / w;
    double xx = wxx - w * mx * mx, yy = wyy - w * my * my;
    const double xy = wxy - w * mx * my, xd = wxd - w * mx * md, yd = wyd - w * my * md;
    const double size = std::max(xx, yy);
    xx += 1e-9 * size, yy += 1e-9 * size;
    const double determinant = xx * yy - xy * xy;
    if (!(determinant > 1e-12 * size * size)) break;
    const double da = (xd * yy - yd * xy) / determinant, db = (yd * xx - xd * xy) / determinant;
    plane = {plane.a + da, plane.b + db, plane.c + md - da * (mx + x0) - db * (my + y0)};
  }
  return plane;
}

}  // namespace

void plane_costs(const PlaneRules& rules, const PlaneViews& views, const PlanePlaces& places,
                 int planes, const Plane* plane, float* out) {
  for (int k = 0; k < planes; ++k)
    for (int i = 0; i < places.count; ++i)
      *out++ = cost_of(rules.cost_cap, views, places, plane[k], i);
}

bool best_plane(const PlaneRules& rules, const PlaneViews& views, const PlaneMatches& matches,
                const PlanePlaces& places, const PlaneDraws& draws, Plane& best) {
  const auto cheapest = [&](const std::vector<Plane>& planes, int step, int most) {
    return sift(rules.cost_cap, views, places, planes, step, most);
  };
  std::vector<Plane> planes = propose(rules, matches, draws);
  if (planes.empty()) return false;
  planes = cheapest(planes, rules.sifted, rules.semifinalists);
  planes = cheapest(planes, 1, rules.finalists);
  for (Plane& plane : planes) plane = polish(rules, plane, matches);
  best = cheapest(planes, 1, 1)[0];
  return true;
}

}  // namespace stereo
