#include "planes.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

namespace stereo {
namespace {

constexpr int kTriples = 800;  // with 400, one seed in six put a wrong plane on a wall of the room
constexpr int kVoters = 400;   // matches that vote on a candidate
constexpr int kProposed = 8, kOfTheRest = 4;  // planes that are looked at
constexpr float kRestPx = 2;   // what lies farther from the first plane is the rest
constexpr double kSteepest = 0.7;  // pixels of disparity per pixel: a very grazing angle
// Twice the smallest triangle: as a share of the matches' bounding box, and in px^2. A small one says
// little of the far end.
constexpr double kSmallestShare = 0.06, kSmallestPx2 = 50;
constexpr float kDistinctPx = 1.5f;  // mean distance of two planes below which they are one
constexpr int kFewestMatches = 12;   // that a plane is fitted to again

// Uniform random numbers in [0, 1), the same in every call.
template <std::size_t kCount>
std::array<double, kCount> draws(unsigned seed) {
  std::mt19937 random(seed);
  std::array<double, kCount> values;
  for (double& value : values) value = random() / 4294967296.0;
  return values;
}

// Draws matches by their weight: the inverse of the cumulative weight, with a table of where to begin.
class Lottery {
 public:
  explicit Lottery(const std::vector<PlaneMatch>& matches)
      : until_(matches.size()), first_(kBuckets) {
    double sum = 0;
    for (std::size_t i = 0; i < matches.size(); ++i) until_[i] = sum += matches[i].weight;
    std::size_t i = 0;
    for (int bucket = 0; bucket < kBuckets; ++bucket) {
      while (i + 1 < matches.size() && until_[i] < sum * bucket / kBuckets) ++i;
      first_[bucket] = i;
    }
  }
  std::size_t operator()(double chance) const {
    const double wanted = chance * until_.back();
    std::size_t i = first_[int(chance * kBuckets)];
    while (i + 1 < until_.size() && until_[i] < wanted) ++i;
    return i;
  }

 private:
  static constexpr int kBuckets = 1024;
  std::vector<double> until_;
  std::vector<std::size_t> first_;
};

double extent(const std::vector<PlaneMatch>& matches) {
  const auto spread = [&](float PlaneMatch::*side) {
    const auto less = [side](const PlaneMatch& p, const PlaneMatch& q) { return p.*side < q.*side; };
    const auto [low, high] = std::minmax_element(matches.begin(), matches.end(), less);
    return double((*high).*side) - double((*low).*side);
  };
  return spread(&PlaneMatch::x) * spread(&PlaneMatch::y);
}

std::vector<Plane> through_triples(const std::vector<PlaneMatch>& matches) {
  static const auto triple = draws<3 * kTriples>(0);
  const Lottery lottery(matches);
  const double smallest = std::max(kSmallestPx2, kSmallestShare * extent(matches));
  std::vector<Plane> planes;
  for (int t = 0; t < kTriples; ++t) {
    const PlaneMatch &p = matches[lottery(triple[t])], &q = matches[lottery(triple[kTriples + t])],
                     &r = matches[lottery(triple[2 * kTriples + t])];
    const double ux = q.x - p.x, uy = q.y - p.y, ud = q.d - p.d;
    const double vx = r.x - p.x, vy = r.y - p.y, vd = r.d - p.d;
    const double area = ux * vy - uy * vx;
    if (std::abs(area) <= smallest) continue;
    const double a = (ud * vy - vd * uy) / area, b = (vd * ux - ud * vx) / area;
    if (std::abs(a) < kSteepest && std::abs(b) < kSteepest)
      planes.push_back({a, b, p.d - a * p.x - b * p.y});
  }
  return planes;
}

// The matches that vote, in vectors; the last ones beyond their number weigh nothing. Votes are whole
// numbers: added in any order they give the same.
class Voters {
 public:
  explicit Voters(const std::vector<PlaneMatch>& matches)
      : x_((kVoters + kLanes - 1) / kLanes), y_(x_), d_(x_), votes_(x_.size()) {
    static const auto voter = draws<kVoters>(1);
    for (int i = 0; i < kVoters; ++i) {
      const PlaneMatch& match = matches[std::size_t(voter[i] * double(matches.size()))];
      const int v = i / kLanes, lane = i % kLanes;
      x_[v][lane] = match.x;
      y_[v][lane] = match.y;
      d_[v][lane] = match.d;
      votes_[v][lane] = int(match.weight * 65536);
    }
  }

