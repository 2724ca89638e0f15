// Runs the matcher over odd sizes, ranges, strides and contents; meant for -DSTEREO_SANITIZE=ON.
// Every instruction set that the processor has must also give the same bits.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "edges.hpp"
#include "filling.hpp"
#include "jpeg.hpp"
#include "matcher.hpp"
#include "metric.hpp"
#include "register.hpp"
#include "surfaces.hpp"

namespace {

using namespace stereo;

enum class Content { kNoise, kFlat, kSaturated };

// An image in exactly as many pixels as it needs, so that a sanitizer sees any step outside.
template <class Pixel>
std::vector<Pixel> image(int width, int height, Content content, std::mt19937& random) {
  std::vector<Pixel> pixels(std::size_t(width) * height);
  for (Pixel& p : pixels)
    p = content == Content::kNoise  ? Pixel(random())
        : content == Content::kFlat ? Pixel(77)
                                    : std::numeric_limits<Pixel>::max();
  return pixels;
}

std::uint64_t checksum = 1469598103934665603u;  // of all results (FNV-1a): the same on any processor

void add_to_checksum(const std::vector<float>& values) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
  for (std::size_t i = 0; i < values.size() * sizeof(float); ++i)
    checksum = (checksum ^ bytes[i]) * 1099511628211u;
}

// Any code: pairs of taps whose weights cancel.
void make_code(Options& options, std::mt19937& random) {
  const auto within = [&](int most) {
    return static_cast<std::int8_t>(int(random() % (2 * most + 1)) - most);
  };
  for (auto& taps : options.code)
    for (int t = 0; t < kTaps; t += 2) {
      const auto weight = static_cast<std::int16_t>(1 + random() % 7);
      taps[t] = {within(kWindowX), within(kWindowY), weight};
      taps[t + 1] = {within(kWindowX), within(kWindowY), static_cast<std::int16_t>(-weight)};
    }
}

template <class Pixel>
void run(int width, int height, const Options& base, Content content, std::mt19937& random) {
  const auto left = image<Pixel>(width, height, content, random);
  const auto right = image<Pixel>(width, height, content, random);
  const std::ptrdiff_t last = std::ptrdiff_t(width) * height - 1;
  // Upright, and turned by 180 degrees through negative strides.
  const ImageView<Pixel> views[2] = {{left.data(), width, 1}, {right.data() + last, -width, -1}};
  std::vector<float> reference;
  for (const char* simd : {"baseline", "avx2", "avx512"})
    for (int threads : {1, 3}) {
      setenv("STEREO_SIMD", simd, 1);
      Options options = base;
      options.threads = threads;
      std::vector<float> result(2 * left.size());
      try {
        Matcher(options).match(views[0], views[1], width, height, result.data(),
                               result.data() + left.size());
      } catch (const std::invalid_argument&) {
        continue;  // not on this processor
      }
      if (reference.empty()) add_to_checksum(reference = result);
      if (std::memcmp(reference.data(), result.data(), result.size() * sizeof(float)) != 0) {
        std::printf("%s, %d threads differ at %dx%d\n", simd, threads, width, height);
        std::exit(1);
      }
    }
}

// The weighted median over an image: any thread count gives the same bits.
void run_edges(int width, int height, int channels, std::mt19937& random) {
  const std::size_t pixels = std::size_t(width) * height;
  std::vector<float> disparity(pixels), first(pixels), again(pixels);
  for (float& d : disparity) d = float(random() % 64);
  const auto weight = image<std::uint8_t>(width, height, Content::kNoise, random);
  std::vector<std::uint8_t> wanted(pixels);
  around_edges(width, height, disparity.data(), 50, int(random() % 3), 1, wanted.data());
  const auto color = image<std::uint8_t>(width * channels, height, Content::kNoise, random);
  const EdgeImage edges{width,         height,       channels,     disparity.data(),
                        weight.data(), color.data(), wanted.data()};
  weighted_median(edges, 1, 1, first.data());
  weighted_median(edges, 1, 3, again.data());
  add_to_checksum(first);
  if (first != again) {
    std::printf("weighted median differs between threads at %dx%d\n", width, height);
    std::exit(1);
  }
}

void demand_same(const std::vector<float>& first, const std::vector<float>& again, const char* what,
                 int width, int height) {
  add_to_checksum(first);
  if (first.empty() || std::memcmp(first.data(), again.data(), first.size() * sizeof(float)) == 0)
    return;
  std::printf("%s differs between threads at %dx%d\n", what, width, height);
  std::exit(1);
}

