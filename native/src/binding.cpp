// What Python sees: stereo._native. stereo/native.py says which parts need it.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "buffer.hpp"
#include "choosing.hpp"
#include "doubt.hpp"
#include "edges.hpp"
#include "filling.hpp"
#include "jpeg.hpp"
#include "matcher.hpp"
#include "metric.hpp"
#include "parallel.hpp"
#include "register.hpp"
#include "surfaces.hpp"
#include "texture.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using stereo::ImageView;
using stereo::Matcher;
using stereo::Options;

template <class Pixel>
using Image = nb::ndarray<const Pixel, nb::ndim<2>, nb::device::cpu>;
using Code = nb::ndarray<const std::int16_t, nb::shape<stereo::kCodeBits, stereo::kTaps, 3>,
                         nb::c_contig, nb::device::cpu>;
template <class T>
using Plane = nb::ndarray<nb::numpy, T, nb::ndim<2>>;
using Map = Plane<float>;

template <class Pixel>
ImageView<Pixel> view(const Image<Pixel>& image) {
  return {image.data(), image.stride(0), image.stride(1)};
}

void set_code(Options& options, Code code) {
  for (int bit = 0; bit < stereo::kCodeBits; ++bit)
    for (int t = 0; t < stereo::kTaps; ++t) {
      const auto x = code(bit, t, 0), y = code(bit, t, 1);
      if (std::max(std::abs(x), std::abs(y)) > 127) throw nb::value_error("a tap is too far away");
      options.code[bit][t] = {std::int8_t(x), std::int8_t(y), code(bit, t, 2)};
    }
}

void check_sides(std::size_t height, std::size_t width) {
  if (height > 32767 || width > 32767)
    throw nb::value_error("images must be at most 32767 pixels wide and high");
}

void check_channels(std::size_t channels) {
  if (channels != 1 && channels != 3)
    throw nb::value_error("the image must have 1 or 3 channels");
}

void check_threads(int threads) {
  if (threads < 1 || threads > 256) throw nb::value_error("threads must be 1 to 256");
}

template <class T>
Plane<T> new_plane(std::size_t height, std::size_t width) {
  T* data = new T[height * width];
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return Plane<T>(data, {height, width}, owner);
}

Map new_map(std::size_t height, std::size_t width) { return new_plane<float>(height, width); }

template <class Pixel>
void check_sizes(const Image<Pixel>& left, const Image<Pixel>& right) {
  if (right.shape(0) != left.shape(0) || right.shape(1) != left.shape(1))
    throw nb::value_error("left and right must have the same size");
  check_sides(left.shape(0), left.shape(1));
}

using GivenCode = nb::ndarray<const std::uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

template <class Pixel>
std::pair<Map, Map> match(Matcher& matcher, Image<Pixel> left, Image<Pixel> right,
                          std::optional<std::pair<GivenCode, GivenCode>> codes) {
  check_sizes(left, right);
  const std::size_t height = left.shape(0), width = left.shape(1);
  stereo::GivenCodes given{};
  if (codes) {
    const std::size_t bytes = codes->first.shape(2);
    if (bytes > stereo::kCodeBytes) throw nb::value_error("codes are too long");
    for (const GivenCode& code : {codes->first, codes->second})
      if (code.shape(0) != height || code.shape(1) != width || code.shape(2) != bytes)
        throw nb::value_error("codes must have the size of the images");
    given = {codes->first.data(), codes->second.data(), int(bytes)};
  }
  Map disparity = new_map(height, width), confidence = new_map(height, width);
  {
    nb::gil_scoped_release release;
    matcher.match(view(left), view(right), int(width), int(height), disparity.data(),
                  confidence.data(), nullptr, codes ? &given : nullptr);
  }
  return {disparity, confidence};
}

// For tests: index, cost, before, after and rival of each pixel, [height][width][5].
template <class Pixel>
auto winners(Matcher& matcher, Image<Pixel> left, Image<Pixel> right) {
  check_sizes(left, right);
  const std::size_t height = left.shape(0), width = left.shape(1), pixels = height * width;
  std::vector<std::uint16_t> index(pixels);
  std::vector<std::uint8_t> costs(4 * pixels);
  const auto found = stereo::Winners::in(index.data(), costs.data(), std::ptrdiff_t(pixels));
  std::vector<float> disparity(pixels), confidence(pixels);
  matcher.match(view(left), view(right), int(width), int(height), disparity.data(),
                confidence.data(), &found);
  auto* data = new std::uint16_t[pixels * 5];
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint16_t values[5] = {found.index[i], found.cost[i], found.before[i], found.after[i],
                                     found.rival[i]};
    std::copy(values, values + 5, data + i * 5);
  }
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::uint16_t*>(p); });
  return nb::ndarray<nb::numpy, std::uint16_t, nb::ndim<3>>(data, {height, width, 5}, owner);
}

