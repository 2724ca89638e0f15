#include "surfaces.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "mask.hpp"
#include "parallel.hpp"

namespace stereo {
namespace {

constexpr int kStep = kSurfaceStep;
constexpr int kSmallestCells = 1000 / (kStep * kStep);  // smaller regions the matcher bridges well
constexpr int kMostPlanes = 4;                          // of one region
constexpr int kShares = 4;  // of the image, per thread: a region larger than one keeps them all busy
constexpr float kPlaneConfidence = 0.6f;                // see PLANE_CONFIDENCE in surfaces.py
constexpr float kUnseenConfidence = 0.2f;  // beyond the right image's border: a guess, as in a hole

constexpr float kTrusted = 0.3f;  // confidence of a match from which planes are made
constexpr int kMostMatches = 4000, kFewestMatches = 30;
constexpr double kFewestShare = 0.02;

// Shares of the rim's edges, or of the matches, from which one plane is taken for all; and the least
// sum of the two for a plane to be believed (benchmarks/accuracy.py).
constexpr double kWholeRim = 0.7, kWholeSupport = 0.9, kEnough = 0.95;
constexpr float kRimEdgeLevels = 8, kRimShiftPx = 3;
constexpr int kFewestEdges = 20;

// Finest texture: so many deviations above chance, over so many pixels, speak for the whole region.
// True walls reach twice that, wrong planes stay below 7.
constexpr double kFineDeviations = 8;
constexpr int kFinePixels = 4000, kMostFinePixels = 40000, kFineMarginCells = 2;
constexpr int kSiftedPixels = 10000, kSiftedPlanes = 4;  // planes chosen by some of the pixels

// A plane at which the region's inside looks so different, in gray levels, and so many times as
// different as at another plane, is that of something around it.
constexpr double kContradiction = 6, kContradictionRatio = 2;

// A rim is the region's own, and not that of something in front of it, where some of what is matched
// around the region lies farther away by so many pixels.
constexpr int kAroundCells = 3;
constexpr float kFartherPx = 2;
constexpr double kOwnShare = 0.1;

constexpr float kBeyond = 0.1f;  // of the range of all matches: how far a plane may leave it

constexpr int kNeighborhoodCells = 160 / kStep;
constexpr double kFewSupporters = 0.16;  // weight around a cell: about one match within 80 px

// Without the cells that are near its edge: no rim reaches into their surroundings.
Mask core(Mask mask) {
  for (int k = 0; k < kFineMarginCells; ++k) mask = shrunk(mask);
  return mask;
}

// Evenly spaced ones, at most so many.
template <class T>
std::vector<T> thinned(const std::vector<T>& all, std::size_t most) {
  if (all.size() <= most) return all;
  std::vector<T> some;
  some.reserve(most);
  for (std::size_t k = 0; k < most; ++k) some.push_back(all[k * all.size() / most]);
  return some;
}

std::vector<Place> places(const Mask& mask) {
  std::vector<Place> found;
  found.reserve(mask.count());
  mask.each([&](int x, int y, int) { found.push_back({kStep * x, kStep * y}); });
  return found;
}

// All pixels of some of its cells.
std::vector<Place> pixels(const Mask& mask, const PlaneViews& views) {
  std::vector<Place> found;
  found.reserve(kMostFinePixels);
  for (const Place cell : thinned(places(mask), kMostFinePixels / (kStep * kStep)))
    for (int y = cell.y; y < std::min(cell.y + kStep, views.height); ++y)
      for (int x = cell.x; x < std::min(cell.x + kStep, views.width); ++x) found.push_back({x, y});
  return found;
}

// Sums of a window's values over squares.
class SquareSums {
 public:
  SquareSums(const Mask& window, const std::vector<float>& values)
      : width_(window.width), height_(window.height), sum_(std::size_t(width_ + 1) * (height_ + 1)) {
    for (int y = 0; y < height_; ++y)
      for (int x = 0; x < width_; ++x)
        at(x + 1, y + 1) = values[std::size_t(y) * width_ + x] + at(x, y + 1) + at(x + 1, y) - at(x, y);
  }
  double around(int x, int y) const {
    const int reach = kNeighborhoodCells / 2;
    const int left = std::max(x - reach, 0), right = std::min(x + reach, width_);
    const int top = std::max(y - reach, 0), bottom = std::min(y + reach, height_);
    return at(right, bottom) - at(left, bottom) - at(right, top) + at(left, top);
  }

