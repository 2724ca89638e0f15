// A set of cells of a window of a coarse grid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace stereo {

struct Mask {
  int x0, y0, width, height;
  std::vector<std::uint8_t> set;  // [height][width], 0 or 1

  int count() const {
    int sum = 0;
    for (const std::uint8_t one : set) sum += one;
    return sum;
  }
  // Calls visit(x, y, i) for each cell: its place in the grid and its index in the window.
  template <class Visit>
  void each(const Visit& visit) const {
    for (int y = 0, i = 0; y < height; ++y)
      for (int x = 0; x < width; ++x, ++i)
        if (set[i]) visit(x + x0, y + y0, i);
  }
};

inline Mask minus(const Mask& mask, const Mask& other) {
  Mask rest = mask;
  for (std::size_t i = 0; i < rest.set.size(); ++i)
    rest.set[i] = static_cast<std::uint8_t>(rest.set[i] & (other.set[i] ^ 1));
  return rest;
}

// Each cell joined with its eight neighbours, of which none is set outside the window; first along
// rows, then along columns.
template <class Join>
Mask joined(const Mask& mask, const Join& join) {
  const std::size_t width = mask.width, height = mask.height;
  Mask out = mask;
  std::vector<std::uint8_t> along((height + 2) * width);
  for (std::size_t y = 0; y < height; ++y) {
    const std::uint8_t* in = mask.set.data() + y * width;
    std::uint8_t* row = along.data() + (y + 1) * width;
    for (std::size_t x = 1; x + 1 < width; ++x) row[x] = join(join(in[x - 1], in[x]), in[x + 1]);
    if (width == 0) continue;
    row[0] = join(join(0, in[0]), width > 1 ? in[1] : 0);
    row[width - 1] = join(join(width > 1 ? in[width - 2] : 0, in[width - 1]), 0);
  }
  for (std::size_t i = 0; i < out.set.size(); ++i)
    out.set[i] = join(join(along[i], along[i + width]), along[i + 2 * width]);
  return out;
}

// One cell larger to all sides, within the window.
inline Mask widened(const Mask& mask) {
  return joined(mask, [](std::uint8_t a, std::uint8_t b) { return std::uint8_t(a | b); });
}

// One cell smaller from all sides.
inline Mask shrunk(const Mask& mask) {
  return joined(mask, [](std::uint8_t a, std::uint8_t b) { return std::uint8_t(a & b); });
}

}  // namespace stereo