template <class T, int kDims>
using Dense = nb::ndarray<const T, nb::ndim<kDims>, nb::c_contig, nb::device::cpu>;

Map weighted_median(Dense<float, 2> disparity, Dense<std::uint8_t, 2> weight,
                    Dense<std::uint8_t, 3> color, Dense<std::uint8_t, 2> wanted, float keep_px,
                    int threads) {
  const std::size_t height = disparity.shape(0), width = disparity.shape(1);
  for (const std::size_t rows : {weight.shape(0), color.shape(0), wanted.shape(0)})
    if (rows != height) throw nb::value_error("all planes must have the same height");
  for (const std::size_t columns : {weight.shape(1), color.shape(1), wanted.shape(1)})
    if (columns != width) throw nb::value_error("all planes must have the same width");
  check_sides(height, width);
  check_channels(color.shape(2));
  check_threads(threads);
  Map out = new_map(height, width);
  {
    nb::gil_scoped_release release;
    stereo::weighted_median({int(width), int(height), int(color.shape(2)), disparity.data(),
                             weight.data(), color.data(), wanted.data()},
                            keep_px, threads, out.data());
  }
  return out;
}

// Disparity with its edges moved, and its confidence. rules: step, keep, moved confidence.
std::pair<Map, Map> sharpen_edges(Dense<float, 2> disparity, Dense<float, 2> confidence,
                                  Dense<std::uint8_t, 3> color,
                                  std::tuple<float, float, float> rules, int threads) {
  const std::size_t height = disparity.shape(0), width = disparity.shape(1);
  if (confidence.shape(0) != height || confidence.shape(1) != width || color.shape(0) != height ||
      color.shape(1) != width)
    throw nb::value_error("all planes must have the same size");
  check_sides(height, width);
  check_channels(color.shape(2));
  check_threads(threads);
  Map px = new_map(height, width), moved = new_map(height, width);
  {
    nb::gil_scoped_release release;
    const auto [step_px, keep_px, moved_confidence] = rules;
    stereo::sharpen_edges(int(width), int(height), int(color.shape(2)), disparity.data(),
                          confidence.data(), color.data(),
                          {step_px, keep_px, moved_confidence}, threads, px.data(), moved.data());
  }
  return {px, moved};
}

auto around_edges(Dense<float, 2> disparity, float step_px, int reach_px) {
  const std::size_t height = disparity.shape(0), width = disparity.shape(1);
  check_sides(height, width);
  if (reach_px < 0 || reach_px > 32767) throw nb::value_error("reach_px must be 0 to 32767");
  Plane<std::uint8_t> near = new_plane<std::uint8_t>(height, width);
  stereo::around_edges(int(width), int(height), disparity.data(), step_px, reach_px, 1, near.data());
  return near;
}

using Bytes = Dense<std::uint8_t, 2>;
using Levels = Dense<std::uint8_t, 3>;

stereo::ChoiceImages choice_images(Dense<float, 2> disparity, Bytes weight, Levels left,
                                   Levels right, Bytes misfit, Bytes wanted) {
  const std::size_t height = disparity.shape(0), width = disparity.shape(1);
  const auto same = [&](const auto& plane) {
    return plane.shape(0) == height && plane.shape(1) == width;
  };
  if (!same(weight) || !same(left) || !same(right) || !same(misfit) ||
      !same(wanted) || left.shape(2) != right.shape(2))
    throw nb::value_error("all images and maps must have the same size");
  check_sides(height, width);
  check_channels(left.shape(2));
  return {int(width), int(height), int(left.shape(2)), disparity.data(), weight.data(),
          left.data(), right.data(), misfit.data(), wanted.data()};
}