// Regions of any form over any matches, with and without texture: any thread count, the same bits.
void run_surfaces(int width, int height, std::mt19937& random) {
  const std::size_t pixels = std::size_t(width) * height;
  const auto content = random() % 2 ? Content::kNoise : Content::kFlat;
  const auto gray = image<std::uint8_t>(width, height, content, random);
  const auto right = image<std::uint8_t>(width, height, content, random);
  std::vector<std::int16_t> slope(pixels), right_slope(pixels), fine(pixels), right_fine(pixels);
  for (auto* levels : {&slope, &right_slope})
    for (std::int16_t& level : *levels) level = std::int16_t(int(random() % 200) - 100);
  for (auto* levels : {&fine, &right_fine})
    for (std::int16_t& level : *levels) level = std::int16_t(int(random() % 151) - 75);
  const int columns = (width + 3) / 4, rows = (height + 3) / 4;
  std::vector<std::int32_t> labels(std::size_t(columns) * rows);
  for (std::int32_t& label : labels) label = random() % 20 ? 1 : 2;
  std::vector<float> first(2 * pixels), again;
  for (std::size_t i = 0; i < pixels; ++i) {
    const bool known = random() % 4 != 0;
    first[i] = known ? 0.05f * float(i % width) + float(random() % 3) : NAN;
    first[pixels + i] = known ? 0.5f : 0;
  }
  again = first;
  const PlaneViews views{width,        height,       gray.data(),        slope.data(),
                         fine.data(),  right.data(), right_slope.data(), right_fine.data()};
  const std::int32_t label[] = {1, 2}, boxes[] = {0, 0, columns, rows, 0, 0, columns, rows};
  const SurfaceRegions regions{2, label, boxes, labels.data()};
  plane_surfaces(views, regions, 1, first.data(), first.data() + pixels);
  plane_surfaces(views, regions, 3, again.data(), again.data() + pixels);
  demand_same(first, again, "a surface", width, height);
}

// Holes of any form, in gray and in color.
void run_filling(int width, int height, int channels, std::mt19937& random) {
  const std::size_t pixels = std::size_t(width) * height;
  const auto color = image<std::uint8_t>(width * channels, height, Content::kNoise, random);
  const unsigned known = random() % 5;
  std::vector<float> px(pixels), confidence(pixels, 0.5f), first(pixels), again(pixels);
  for (float& d : px) d = random() % 5 < known ? float(random() % 64) : NAN;
  const HoleyMap map{width, height, channels, px.data(), confidence.data(), color.data()};
  fill_holes(map, 1, first.data());
  fill_holes(map, 3, again.data());
  demand_same(first, again, "a filled hole", width, height);
}

// Depth of any kind seen by another camera, larger and smaller: any thread count, the same bits.
void run_register(int width, int height, std::mt19937& random) {
  const std::size_t pixels = std::size_t(width) * height;
  std::uniform_real_distribution<float> chance(0, 1);
  std::vector<float> depth(pixels), sigma(pixels, 0.01f), lens(2 * 9 * 7);
  for (float& z : depth)
    z = random() % 5 ? 1 + 0.02f * chance(random) : random() % 2 ? chance(random) - 0.2f : NAN;
  const int other_width = height + 3, other_height = width + 2;
  const float gain = float(1 + random() % 12);
  for (int j = 0; j < 7; ++j)
    for (int i = 0; i < 9; ++i)
      lens[2 * (9 * j + i)] = gain * float(i - 4) * 3 + float(other_width) / 2,
      lens[2 * (9 * j + i) + 1] = random() % 30 ? gain * float(j - 3) * 3 : NAN;
  const SeenDepth seen{width, height, depth.data(), sigma.data(), 20, width / 2.0f, height / 2.0f};
  const OtherCamera other{other_width, other_height, 20 * gain, 20 * gain, other_width / 2.0f, 0,
                          {0.96f, -0.28f, 0, 0.28f, 0.96f, 0, 0, 0, 1}, {-0.05f, 0.02f, 0.1f},
                          9, 7, -0.6f, -0.45f, 1 / 0.15f, lens.data()};
  const std::size_t others = std::size_t(other_width) * other_height;
  std::vector<float> first(2 * others), again(2 * others);
  std::vector<std::int32_t> source(others);
  const FacetRules rules{2, 1, 0.6f, 6 * gain, 0.05f};
  register_depth(seen, other, rules, 1, first.data(), first.data() + others, source.data());
  register_depth(seen, other, rules, 3, again.data(), again.data() + others, source.data());
  add_to_checksum(first);
  if (std::memcmp(first.data(), again.data(), first.size() * sizeof(float)) != 0) {
    std::printf("registration differs between threads at %dx%d\n", width, height);
    std::exit(1);
  }
}