 private:
  double& at(int x, int y) { return sum_[std::size_t(y) * (width_ + 1) + x]; }
  double at(int x, int y) const { return sum_[std::size_t(y) * (width_ + 1) + x]; }
  int width_, height_;
  std::vector<double> sum_;
};

struct Part {
  Mask cells;
  Plane plane;
};

class Surveyor {
 public:
  // With so many threads for each region; the result is the same for any number.
  Surveyor(const PlaneViews& views, const float* px, const float* confidence, int threads)
      : views_(views), px_(px), confidence_(confidence), threads_(threads) {}

  // The parts of a smooth region, each with the plane that the evidence supports.
  //
  // A wall and the ceiling above it are one smooth region: where the first plane explains only part of
  // the evidence, it takes only what has more supporters than dissenters around it, and the rest is
  // tried again by itself. Without either a plane says nothing: no extrapolation.
  std::vector<Part> parts(Mask inside) const {
    std::vector<Part> found;
    for (int attempt = 0; attempt < kMostPlanes && inside.count() >= kSmallestCells; ++attempt) {
      const Mask region = widened(inside);
      const std::optional<Choice> choice = best_plane(inside, region);
      if (!choice) break;
      const Evidence& evidence = choice->evidence;
      // what is left after one plane was no one plane: then only a rim speaks for all of it
      const bool alone = attempt == 0 && evidence.support >= kWholeSupport;
      const bool whole = choice->fine || evidence.rim >= kWholeRim || alone;
      const Mask part = whole ? inside : supported(inside, evidence);
      if (part.count() == 0) break;
      if (choice->fine || evidence.rim + evidence.support >= kEnough)
        found.push_back({part, choice->plane});
      if (whole) break;
      inside = minus(inside, part);
    }
    return found;
  }

 private:
  struct Evidence {
    double rim, support;  // shares: of the rim's edges, of the matches' weight
    std::vector<float> supporters, dissenters;
  };
  struct Choice {
    Plane plane;
    Evidence evidence;
    bool fine;  // the finest texture speaks for it
  };

  std::size_t pixel(int x, int y) const {
    return std::size_t(kStep * y) * views_.width + std::size_t(kStep * x);
  }

  std::vector<PlaneMatch> matches(const Mask& region) const {
    std::vector<PlaneMatch> found;
    found.reserve(region.count());
    region.each([&](int x, int y, int) {
      const std::size_t i = pixel(x, y);
      if (confidence_[i] > kTrusted)
        found.push_back({float(kStep * x), float(kStep * y), px_[i], confidence_[i] * confidence_[i]});
    });
    return found;
  }

  // The plane that the images speak for, among those that the matches propose.
  std::optional<Choice> best_plane(const Mask& inside, const Mask& region) const {
    const std::vector<PlaneMatch> all = matches(region);
    if (double(all.size()) < std::max(double(kFewestMatches), kFewestShare * region.count())) return {};
    const Mask border = minus(region, inside);
    const std::vector<Place> middle = places(inside), rim = places(border);
    // Where most of the matches inside are wrong, no three of them may be right: the rim's, where the
    // matcher had something to go by, propose by themselves too.
    const std::vector<Place> told_apart = thinned(middle, 40);
    std::vector<Plane> planes, of_rim;
    parallel_for(threads_, 2, [&](int task, int) {
      if (task == 0) {
        planes = propose_planes(thinned(all, kMostMatches), told_apart);
      } else if (const std::vector<PlaneMatch> there = matches(border);
                 int(there.size()) >= kFewestMatches) {
        of_rim = propose_planes(thinned(there, kMostMatches), told_apart);
      }
    });
    planes.insert(planes.end(), of_rim.begin(), of_rim.end());
    const Mask inner = core(inside);
    drop_contradicted(planes, inner, middle);
    if (planes.empty()) return {};
    // mostly the rim is compared, whose edges agree only at the right plane
    std::vector<Place> compared = thinned(rim, 1000);
    for (const Place place : thinned(middle, 500)) compared.push_back(place);
    const PlaneCosts costs(views_, compared);
    const Plane best = best_of(planes, [&](const Plane& plane) { return -costs.mean(plane); });
    Evidence evidence = evidence_for(best, region, rim);
    if (evidence.rim < kWholeRim || !owns_rim(best, region))
      if (const std::optional<Plane> fine = finest(planes, inner))
        return Choice{*fine, evidence_for(*fine, region, rim), true};
    return Choice{best, std::move(evidence), false};
  }