Map choose_surfaces(Dense<float, 2> disparity, Bytes weight, Levels left, Levels right, Bytes misfit,
                    Bytes wanted, Dense<float, 1> chooser, float keep, int threads) {
  const stereo::ChoiceImages images =
      choice_images(disparity, weight, left, right, misfit, wanted);
  check_threads(threads);
  if (chooser.shape(0) != stereo::kChooserSize) throw nb::value_error("not the chooser's size");
  stereo::Chooser weights;
  std::memcpy(&weights, chooser.data(), sizeof weights);
  Map out = new_map(images.height, images.width);
  {
    nb::gil_scoped_release release;
    stereo::choose_surfaces(images, weights, keep, threads, out.data());
  }
  return out;
}

// For training: the candidates of each wanted pixel, [n][5], NaN: none; and their clues, [n][5 * 20].
std::pair<Map, Map> surface_candidates(Dense<float, 2> disparity, Bytes weight, Levels left,
                                       Levels right, Bytes misfit, Bytes wanted) {
  const stereo::ChoiceImages images =
      choice_images(disparity, weight, left, right, misfit, wanted);
  const std::ptrdiff_t pixels = std::ptrdiff_t(images.width) * images.height;
  std::vector<std::ptrdiff_t> places;
  for (std::ptrdiff_t i = 0; i < pixels; ++i)
    if (images.wanted[i] && !std::isnan(images.disparity[i])) places.push_back(i);
  constexpr int kOf = stereo::kCandidates, kAll = kOf * stereo::kChoiceClues;
  Map values = new_map(places.size(), kOf), clues = new_map(places.size(), kAll);
  for (std::size_t n = 0; n < places.size(); ++n) {
    const auto found = stereo::candidates_at(images, int(places[n] % images.width),
                                             int(places[n] / images.width));
    for (int k = 0; k < kOf; ++k)
      values.data()[n * kOf + k] = k < found.count ? found.disparity[k] : std::nanf("");
    std::copy(&found.clues[0][0], &found.clues[0][0] + kAll, clues.data() + n * kAll);
  }
  return {values, clues};
}

template <class T>
using Line = Dense<T, 1>;

// Slope and finest texture of a gray image (int16), and where it is smooth (uint8), in steps.
auto texture(Dense<std::uint8_t, 2> gray, int most, int steep, bool smooth, int threads) {
  const std::size_t height = gray.shape(0), width = gray.shape(1), step = stereo::kTextureStep;
  check_sides(height, width);
  check_threads(threads);
  Plane<std::int16_t> slope = new_plane<std::int16_t>(height, width);
  Plane<std::int16_t> fine = new_plane<std::int16_t>(height, width);
  const std::size_t rows = smooth ? (height + step - 1) / step : 0, columns = (width + step - 1) / step;
  Plane<std::uint8_t> where = new_plane<std::uint8_t>(rows, columns);
  if (height > 0 && width > 0) {
    nb::gil_scoped_release release;
    stereo::find_texture(gray.data(), int(width), int(height), most, steep, threads,
                         {slope.data(), fine.data(), smooth ? where.data() : nullptr});
  }
  return std::make_tuple(slope, fine, where);
}

// Planes for the regions of `labels` that `regions` lists (label, x, y, width, height); new maps.
std::pair<Map, Map> plane_surfaces(Dense<std::uint8_t, 2> gray, Dense<std::int16_t, 2> slope,
                                   Dense<std::int16_t, 2> fine, Dense<std::uint8_t, 2> right,
                                   Dense<std::int16_t, 2> right_slope,
                                   Dense<std::int16_t, 2> right_fine, Dense<float, 2> disparity,
                                   Dense<float, 2> confidence, Dense<std::int32_t, 2> labels,
                                   Line<std::int32_t> label, Dense<std::int32_t, 2> boxes,
                                   int threads) {
  const std::size_t height = gray.shape(0), width = gray.shape(1);
  const auto same = [&](const auto& plane) {
    return plane.shape(0) == height && plane.shape(1) == width;
  };
  if (!same(slope) || !same(fine) || !same(right) || !same(right_slope) || !same(right_fine) ||
      !same(disparity) || !same(confidence))
    throw nb::value_error("all images and maps must have the same size");
  constexpr std::size_t kStep = stereo::kSurfaceStep;
  const std::size_t rows = (height + kStep - 1) / kStep, columns = (width + kStep - 1) / kStep;
  if (labels.shape(0) != rows || labels.shape(1) != columns)
    throw nb::value_error("labels must be those of every fourth row and column");
  if (boxes.shape(0) != label.shape(0) || boxes.shape(1) != 4)
    throw nb::value_error("each region needs a box of four numbers");
  for (std::size_t k = 0; k < label.shape(0); ++k)
    if (boxes(k, 0) < 0 || boxes(k, 1) < 0 || boxes(k, 2) < 0 || boxes(k, 3) < 0 ||
        std::size_t(boxes(k, 0)) + boxes(k, 2) > columns || std::size_t(boxes(k, 1)) + boxes(k, 3) > rows)
      throw nb::value_error("a region's box lies outside the image");
  check_threads(threads);
  Map px = new_map(height, width), trust = new_map(height, width);
  {
    nb::gil_scoped_release release;
    std::copy(disparity.data(), disparity.data() + disparity.size(), px.data());
    std::copy(confidence.data(), confidence.data() + confidence.size(), trust.data());
    stereo::plane_surfaces({int(width), int(height), gray.data(), slope.data(), fine.data(),
                            right.data(), right_slope.data(), right_fine.data()},
                           {int(label.shape(0)), label.data(), boxes.data(), labels.data()}, threads,
                           px.data(), trust.data());
  }
  return {px, trust};
}

