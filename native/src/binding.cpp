// What Python sees: stereo._native. stereo/native.py says which parts need it.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "buffer.hpp"
#include "edges.hpp"
#include "matcher.hpp"
#include "parallel.hpp"
#include "planes.hpp"
#include "register.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using stereo::ImageView;
using stereo::Matcher;
using stereo::Options;
using stereo::PlaneRules;

template <class Pixel>
using Image = nb::ndarray<const Pixel, nb::ndim<2>, nb::device::cpu>;
using Code = nb::ndarray<const std::int16_t, nb::shape<stereo::kCodeBits, stereo::kTaps, 3>,
                         nb::c_contig, nb::device::cpu>;
using Map = nb::ndarray<nb::numpy, float, nb::ndim<2>>;

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

Map new_map(std::size_t height, std::size_t width) {
  float* data = new float[height * width];
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<float*>(p); });
  return Map(data, {height, width}, owner);
}

template <class Pixel>
void check_sizes(const Image<Pixel>& left, const Image<Pixel>& right) {
  if (right.shape(0) != left.shape(0) || right.shape(1) != left.shape(1))
    throw nb::value_error("left and right must have the same size");
  if (left.shape(0) > 32767 || left.shape(1) > 32767)
    throw nb::value_error("images must be at most 32767 pixels wide and high");
}

