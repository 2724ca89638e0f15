#include "texture.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "matcher.hpp"
#include "mirror.hpp"
#include "parallel.hpp"

namespace stereo {
namespace {

constexpr int kBand = 4;  // steps of rows in one task

class Finder {
 public:
  Finder(const std::uint8_t* gray, int width, int height, int most, int steep, const Texture& out)
      : gray_(gray), width_(width), height_(height), most_(most), steep_(steep), out_(out) {}

  // The rows [first, end), and the steps of `smooth` that begin there.
  void run(int first, int end) const {
    const int pitch = width_ + 2 * kTextureReach;
    std::vector<std::int16_t> memory(3 * std::size_t(pitch)), slope(width_);
    std::int16_t* start = memory.data() + kTextureReach;
    const TextureColumns columns{start, start + pitch, start + 2 * pitch};
    std::vector<std::uint8_t> steep(width_, 0);
    for (int y = first - 1; y < end; ++y) {
      if (y < 0) continue;
      look(y, columns);
      const bool ours = y >= first;
      std::int16_t* to = ours ? out_.slope + at(y) : slope.data();
      rows_.slope(columns.across, width_, to);
      if (ours) rows_.fine(gray_ + at(y), columns.all, most_, width_, out_.fine + at(y));
      if (out_.smooth == nullptr) continue;
      const int row = y % kTextureStep;
      if (row != 2) rows_.mark_steep(to, columns.down, steep_, width_, steep.data());
      if (row == 1 || (row == 0 && y + 1 == height_)) settle(y / kTextureStep, steep);
    }
  }

 private:
  std::size_t at(int y) const { return std::size_t(width_) * y; }

  void look(int y, const TextureColumns& columns) const {
    const std::uint8_t* rows[2 * kTextureReach + 1];
    for (int k = -kTextureReach; k <= kTextureReach; ++k)
      rows[k + kTextureReach] = gray_ + at(mirrored(y + k, height_));
    rows_.columns(rows, width_, columns);
    for (std::int16_t* row : {columns.across, columns.down, columns.all})
      for (int k = 1; k <= kTextureReach; ++k) {
        row[-k] = row[mirrored(-k, width_)];
        row[width_ - 1 + k] = row[mirrored(width_ - 1 + k, width_)];
      }
  }

  // The step of rows that `steep` has been joined for; begins the next one.
  void settle(int step, std::vector<std::uint8_t>& steep) const {
    const int count = (width_ + kTextureStep - 1) / kTextureStep;
    std::uint8_t* smooth = out_.smooth + std::size_t(count) * step;
    for (int k = 0; k < count; ++k) {
      const int x = kTextureStep * k;
      smooth[k] = !(steep[std::max(x - 1, 0)] | steep[x] | steep[std::min(x + 1, width_ - 1)]);
    }
    std::fill(steep.begin(), steep.end(), std::uint8_t(0));
  }

  const TextureRows& rows_ = best_kernel().texture;
  const std::uint8_t* gray_;
  const int width_, height_, most_, steep_;
  const Texture& out_;
};

}  // namespace

void find_texture(const std::uint8_t* gray, int width, int height, int most, int steep, int threads,
                  const Texture& out) {
  const Finder finder(gray, width, height, most, steep, out);
  constexpr int kRows = kBand * kTextureStep;
  parallel_for(threads, (height + kRows - 1) / kRows, [&](int band, int) {
    finder.run(band * kRows, std::min(height, (band + 1) * kRows));
  });
}

}  // namespace stereo