Map fill_holes(Dense<float, 2> disparity, Dense<float, 2> confidence,
               Dense<std::uint8_t, 3> color, int threads) {
  const std::size_t height = disparity.shape(0), width = disparity.shape(1);
  if (confidence.shape(0) != height || confidence.shape(1) != width || color.shape(0) != height ||
      color.shape(1) != width)
    throw nb::value_error("all planes must have the same size");
  check_sides(height, width);
  check_channels(color.shape(2));
  check_threads(threads);
  Map out = new_map(height, width);
  {
    nb::gil_scoped_release release;
    stereo::fill_holes({int(width), int(height), int(color.shape(2)), disparity.data(),
                        confidence.data(), color.data()},
                       threads, out.data());
  }
  return out;
}

// Confidence (float32). The images are gray; points: a row of 256 for each clue.
Map judge(Dense<float, 2> disparity, Dense<float, 2> confidence, Dense<std::uint8_t, 2> left,
          Dense<std::uint8_t, 2> right, Dense<std::int16_t, 2> points, int start,
          Line<float> probability, int plane, float plane_at_most, int threads) {
  const std::size_t height = disparity.shape(0), width = disparity.shape(1);
  for (const auto* plane_of : {&left, &right})
    if (plane_of->shape(0) != height || plane_of->shape(1) != width)
      throw nb::value_error("map and images must have the same size");
  if (confidence.shape(0) != height || confidence.shape(1) != width)
    throw nb::value_error("map and images must have the same size");
  if (points.shape(0) != stereo::kClues || points.shape(1) != 256 || probability.shape(0) != 256)
    throw nb::value_error("points must be 7 rows of 256, and probability 256");
  check_sides(height, width);
  check_threads(threads);
  Map out = new_map(height, width);
  if (height > 0 && width > 0) {
    nb::gil_scoped_release release;
    stereo::judge({int(width), int(height), disparity.data(), confidence.data(), left.data(),
                   right.data()},
                  {points.data(), start, probability.data(), plane, plane_at_most}, threads,
                  out.data());
  }
  return out;
}

// Depth and sigma (float32, NaN unknown). `variance` has no plane, or offset, mixed and share.
std::pair<Map, Map> measure_depth(Dense<float, 2> disparity, Dense<float, 2> confidence,
                                  std::vector<Dense<float, 2>> variance, Line<float> rules,
                                  int threads) {
  const std::size_t height = disparity.shape(0), width = disparity.shape(1);
  const auto same = [&](const auto& plane) {
    return plane.shape(0) == height && plane.shape(1) == width;
  };
  if (!same(confidence) || !std::all_of(variance.begin(), variance.end(), same))
    throw nb::value_error("all planes must have the same size");
  if (!variance.empty() && variance.size() != 3)
    throw nb::value_error("the variance has three planes, or none");
  if (rules.shape(0) != 8) throw nb::value_error("rules takes 8 numbers");
  check_threads(threads);
  stereo::VariancePlanes planes{};
  if (!variance.empty()) planes = {variance[0].data(), variance[1].data(), variance[2].data()};
  Map depth = new_map(height, width), sigma = new_map(height, width);
  {
    nb::gil_scoped_release release;
    stereo::measure_depth(std::ptrdiff_t(height * width), disparity.data(), confidence.data(),
                          planes,
                          {rules(0), rules(1), rules(2), rules(3), rules(4), rules(5), rules(6),
                           rules(7)},
                          threads, depth.data(), sigma.data());
  }
  return {depth, sigma};
}

