#include "agreement.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "parallel.hpp"

namespace stereo {
namespace {

using Floats = PlacesInVectors::Floats;
using Ints = PlacesInVectors::Ints;
constexpr int kLanes = PlacesInVectors::kLanes;
constexpr float kCostCap = 20;  // gray levels beyond which a pixel tells no more

Ints whole(Floats values) { return __builtin_convertvector(values, Ints); }
Floats real(Ints values) { return __builtin_convertvector(values, Floats); }
Floats where(Ints mask, Floats values) { return (Floats)((Ints)values & mask); }
Floats capped(Floats difference) {
  const Floats size = difference < 0 ? -difference : difference;
  return size < kCostCap ? size : Floats{} + kCostCap;
}
template <class T>
Floats gathered(const T* from, Ints index) {
  Floats values;
  for (int lane = 0; lane < kLanes; ++lane) values[lane] = float(from[index[lane]]);
  return values;
}

}  // namespace

PlacesInVectors::PlacesInVectors(const PlaneViews& views, const std::vector<Place>& at)
    : size_(at.size()), x_((at.size() + kLanes - 1) / kLanes), y_(x_), row_(x_.size()) {
  const Floats nowhere = Floats{} + std::numeric_limits<float>::quiet_NaN();
  std::fill(x_.begin(), x_.end(), nowhere);
  for (std::size_t i = 0; i < size_; ++i) {
    x_[i / kLanes][i % kLanes] = float(at[i].x);
    y_[i / kLanes][i % kLanes] = float(at[i].y);
    row_[i / kLanes][i % kLanes] = at[i].y * views.width;
  }
}

PlaneCosts::PlaneCosts(const PlaneViews& views, const std::vector<Place>& at)
    : views_(views), places_(views, at), gray_(places_.vectors()), slope_(gray_) {
  for (std::size_t i = 0; i < at.size(); ++i) {
    const std::size_t pixel = std::size_t(at[i].y) * views.width + at[i].x;
    gray_[i / kLanes][i % kLanes] = views.gray[pixel];
    slope_[i / kLanes][i % kLanes] = views.slope[pixel];
  }
}

void PlaneCosts::operator()(const Plane& plane, std::vector<float>& costs) const {
  const std::int32_t last = views_.width - 1;
  costs.resize(kLanes * places_.vectors());
  for (std::size_t v = 0; v < places_.vectors(); ++v) {
    const Floats there = places_.partner(plane, v);
    const Ints inside = (there >= 0) & (there <= float(last));
    const Ints column = whole(where(inside, there));
    const Ints next = column < last ? column + 1 : column;
    const Ints at = places_.row(v) + column, beside = places_.row(v) + next;
    const Floats part = there - real(column);
    const Floats gray = gathered(views_.right, at), slope = gathered(views_.right_slope, at);
    const Floats here = gray + part * (gathered(views_.right, beside) - gray);
    const Floats steep = slope + part * (gathered(views_.right_slope, beside) - slope);
    const Floats cost = capped(gray_[v] - here) + capped((slope_[v] - steep) * 0.25f);
    const Floats told = inside ? cost : Floats{} + kCostCap / 2;  // beyond the image: tells nothing
    for (int lane = 0; lane < kLanes; ++lane) costs[kLanes * v + lane] = told[lane];
  }
  costs.resize(places_.size());
}

double PlaneCosts::mean(const Plane& plane) const {
  std::vector<float> costs;
  (*this)(plane, costs);
  double sum = 0;
  for (const float cost : costs) sum += cost;
  return costs.empty() ? 0 : sum / double(costs.size());
}

FineTexture::FineTexture(const PlaneViews& views, std::vector<Place> at)
    : views_(views), at_(std::move(at)), places_(views, at_), left_(kLanes * places_.vectors()) {
  for (std::size_t i = 0; i < at_.size(); ++i)
    left_[i] = views.fine[std::size_t(at_[i].y) * views.width + at_[i].x];
}

// Over the places whose partner is in the image. Products are of bytes, and 2^17 of them fit.
double FineTexture::correlation(const Plane& plane) const {
  constexpr std::size_t kBlock = 64;  // vectors that are looked up before their products are summed
  std::array<std::int16_t, kBlock * kLanes> left, right;
  std::int32_t both = 0, lefts = 0, rights = 0;
  Ints seen{};
  for (std::size_t first = 0; first < places_.vectors(); first += kBlock) {
    const std::size_t count = std::min(kBlock, places_.vectors() - first);
    for (std::size_t k = 0; k < count; ++k) {
      const Floats there = places_.partner(plane, first + k) + 0.5f;
      const Ints inside = (there >= 0) & (there < float(views_.width));
      const Ints at = places_.row(first + k) + whole(where(inside, there));
      seen -= inside;
      for (int lane = 0; lane < kLanes; ++lane) {
        const auto mask = static_cast<std::int16_t>(inside[lane]);
        left[kLanes * k + lane] = left_[kLanes * (first + k) + lane] & mask;
        right[kLanes * k + lane] = views_.right_fine[at[lane]] & mask;
      }
    }
    for (std::size_t i = 0; i < kLanes * count; ++i) {
      both += left[i] * right[i];
      lefts += left[i] * left[i];
      rights += right[i] * right[i];
    }
  }
  int pixels = 0;
  for (int lane = 0; lane < kLanes; ++lane) pixels += seen[lane];
  if (pixels * 4 < int(size()) || !lefts || !rights) return 0;
  return double(both) / std::sqrt(double(lefts) * double(rights));
}

Plane FineTexture::tuned(Plane plane) const {
  const auto side = [&](int Place::*xy) {
    const auto less = [xy](const Place& p, const Place& q) { return p.*xy < q.*xy; };
    const auto [low, high] = std::minmax_element(at_.begin(), at_.end(), less);
    return std::pair<double, double>((*low).*xy, (*high).*xy);
  };
  const auto [left, right] = side(&Place::x);
  const auto [top, bottom] = side(&Place::y);
  const double x = (left + right) / 2, y = (top + bottom) / 2;
  const double wide = std::max(right - left, 1.0) / 2, high = std::max(bottom - top, 1.0) / 2;
  double best = correlation(plane);
  for (const double step : {1.0, 0.5, 0.25}) {
    // by so many pixels: as a whole, tilted across and tilted down, about the middle
    const double across = step / wide, down = step / high;
    const Plane moves[] = {{0, 0, step}, {across, 0, -across * x}, {0, down, -down * y}};
    for (const Plane& move : moves)
      for (const int sign : {1, -1}) {
        const Plane moved{plane.a + sign * move.a, plane.b + sign * move.b, plane.c + sign * move.c};
        const double found = correlation(moved);
        if (found > best) best = found, plane = moved;
      }
  }
  return plane;
}

double FineTexture::deviations(const Plane& plane, int threads) const {
  constexpr std::array<int, 13> kShiftsPx{0, -13, -11, -9, -8, -7, -6, 6, 7, 8, 9, 11, 13};
  std::array<double, kShiftsPx.size()> found;  // here first, then at wrong shifts
  parallel_for(threads, int(found.size()), [&](int k, int) {
    found[k] = correlation({plane.a, plane.b, plane.c + kShiftsPx[k]});
  });
  double sum = 0, squares = 0;
  for (std::size_t k = 1; k < found.size(); ++k) sum += found[k], squares += found[k] * found[k];
  constexpr double kCount = kShiftsPx.size() - 1;
  const double mean = sum / kCount, variance = std::max(squares / kCount - mean * mean, 0.0);
  const double least = 1 / std::sqrt(std::max(double(size()), 1.0));  // of pure noise
  return (found[0] - mean) / std::max(std::sqrt(variance), least);
}

}  // namespace stereo
