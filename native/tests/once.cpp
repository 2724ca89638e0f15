// Matches one image TIMES times on one thread and says how many cycles the quickest took, millions:
//     once WIDTH HEIGHT DISPARITIES PATHS TIMES
// What benchmarks/arm64.py counts the instructions of, and times where it can.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "matcher.hpp"

// The clock, told by a chain of additions, one per cycle; lower when something else ran meanwhile.
static double clock_mhz() {
  using namespace std::chrono;
  constexpr int kSteps = 1'000'000;
  const auto start = steady_clock::now();
  for (unsigned long i = 0, x = 1; i < kSteps; ++i) {
    x += 3;
    asm volatile("" : "+r"(x));
  }
  return kSteps / duration<double, std::micro>(steady_clock::now() - start).count();
}

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  using namespace stereo;
  using namespace std::chrono;
  const int width = std::atoi(argv[1]), height = std::atoi(argv[2]), times = std::atoi(argv[5]);
  Options options;
  options.num_disparities = std::atoi(argv[3]);
  options.paths = std::atoi(argv[4]);
  const int shift = options.num_disparities / 3;
  std::mt19937 random(1);
  std::vector<std::uint8_t> image(std::size_t(width) * height + shift);
  for (auto& pixel : image) pixel = std::uint8_t(96 + random() % 64);
  std::vector<float> disparity(std::size_t(width) * height), confidence(disparity.size());
  const ImageView<std::uint8_t> left{image.data(), width, 1}, right{image.data() + shift, width, 1};
  Matcher matcher(options);
  double quickest_us = 1e12, highest_mhz = 0;
  for (int k = 0; k < times; ++k) {
    const auto start = steady_clock::now();
    matcher.match(left, right, width, height, disparity.data(), confidence.data());
    const double us = duration<double, std::micro>(steady_clock::now() - start).count();
    quickest_us = std::min(quickest_us, us);
    highest_mhz = std::max(highest_mhz, clock_mhz());
  }
  std::printf("%.3f\n", 1e-6 * quickest_us * highest_mhz);
}