// Points (N, 3) float32 and their colors (N, 3) uint8, row by row.
stereo::ColoredDepth colored_depth(const Dense<float, 2>& depth, const Dense<float, 2>& sigma,
                                   const Dense<std::uint8_t, 3>& color, const Line<float>& ray_x,
                                   const Line<float>& ray_y, float max_relative_sigma) {
  const std::size_t height = depth.shape(0), width = depth.shape(1);
  if (sigma.shape(0) != height || sigma.shape(1) != width || color.shape(0) != height ||
      color.shape(1) != width || ray_x.shape(0) != width || ray_y.shape(0) != height)
    throw nb::value_error("depth, sigma, color and rays must have the same size");
  check_sides(height, width);
  check_channels(color.shape(2));
  return {int(width),   int(height),  int(color.shape(2)), depth.data(),      sigma.data(),
          color.data(), ray_x.data(), ray_y.data(),        max_relative_sigma};
}

// (H, 4 W): see fill_every_point.
Map every_point(Dense<float, 2> depth, Dense<float, 2> sigma, Dense<std::uint8_t, 3> color,
                Line<float> ray_x, Line<float> ray_y, float max_relative_sigma, int threads) {
  const auto seen = colored_depth(depth, sigma, color, ray_x, ray_y, max_relative_sigma);
  check_threads(threads);
  Map points = new_map(depth.shape(0), 4 * depth.shape(1));
  nb::gil_scoped_release release;
  stereo::fill_every_point(seen, threads, points.data());
  return points;
}

auto cloud_of(Dense<float, 2> depth, Dense<float, 2> sigma, Dense<std::uint8_t, 3> color,
              Line<float> ray_x, Line<float> ray_y, float max_relative_sigma, int threads) {
  const auto seen = colored_depth(depth, sigma, color, ray_x, ray_y, max_relative_sigma);
  check_threads(threads);
  std::vector<std::ptrdiff_t> first((depth.shape(0) + stereo::kCloudRows - 1) /
                                    stereo::kCloudRows);
  {
    nb::gil_scoped_release release;
    stereo::count_points(seen, threads, first.data());
  }
  std::ptrdiff_t points = 0;
  for (std::ptrdiff_t& block : first) block = std::exchange(points, points + block);
  Map where = new_map(std::size_t(points), 3);
  Plane<std::uint8_t> colors = new_plane<std::uint8_t>(std::size_t(points), 3);
  {
    nb::gil_scoped_release release;
    stereo::fill_points(seen, first.data(), threads, where.data(), colors.data());
  }
  return std::make_pair(where, colors);
}

// Depth and sigma (float32, NaN unknown) and source index (int32, -1 none) in the other camera.
auto register_depth(Dense<float, 2> depth, Dense<float, 2> sigma, Line<float> pinhole,
                    std::pair<int, int> size, Line<float> other, Line<float> motion,
                    Dense<float, 3> pixels, Line<float> rules, int threads) {
  const std::size_t height = depth.shape(0), width = depth.shape(1);
  if (sigma.shape(0) != height || sigma.shape(1) != width)
    throw nb::value_error("depth and sigma must have the same size");
  for (const std::size_t side :
       {height, width, std::size_t(size.first), std::size_t(size.second)})
    if (side < 1 || side > 32767) throw nb::value_error("sides must be 1 to 32767 pixels");
  if (pinhole.shape(0) != 3 || other.shape(0) != 7 || motion.shape(0) != 12 || rules.shape(0) != 5)
    throw nb::value_error("pinhole takes 3 numbers, other 7, motion 12, rules 5");
  if (pixels.shape(0) < 2 || pixels.shape(1) < 2 || pixels.shape(2) != 2)
    throw nb::value_error("the lens table must be (rows, columns, 2), at least two of each");
  check_threads(threads);
  const stereo::SeenDepth seen{int(width), int(height), depth.data(), sigma.data(),
                               pinhole(0), pinhole(1),  pinhole(2)};
  stereo::OtherCamera camera{};
  camera.width = size.first, camera.height = size.second;
  camera.fx = other(0), camera.fy = other(1), camera.cx = other(2), camera.cy = other(3);
  camera.first_x = other(4), camera.first_y = other(5), camera.per_step = other(6);
  std::copy(motion.data(), motion.data() + 9, camera.rotation);
  std::copy(motion.data() + 9, motion.data() + 12, camera.shift);
  camera.rows = int(pixels.shape(0)), camera.columns = int(pixels.shape(1));
  camera.pixels = pixels.data();
  Map found = new_map(camera.height, camera.width), error = new_map(camera.height, camera.width);
  Plane<std::int32_t> source = new_plane<std::int32_t>(camera.height, camera.width);
  {
    nb::gil_scoped_release release;
    stereo::register_depth(seen, camera, {rules(0), rules(1), rules(2), rules(3), rules(4)},
                           threads, found.data(), error.data(), source.data());
  }
  return std::make_tuple(found, error, source);
}