  // The score of each plane.
  template <class Score>
  std::vector<double> scores_of(const std::vector<Plane>& planes, const Score& score) const {
    std::vector<double> scores(planes.size());
    parallel_for(threads_, int(planes.size()), [&](int k, int) { scores[k] = score(planes[k]); });
    return scores;
  }

  // The first of those that score highest.
  template <class Score>
  Plane best_of(const std::vector<Plane>& planes, const Score& score) const {
    const std::vector<double> scores = scores_of(planes, score);
    return planes[std::max_element(scores.begin(), scores.end()) - scores.begin()];
  }

  // Those that score highest, at most so many.
  template <class Score>
  std::vector<Plane> highest(const std::vector<Plane>& planes, const Score& score,
                             std::size_t most) const {
    const std::vector<double> scores = scores_of(planes, score);
    std::vector<std::size_t> order(planes.size());
    std::iota(order.begin(), order.end(), std::size_t(0));
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t i, std::size_t j) { return scores[i] > scores[j]; });
    std::vector<Plane> best;
    for (const std::size_t i : order)
      if (best.size() < most) best.push_back(planes[i]);
    return best;
  }

  void drop_contradicted(std::vector<Plane>& planes, const Mask& inner,
                         const std::vector<Place>& middle) const {
    std::vector<Place> compared = thinned(places(inner), 400);
    if (compared.size() <= 30) compared = thinned(middle, 500);
    if (planes.empty()) return;
    const PlaneCosts at(views_, compared);
    const std::vector<double> costs =
        scores_of(planes, [&](const Plane& plane) { return at.mean(plane); });
    const double limit =
        std::max(kContradiction, kContradictionRatio * *std::min_element(costs.begin(), costs.end()));
    std::size_t kept = 0;
    for (std::size_t k = 0; k < planes.size(); ++k)
      if (costs[k] <= limit) planes[kept++] = planes[k];
    planes.resize(kept);
  }

  std::optional<Plane> finest(const std::vector<Plane>& planes, const Mask& inner) const {
    std::vector<Place> at = pixels(inner, views_);
    if (int(at.size()) < kFinePixels) return {};
    const FineTexture some(views_, thinned(at, kSiftedPixels)), all(views_, std::move(at));
    const auto sifted = [&](const Plane& plane) { return some.correlation(plane); };
    const auto score = [&](const Plane& plane) { return all.correlation(plane); };
    const Plane best = best_of(highest(planes, sifted, kSiftedPlanes), score);
    // noise alone deviates by the root of the number of pixels; other shifts by more
    if (score(best) * std::sqrt(double(all.size())) < kFineDeviations) return {};
    if (all.deviations(best, threads_) < kFineDeviations) return {};
    return some.tuned(best);
  }

  bool owns_rim(const Plane& plane, const Mask& region) const {
    Mask around = region;
    for (int k = 0; k < kAroundCells; ++k) around = widened(around);
    double farther = 0, all = 0;
    minus(around, region).each([&](int x, int y, int) {
      const std::size_t at = pixel(x, y);
      const float surface = plane.at(float(kStep * x), float(kStep * y));
      farther += px_[at] < surface - kFartherPx ? confidence_[at] : 0, all += confidence_[at];
    });
    return farther > kOwnShare * all;
  }

  Evidence evidence_for(const Plane& plane, const Mask& region, const std::vector<Place>& rim) const {
    Evidence evidence{rim_agreement(plane, rim), 0, std::vector<float>(region.set.size()),
                      std::vector<float>(region.set.size())};
    double supporting = 0, all = 0;
    region.each([&](int x, int y, int i) {
      const std::size_t at = pixel(x, y);
      const float weight = confidence_[at] * confidence_[at];
      const float off = std::abs(px_[at] - plane.at(float(kStep * x), float(kStep * y)));
      const bool near = off < kAgreePx;  // a hole is no match: its weight is 0
      (near ? evidence.supporters : evidence.dissenters)[i] = weight;
      supporting += near ? weight : 0, all += weight;
    });
    evidence.support = supporting / std::max(all, 1e-6);
    return evidence;
  }

  // Share of the rim's edges that fit better at the plane than a little before or behind it.
  double rim_agreement(const Plane& plane, const std::vector<Place>& rim) const {
    std::vector<Place> edges;
    for (const Place at : rim)
      if (std::abs(views_.slope[std::size_t(at.y) * views_.width + at.x]) > 4 * kRimEdgeLevels)
        edges.push_back(at);
    if (int(edges.size()) < kFewestEdges) return 0.0;
    const PlaneCosts costs(views_, edges);
    std::vector<float> here, before, behind;
    costs(plane, here);
    costs({plane.a, plane.b, plane.c + kRimShiftPx}, before);
    costs({plane.a, plane.b, plane.c - kRimShiftPx}, behind);
    int agreeing = 0;
    for (std::size_t i = 0; i < edges.size(); ++i)
      agreeing += here[i] < before[i] && here[i] < behind[i];
    return double(agreeing) / double(edges.size());
  }