template <class Pixel>
std::pair<Map, Map> match(Matcher& matcher, Image<Pixel> left, Image<Pixel> right) {
  check_sizes(left, right);
  const std::size_t height = left.shape(0), width = left.shape(1);
  Map disparity = new_map(height, width), confidence = new_map(height, width);
  {
    nb::gil_scoped_release release;
    matcher.match(view(left), view(right), int(width), int(height), disparity.data(),
                  confidence.data());
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
  if (height > 32767 || width > 32767)
    throw nb::value_error("images must be at most 32767 pixels wide and high");
  if (color.shape(2) != 1 && color.shape(2) != 3)
    throw nb::value_error("the image must have 1 or 3 channels");
  if (threads < 1 || threads > 256) throw nb::value_error("threads must be 1 to 256");
  Map out = new_map(height, width);
  {
    nb::gil_scoped_release release;
    stereo::weighted_median({int(width), int(height), int(color.shape(2)), disparity.data(),
                             weight.data(), color.data(), wanted.data()},
                            keep_px, threads, out.data());
  }
  return out;
}

template <class T>
using Line = Dense<T, 1>;

stereo::PlaneViews plane_views(const Dense<std::uint8_t, 2>& gray,
                               const Dense<std::int16_t, 2>& slope,
                               const Dense<std::uint8_t, 2>& right,
                               const Dense<std::int16_t, 2>& right_slope) {
  const std::size_t height = gray.shape(0), width = gray.shape(1);
  for (const std::size_t rows : {slope.shape(0), right.shape(0), right_slope.shape(0)})
    if (rows != height) throw nb::value_error("all images must have the same height");
  for (const std::size_t columns : {slope.shape(1), right.shape(1), right_slope.shape(1)})
    if (columns != width) throw nb::value_error("all images must have the same width");
  return {int(width), int(height), gray.data(), slope.data(), right.data(), right_slope.data()};
}

stereo::PlanePlaces plane_places(const stereo::PlaneViews& views, const Line<std::int32_t>& rows,
                                 const Line<std::int32_t>& columns) {
  if (rows.shape(0) != columns.shape(0)) throw nb::value_error("places need as many rows as columns");
  for (std::size_t i = 0; i < rows.shape(0); ++i)
    if (rows(i) < 0 || rows(i) >= views.height || columns(i) < 0 || columns(i) >= views.width)
      throw nb::value_error("a place lies outside the image");
  return {int(rows.shape(0)), rows.data(), columns.data()};
}

Map plane_costs(const PlaneRules& rules, Dense<std::uint8_t, 2> gray, Dense<std::int16_t, 2> slope,
                Dense<std::uint8_t, 2> right, Dense<std::int16_t, 2> right_slope,
                Line<std::int32_t> rows, Line<std::int32_t> columns, Dense<double, 2> planes) {
  const stereo::PlaneViews views = plane_views(gray, slope, right, right_slope);
  const stereo::PlanePlaces places = plane_places(views, rows, columns);
  if (planes.shape(1) != 3) throw nb::value_error("a plane has three numbers");
  std::vector<stereo::Plane> plane;
  for (std::size_t k = 0; k < planes.shape(0); ++k)
    plane.push_back({planes(k, 0), planes(k, 1), planes(k, 2)});
  Map out = new_map(plane.size(), places.count);
  stereo::plane_costs(rules, views, places, int(plane.size()), plane.data(), out.data());
  return out;
}

void check_rules(const PlaneRules& rules) {
  for (const int count :
       {rules.candidates, rules.semifinalists, rules.finalists, rules.sifted, rules.fewest_matches})
    if (count < 1) throw nb::value_error("all counts of the rules must be at least 1");
}

// a, b, c; or None.
nb::object best_plane(const PlaneRules& rules, Dense<std::uint8_t, 2> gray,
                      Dense<std::int16_t, 2> slope, Dense<std::uint8_t, 2> right,
                      Dense<std::int16_t, 2> right_slope,
                      Line<std::int32_t> rows, Line<std::int32_t> columns, Dense<float, 2> matches,
                      Dense<double, 2> triples, Line<double> voters) {
  check_rules(rules);
  const stereo::PlaneViews views = plane_views(gray, slope, right, right_slope);
  const stereo::PlanePlaces places = plane_places(views, rows, columns);
  if (matches.shape(0) != 4 || matches.shape(1) == 0)
    throw nb::value_error("matches must be x, y, d and weight of at least one match");
  if (triples.shape(0) != 3) throw nb::value_error("a triple takes three draws");
  const auto chance = [](double draw) { return 0 <= draw && draw < 1; };
  if (!std::all_of(triples.data(), triples.data() + triples.size(), chance) ||
      !std::all_of(voters.data(), voters.data() + voters.size(), chance))
    throw nb::value_error("draws must lie in [0, 1)");
  const std::size_t count = matches.shape(1);
  const float* m = matches.data();
  const stereo::PlaneMatches all{int(count), m, m + count, m + 2 * count, m + 3 * count};
  const stereo::PlaneDraws draws{int(triples.shape(1)), int(voters.shape(0)), triples.data(),
                                 voters.data()};
  stereo::Plane plane{};
  if (!stereo::best_plane(rules, views, all, places, draws, plane)) return nb::none();
  return nb::make_tuple(plane.a, plane.b, plane.c);
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
  if (threads < 1 || threads > 256) throw nb::value_error("threads must be 1 to 256");
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
  auto* index = new std::int32_t[std::size_t(camera.height) * camera.width];
  nb::capsule owner(index, [](void* p) noexcept { delete[] static_cast<std::int32_t*>(p); });
  {
    nb::gil_scoped_release release;
    stereo::register_depth(seen, camera, {rules(0), rules(1), rules(2), rules(3), rules(4)},
                           threads, found.data(), error.data(), index);
  }
  nb::ndarray<nb::numpy, std::int32_t, nb::ndim<2>> source(
      index, {std::size_t(camera.height), std::size_t(camera.width)}, owner);
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
           "Returns disparity (float32, NaN unknown) and confidence (float32, 0 unknown).")
      .def("match", &match<std::uint16_t>, "left"_a.noconvert(), "right"_a.noconvert())
      .def("_winners", &winners<std::uint8_t>, "left"_a.noconvert(), "right"_a.noconvert())
      .def("_winners", &winners<std::uint16_t>, "left"_a.noconvert(), "right"_a.noconvert());

  module.def("weighted_median", &weighted_median, "disparity"_a.noconvert(),
             "weight"_a.noconvert(), "color"_a.noconvert(), "wanted"_a.noconvert(), "keep_px"_a,
             "threads"_a, "Disparity where wanted: the median around it, weighted by color.");
  nb::class_<PlaneRules>(module, "PlaneRules")
      .def("__init__",
           [](PlaneRules* place, float agree_px, float cost_cap, double steepest,
              double smallest_triangle, double smallest_area_px2, int candidates,
              int semifinalists, int finalists, int sifted, int fewest_matches) {
             new (place) PlaneRules{agree_px,          cost_cap,   steepest,      smallest_triangle,
                                    smallest_area_px2, candidates, semifinalists, finalists,
                                    sifted,            fewest_matches};
           },
           nb::kw_only(), "agree_px"_a, "cost_cap"_a, "steepest"_a, "smallest_triangle"_a,
           "smallest_area_px2"_a, "candidates"_a, "semifinalists"_a, "finalists"_a, "sifted"_a,
           "fewest_matches"_a);
  module.def("plane_costs", &plane_costs, "rules"_a, "gray"_a.noconvert(), "slope"_a.noconvert(),
             "right"_a.noconvert(), "right_slope"_a.noconvert(), "rows"_a.noconvert(),
             "columns"_a.noconvert(), "planes"_a.noconvert(), "See stereo.refining.plane_fit.");
  module.def("best_plane", &best_plane, "rules"_a, "gray"_a.noconvert(), "slope"_a.noconvert(),
             "right"_a.noconvert(), "right_slope"_a.noconvert(), "rows"_a.noconvert(),
             "columns"_a.noconvert(), "matches"_a.noconvert(), "triples"_a.noconvert(),
             "voters"_a.noconvert(), "See stereo.refining.plane_fit.");
  module.def("register_depth", &register_depth, "depth"_a.noconvert(), "sigma"_a.noconvert(),
             "pinhole"_a.noconvert(), "size"_a, "other"_a.noconvert(), "motion"_a.noconvert(),
             "pixels"_a.noconvert(), "rules"_a.noconvert(), "threads"_a, "See stereo.register.");
  module.def("simd_level", [] { return stereo::best_kernel().name; },
             "Instruction set in use: baseline, avx2 or avx512.");
  module.def("memory_bytes", &stereo::memory_bytes, "width"_a, "height"_a, "options"_a,
             "bytes_per_pixel"_a = 1);
  module.def("_bytes_in_buffers", [] { return stereo::bytes_in_buffers.load(); });
  module.def("_throw_in_worker", &throw_in_worker, "threads"_a, "no_memory"_a);
}