// Disparities with and without a calibration's variance, then points: any thread count, the same bits.
void run_metric(int width, int height, int channels, std::mt19937& random) {
  const std::size_t pixels = std::size_t(width) * height;
  const auto color = image<std::uint8_t>(width * channels, height, Content::kNoise, random);
  std::vector<float> px(pixels), trust(pixels), plane(pixels), first(2 * pixels), again(2 * pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    px[i] = random() % 5 ? float(random() % 640) / 10 - 2 : NAN;
    trust[i] = float(random() % 256) / 255;
    plane[i] = float(random() % 9) / 100 - 0.02f;
  }
  const MetricRules rules{0.5f, 70, 1 / 70.0f, 0.2f, 0.9f, 56, 0, 50};
  VariancePlanes calibration{};
  if (random() % 2) calibration = {plane.data(), plane.data(), plane.data()};
  const auto measured = [&](int threads, std::vector<float>& out) {
    measure_depth(std::ptrdiff_t(pixels), px.data(), trust.data(), calibration, rules, threads,
                  out.data(), out.data() + pixels);
  };
  measured(1, first), measured(3, again);
  demand_same(first, again, "a depth", width, height);
  const std::vector<float> ray_x(width, 0.1f), ray_y(height, 0.2f);
  const ColoredDepth seen{width,        height,       channels,     first.data(), &first[pixels],
                          color.data(), ray_x.data(), ray_y.data(), 0.25f};
  std::vector<std::ptrdiff_t> begin((height + kCloudRows - 1) / kCloudRows);
  count_points(seen, 3, begin.data());
  std::ptrdiff_t points = 0;
  for (std::ptrdiff_t& block : begin) block = std::exchange(points, points + block);
  std::vector<float> one(3 * points), three(3 * points);
  std::vector<std::uint8_t> colors(3 * points);
  fill_points(seen, begin.data(), 1, one.data(), colors.data());
  fill_points(seen, begin.data(), 3, three.data(), colors.data());
  demand_same(one, three, "a point", width, height);
}

// A JPEG header with the standard code tables, then noise; bytes anywhere are spoilt, ends are cut.
void run_jpeg(std::mt19937& random) {
  std::vector<std::uint8_t> jpeg = {0xff, 0xd8, 0xff, 0xdb, 0, 67, 0};
  jpeg.insert(jpeg.end(), 64, 3);
  for (int byte : {0xff, 0xc0, 0, 17, 8, 0, 64, 0, 80, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0,
                   0xff, 0xdd, 0, 4, 0, int(random() % 4),
                   0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0})
    jpeg.push_back(std::uint8_t(byte));
  const std::size_t head = jpeg.size();
  for (int i = int(random() % 3000); i > 0; --i) {
    jpeg.push_back(std::uint8_t(random() % 250));
    if (random() % 64 == 0) jpeg.insert(jpeg.end(), {0xff, std::uint8_t(random() % 2 ? 0 : 0xd0)});
  }
  jpeg.insert(jpeg.end(), {0xff, 0xd9});
  for (int i = int(random() % 4); i > 0; --i)
    jpeg[random() % (random() % 2 ? head : jpeg.size())] = std::uint8_t(random());
  if (random() % 3 == 0) jpeg.resize(random() % jpeg.size());
  const std::vector<std::uint8_t> exact(jpeg);  // no byte more than it needs
  check_jpeg(exact.data(), exact.size());
}

}  // namespace

int main() {
  std::mt19937 random(1);
  const int widths[] = {1, 2, 15, 64, 65, 131}, heights[] = {1, 2, 8, 9, 17};
  const int counts[] = {1, 16, 63, 64, 65, 128, 200, 300};
  int runs = 0;
  for (int width : widths)
    for (int height : heights) {
      run_edges(width, height, 1 + 2 * (runs++ % 2), random);
      run_register(width, height, random);
      run_metric(width, height, 1 + 2 * (runs % 2), random);
      run_surfaces(width, height, random);
      run_surfaces(4 * width + 3, 3 * height + 1, random);
      run_filling(width, height, 1 + 2 * (runs % 2), random);
    }
  for (int width : widths)
    for (int height : heights)
      for (int count : counts)
        for (int low : {0, -40, 25, -1000, 1000}) {
          Options options;
          options.min_disparity = low;
          options.num_disparities = count;
          options.paths = 3 + runs % 2;
          options.faint_levels = runs % 4 ? 255 : 12;
          make_code(options, random);
          options.median = runs % 3 != 0;
          options.speckle_size_px = runs % 5 * 10;
          const Content content = Content(runs % 7 < 5 ? 0 : runs % 7 - 4);
          if (runs++ % 2)
            run<std::uint8_t>(width, height, options, content, random);
          else
            run<std::uint16_t>(width, height, options, content, random);
        }
  for (int i = 0; i < 20000; ++i) run_jpeg(random);
  std::printf("%d pairs matched, checksum %016llx\n", runs, static_cast<unsigned long long>(checksum));
}