  static Mask supported(const Mask& inside, const Evidence& evidence) {
    const SquareSums supporters(inside, evidence.supporters), dissenters(inside, evidence.dissenters);
    Mask part = inside;
    for (int y = 0, i = 0; y < inside.height; ++y)
      for (int x = 0; x < inside.width; ++x, ++i)
        part.set[i] = inside.set[i] &&
                      supporters.around(x, y) > dissenters.around(x, y) + kFewSupporters;
    return part;
  }

  const PlaneViews& views_;
  const float *px_, *confidence_;
  const int threads_;
};

Mask region_mask(const SurfaceRegions& regions, int k, int width, int height) {
  const std::int32_t* box = regions.box + 4 * std::size_t(k);
  constexpr int kMargin = 1 + kAroundCells;
  const int left = std::max(box[0] - kMargin, 0), right = std::min(box[0] + box[2] + kMargin, width);
  const int top = std::max(box[1] - kMargin, 0), bottom = std::min(box[1] + box[3] + kMargin, height);
  Mask mask{left, top, right - left, bottom - top, {}};
  mask.set.reserve(std::size_t(mask.width) * mask.height);
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < right; ++x)
      mask.set.push_back(regions.labels[std::size_t(y) * width + x] == regions.label[k]);
  return mask;
}

// Writes the plane into the part's holes, its rim's too, and over matches that disagree.
void put(const Part& part, const PlaneViews& views, float lowest, float highest, float* px,
         float* confidence) {
  const auto put_cell = [&](int x0, int y0, bool inside) {
    for (int y = y0; y < std::min(y0 + kStep, views.height); ++y)
      for (int x = x0; x < std::min(x0 + kStep, views.width); ++x) {
        const std::size_t i = std::size_t(y) * views.width + x;
        const float surface = part.plane.at(float(x), float(y));
        const bool wanted = std::isnan(px[i]) || (inside && std::abs(px[i] - surface) > kAgreePx);
        if (!wanted || surface < lowest || surface > highest) continue;
        px[i] = surface;
        confidence[i] = surface > float(x) ? kUnseenConfidence : kPlaneConfidence;
      }
  };
  widened(part.cells).each([&](int x, int y, int i) {
    put_cell(kStep * x, kStep * y, part.cells.set[std::size_t(i)]);
  });
}

}  // namespace

void plane_surfaces(const PlaneViews& views, const SurfaceRegions& regions, int threads, float* px,
                    float* confidence) {
  const int width = (views.width + kStep - 1) / kStep, height = (views.height + kStep - 1) / kStep;
  float lowest = std::numeric_limits<float>::infinity(), highest = -lowest;
  for (int y = 0; y < views.height; y += kStep)
    for (int x = 0; x < views.width; x += kStep)
      if (const float d = px[std::size_t(y) * views.width + x]; !std::isnan(d))
        lowest = std::min(lowest, d), highest = std::max(highest, d);
  // a plane that leads far beyond all that was matched is wrong there; so is one behind infinity
  const float margin = kAgreePx + kBeyond * (highest - lowest);
  const float farthest = std::max(lowest - margin, std::min(lowest, 0.0f));
  std::vector<std::vector<Part>> parts(regions.count);
  const auto survey = [&](int k, int within) {
    const Surveyor surveyor(views, px, confidence, within);
    parts[k] = surveyor.parts(region_mask(regions, k, width, height));
  };
  // a region that would keep one thread busy while the others have nothing left is for all of them
  std::vector<int> small;
  for (int k = 0; k < regions.count; ++k) {
    const std::int32_t* box = regions.box + 4 * std::size_t(k);
    if (threads > 1 && std::int64_t(box[2]) * box[3] * threads * kShares > std::int64_t(width) * height)
      survey(k, threads);
    else
      small.push_back(k);
  }
  parallel_for(threads, int(small.size()), [&](int k, int) { survey(small[k], 1); });
  for (const std::vector<Part>& of_region : parts)
    for (const Part& part : of_region)
      put(part, views, farthest, highest + margin, px, confidence);
}

}  // namespace stereo