// For tests: in the last of so many threads something is thrown, while the others wait for it.
void throw_in_worker(int threads, bool no_memory) {
  stereo::Progress done;
  nb::gil_scoped_release release;
  std::atomic<int> here{0};
  stereo::parallel_for(threads, threads, [&](int, int worker) {
    ++here;
    while (here < threads) std::this_thread::yield();  // each thread has one of the tasks
    if (worker + 1 < threads) return done.wait_for(1);
    const stereo::Reaching reaching(done);
    if (no_memory) throw std::bad_alloc();
    throw std::runtime_error("thrown in a worker");
  });
}

// A verdict as in jpeg.hpp.
int check_jpeg(const nb::bytes& data) {
  const auto* bytes = static_cast<const std::uint8_t*>(data.data());
  const std::size_t size = data.size();
  nb::gil_scoped_release release;
  return int(stereo::check_jpeg(bytes, size));
}

}  // namespace

NB_MODULE(_native, module) {
  module.doc() = "Semi-global matching; use stereo.matching.sgm.";

  // a capture thread that a driver still holds at exit is no leak of ours
  nb::set_leak_warnings(false);

  nb::class_<Options>(module, "Options")
      .def(nb::init<>())
      .def_rw("min_disparity", &Options::min_disparity)
      .def_rw("num_disparities", &Options::num_disparities)
      .def_rw("paths", &Options::paths)
      .def_rw("p1", &Options::p1)
      .def_rw("p2", &Options::p2)
      .def_rw("p2_width", &Options::p2_width)
      .def_rw("gradient_cap", &Options::gradient_cap)
      .def_rw("faint_levels", &Options::faint_levels)
      .def("_set_code", &set_code, "code"_a.noconvert(), "(40, 8, 3): columns, rows, weights.")
      .def_rw("uniqueness_percent", &Options::uniqueness_percent)
      .def_rw("left_right_max_px", &Options::left_right_max_px)
      .def_rw("median", &Options::median)
      .def_rw("speckle_size_px", &Options::speckle_size_px)
      .def_rw("speckle_range_px", &Options::speckle_range_px)
      .def_rw("threads", &Options::threads);

  nb::class_<Matcher>(module, "Matcher")
      .def(nb::init<const Options&>(), "options"_a)
      .def("match", &match<std::uint8_t>, "left"_a.noconvert(), "right"_a.noconvert(),
           "codes"_a.noconvert() = nb::none(),
           "Returns disparity (float32, NaN unknown) and confidence (float32, 0 unknown).")
      .def("match", &match<std::uint16_t>, "left"_a.noconvert(), "right"_a.noconvert(),
           "codes"_a.noconvert() = nb::none())
      .def("_winners", &winners<std::uint8_t>, "left"_a.noconvert(), "right"_a.noconvert())
      .def("_winners", &winners<std::uint16_t>, "left"_a.noconvert(), "right"_a.noconvert());

  module.def("weighted_median", &weighted_median, "disparity"_a.noconvert(),
             "weight"_a.noconvert(), "color"_a.noconvert(), "wanted"_a.noconvert(), "keep_px"_a,
             "threads"_a, "Disparity where wanted: the median around it, weighted by color.");
  module.def("sharpen_edges", &sharpen_edges, "disparity"_a.noconvert(),
             "confidence"_a.noconvert(), "color"_a.noconvert(), "rules"_a,
             "threads"_a, "See stereo.refining.edges.");
  module.def("around_edges", &around_edges, "disparity"_a.noconvert(), "step_px"_a,
             "reach_px"_a, "1 within so many pixels of a step of disparity.");
  module.def("texture", &texture, "gray"_a.noconvert(), "most"_a, "steep"_a, "smooth"_a,
             "threads"_a, "See stereo.refining.surfaces.");
  module.def("choose_surfaces", &choose_surfaces, "disparity"_a.noconvert(),
             "weight"_a.noconvert(), "left"_a.noconvert(), "right"_a.noconvert(),
             "misfit"_a.noconvert(), "wanted"_a.noconvert(), "chooser"_a.noconvert(), "keep"_a,
             "threads"_a,
             "See stereo.refining.choosing.");
  module.def("surface_candidates", &surface_candidates, "disparity"_a.noconvert(),
             "weight"_a.noconvert(), "left"_a.noconvert(), "right"_a.noconvert(),
             "misfit"_a.noconvert(), "wanted"_a.noconvert(), "What choose_surfaces chooses from; see training/choices.py.");
  module.attr("CHOOSER_SIZES") =
      nb::make_tuple(stereo::kCandidates, stereo::kChoiceClues, stereo::kUnits);
  module.attr("CHOOSER_WEIGHTS") = stereo::kChooserSize;
  module.def("plane_surfaces", &plane_surfaces, "gray"_a.noconvert(), "slope"_a.noconvert(),
             "fine"_a.noconvert(), "right"_a.noconvert(), "right_slope"_a.noconvert(),
             "right_fine"_a.noconvert(), "disparity"_a.noconvert(), "confidence"_a.noconvert(),
             "labels"_a.noconvert(), "label"_a.noconvert(), "boxes"_a.noconvert(), "threads"_a,
             "See stereo.refining.surfaces.");
  module.def("fill_holes", &fill_holes, "disparity"_a.noconvert(), "confidence"_a.noconvert(),
             "color"_a.noconvert(), "threads"_a, "See stereo.refining.filling.");
  module.def("judge", &judge, "disparity"_a.noconvert(), "confidence"_a.noconvert(),
             "left"_a.noconvert(), "right"_a.noconvert(), "points"_a.noconvert(), "start"_a,
             "probability"_a.noconvert(), "plane"_a, "plane_at_most"_a, "threads"_a,
             "See stereo.refining.doubt.");
  module.def("measure_depth", &measure_depth, "disparity"_a.noconvert(),
             "confidence"_a.noconvert(), "variance"_a, "rules"_a.noconvert(), "threads"_a,
             "See stereo.depth.");
  module.def("cloud_of", &cloud_of, "depth"_a.noconvert(), "sigma"_a.noconvert(),
             "color"_a.noconvert(), "ray_x"_a.noconvert(), "ray_y"_a.noconvert(),
             "max_relative_sigma"_a, "threads"_a, "See stereo.cloud.");
  module.def("every_point", &every_point, "depth"_a.noconvert(), "sigma"_a.noconvert(),
             "color"_a.noconvert(), "ray_x"_a.noconvert(), "ray_y"_a.noconvert(),
             "max_relative_sigma"_a, "threads"_a, "See stereo.cloud.");
  module.def("register_depth", &register_depth, "depth"_a.noconvert(), "sigma"_a.noconvert(),
             "pinhole"_a.noconvert(), "size"_a, "other"_a.noconvert(), "motion"_a.noconvert(),
             "pixels"_a.noconvert(), "rules"_a.noconvert(), "threads"_a, "See stereo.register.");
  module.def("check_jpeg", &check_jpeg, "data"_a, "See stereo.sources.jpeg.");
  module.def("simd_level", [] { return stereo::best_kernel().name; },
             "Instruction set in use: baseline, avx2 or avx512.");
  module.def("memory_bytes", &stereo::memory_bytes, "width"_a, "height"_a, "options"_a,
             "bytes_per_pixel"_a = 1);
  module.def("_bytes_in_buffers", [] { return stereo::bytes_in_buffers.load(); });
  module.def("_throw_in_worker", &throw_in_worker, "threads"_a, "no_memory"_a);
}