  int operator()(const Plane& plane) const {
    const float a = float(plane.a), b = float(plane.b), c = float(plane.c);
    Ints sum{};
    for (std::size_t v = 0; v < x_.size(); ++v) {
      const Floats off = a * x_[v] + b * y_[v] + c - d_[v];
      sum += votes_[v] & ((off < kAgreePx) & (off > -kAgreePx));
    }
    int total = 0;
    for (int lane = 0; lane < kLanes; ++lane) total += sum[lane];
    return total;
  }

 private:
  static constexpr int kLanes = 4;
  using Floats = float __attribute__((vector_size(4 * kLanes)));
  using Ints = std::int32_t __attribute__((vector_size(4 * kLanes)));
  std::vector<Floats> x_, y_, d_;
  std::vector<Ints> votes_;
};

// Weighted least squares over the matches that agree, twice.
Plane polish(Plane plane, const std::vector<PlaneMatch>& matches) {
  for (int round = 0; round < 2; ++round) {
    // From a place nearby, and from the plane, so that sums of squares lose no digits.
    const double x0 = matches[0].x, y0 = matches[0].y;
    double w = 0, wx = 0, wy = 0, wd = 0, wxx = 0, wxy = 0, wyy = 0, wxd = 0, wyd = 0;
    int agree = 0;
    for (const PlaneMatch& m : matches) {
      const float off = m.d - plane.at(m.x, m.y);
      if (!(std::abs(off) < kAgreePx)) continue;
      const double weight = m.weight, x = m.x - x0, y = m.y - y0;
      ++agree;
      w += weight, wx += weight * x, wy += weight * y, wd += weight * off;
      wxx += weight * x * x, wxy += weight * x * y, wyy += weight * y * y;
      wxd += weight * x * off, wyd += weight * y * off;
    }
    if (agree < kFewestMatches) break;
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

bool alike(const Plane& plane, const Plane& other, const std::vector<Place>& places) {
  const Plane apart{plane.a - other.a, plane.b - other.b, plane.c - other.c};
  float sum = 0;
  for (const Place p : places) sum += std::abs(apart.at(float(p.x), float(p.y)));
  return sum <= kDistinctPx * float(places.size());
}

// Appends planes unlike those that are there, until there are so many.
void propose(const std::vector<PlaneMatch>& matches, const std::vector<Place>& places,
             std::size_t most, std::vector<Plane>& planes) {
  const std::vector<Plane> found = through_triples(matches);
  const Voters voters(matches);
  std::vector<int> votes, order(found.size());
  for (const Plane& plane : found) votes.push_back(voters(plane));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return votes[i] > votes[j]; });
  for (const int i : order) {
    if (planes.size() >= most) return;
    const auto known = [&](const Plane& plane) { return alike(found[i], plane, places); };
    if (std::none_of(planes.begin(), planes.end(), known)) planes.push_back(found[i]);
  }
}

}  // namespace

std::vector<Plane> propose_planes(const std::vector<PlaneMatch>& matches,
                                  const std::vector<Place>& places) {
  std::vector<Plane> planes;
  propose(matches, places, kProposed, planes);
  if (planes.empty()) return planes;
  // what leaked in from around may outnumber what belongs here
  std::vector<PlaneMatch> rest;
  for (const PlaneMatch& match : matches)
    if (std::abs(match.d - planes[0].at(match.x, match.y)) > kRestPx) rest.push_back(match);
  if (int(rest.size()) >= kFewestMatches) propose(rest, places, kProposed + kOfTheRest, planes);
  for (Plane& plane : planes) plane = polish(plane, matches);
  return planes;
}

}  // namespace stereo
