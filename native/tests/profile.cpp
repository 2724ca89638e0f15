// Where the matcher's time goes: cycles per pixel and disparity of each kernel, working in cache.
//
// Prints a table for every instruction set this processor has. The clock is taken from a chain of
// additions, one per cycle. What a whole match takes beyond the sum of its kernels (last columns) is
// waiting for memory, and the work per image: description, left-right check, median, speckles.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "matcher.hpp"

namespace {

using namespace stereo;

double now_ns() {
  using namespace std::chrono;
  return double(duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count());
}

// The median of several timings of body(), in ns.
template <class Body>
double median_ns(int repeats, const Body& body) {
  std::vector<double> times;
  body();
  for (int i = 0; i < repeats; ++i) {
    const double start = now_ns();
    body();
    times.push_back(now_ns() - start);
  }
  std::nth_element(times.begin(), times.begin() + repeats / 2, times.end());
  return times[repeats / 2];
}

double cycles_per_ns() {
  constexpr int kSteps = 20'000'000;
  const double ns = median_ns(5, [] {
    unsigned long x = 1;
    for (int i = 0; i < kSteps; ++i) {
      x += 3;
      asm volatile("" : "+r"(x));
    }
  });
  return kSteps / ns;
}

// Rows of noise, described, with all that the kernels write to; small enough for the L2 cache.
struct Bench {
  static constexpr int kWidth = 128, kImageRows = 2 * kWindowY + 1;
  Search search{};
  std::vector<std::uint8_t> image, scratch, right, state, floor, along, match, sum;
  std::vector<LeftPixel> left;
  std::vector<std::uint16_t> index, smooth;
  std::vector<std::uint8_t> costs;
  Row rows[kTogether];

  Bench(const Kernel& kernel, int disparities) {
    Options options;
    options.num_disparities = disparities;
    search = make_search(kWidth, kTogether, options, kernel.lanes);
    const int stride = kWidth + 2 * kWindowX + kVectorSlack;
    std::mt19937 random(1);
    image.resize(kImageRows * stride);
    for (auto& pixel : image) pixel = std::uint8_t(random());
    const std::uint8_t* image_rows[kImageRows];
    for (int i = 0; i < kImageRows; ++i)
      image_rows[i] = image.data() + i * stride + kWindowX;
    smooth.resize(image.size());
    for (auto& pixel : smooth) pixel = std::uint16_t(random() % (kSmoothMax + 1));
    const std::uint16_t* smooth_rows[kImageRows];
    for (int i = 0; i < kImageRows; ++i)
      smooth_rows[i] = smooth.data() + i * stride + kWindowX;
    const std::size_t cells = std::size_t(kWidth) * search.cells;
    scratch.resize(kScratchPlanes * search.plane_stride);
    right.resize(kPlanes * search.plane_stride);
    left.resize(kWidth);
    index.resize(kTogether * kWidth);
    costs.resize(4 * kTogether * kWidth);
    state.resize(cells);
    floor.resize(kWidth);
    along.resize(kTogether * search.cells);
    match.resize(kTogether * cells);
    sum.resize(kTogether * cells);
    kernel.describe_left_8(search, image_rows, smooth_rows, 1, scratch.data(), left.data());
    kernel.describe_right_8(search, image_rows, smooth_rows, 1, scratch.data(), right.data());
    for (int i = 0; i < kTogether; ++i)
      rows[i] = {{left.data(), right.data()},
                 {match.data() + i * cells, sum.data() + i * cells},
                 along.data() + i * search.cells,
                 0,
                 Winners::in(index.data(), costs.data(), kTogether * kWidth) + i * kWidth};
  }
};

struct Profile {
  double climb, climb_kept, forward, backward;
};

Profile profile(const Kernel& kernel, int disparities) {
  Bench b(kernel, disparities);
  const Row& row = b.rows[0];
  const LeftPixel* below = row.description.left;
  const PathRow state{b.state.data(), b.floor.data()};
  const auto time = [&](int rows, auto body) {
    return median_ns(301, body) / (double(Bench::kWidth) * disparities * rows);
  };
  const auto climb = [&](const GatherRow* gather) {
    kernel.climb(b.search, row.description, below, 0, Bench::kWidth, state, state, gather);
  };
  return {
      time(1, [&] { climb(nullptr); }),
      time(1, [&] { climb(&row.gather); }),
      time(kTogether,
           [&] { kernel.forward(b.search, b.rows, kTogether, 0, Bench::kWidth, true, state); }),
      time(kTogether, [&] { kernel.backward(b.search, b.rows, kTogether); }),
  };
}

double whole_match(int width, int height, int disparities) {
  std::mt19937 random(1);
  std::vector<std::uint8_t> image(std::size_t(width) * height);
  for (auto& pixel : image) pixel = std::uint8_t(random());
  std::vector<float> disparity(image.size()), confidence(image.size());
  Options options;
  options.num_disparities = disparities;
  Matcher matcher(options);
  const ImageView<std::uint8_t> view{image.data(), width, 1};
  const double ns = median_ns(5, [&] {
    matcher.match(view, view, width, height, disparity.data(), confidence.data());
  });
  return ns / (double(width) * height * disparities);
}

}  // namespace

int main() {
  const double clock = cycles_per_ns();
  std::printf("%.2f GHz; cycles per pixel and disparity, one thread\n", clock);
  std::printf("%-9s %5s | %6s %10s %8s %9s | %6s %14s\n", "", "", "climb", "and keeps", "forward",
              "backward", "sum", "whole match of");
  for (const char* simd : {"baseline", "avx2", "avx512"}) {
    setenv("STEREO_SIMD", simd, 1);
    const Kernel* kernel;
    try {
      kernel = &best_kernel();
    } catch (const std::invalid_argument&) {
      continue;
    }
    const int shapes[][3] = {{640, 480, 64}, {1280, 720, 128}, {1400, 1000, 256}, {2964, 1988, 384}};
    for (const auto& [width, height, disparities] : shapes) {
      const Profile p = profile(*kernel, disparities);
      const double sum = p.climb + p.climb_kept + p.forward + p.backward;
      std::printf("%-9s %5d | %6.3f %10.3f %8.3f %9.3f | %6.3f %8.3f at %dx%d\n", simd, disparities,
                  p.climb * clock, p.climb_kept * clock, p.forward * clock, p.backward * clock,
                  sum * clock, whole_match(width, height, disparities) * clock, width, height);
    }
  }
}
