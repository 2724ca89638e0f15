#include "register.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "parallel.hpp"

namespace stereo {
namespace {

constexpr float kFarthestPx = 1e5f;  // beyond the image by so much: not seen

// Four pixels at once, on any processor: GCC's and Clang's vector extension.
typedef float Four __attribute__((vector_size(16)));
typedef std::int32_t FourInts __attribute__((vector_size(16)));

inline Four four(float value) { return Four{value, value, value, value}; }
inline Four load(const float* p) {
  Four x;
  std::memcpy(&x, p, sizeof x);
  return x;
}
inline void store(float* p, Four x) { std::memcpy(p, &x, sizeof x); }
inline void store(std::int32_t* p, FourInts x) { std::memcpy(p, &x, sizeof x); }
inline Four absolute(Four x) { return Four(FourInts(x) & 0x7fffffff); }
inline Four where(FourInts yes, Four a, Four b) {
  return Four((FourInts(a) & yes) | (FourInts(b) & ~yes));
}
inline Four smaller(Four a, Four b) { return where(a < b, a, b); }

// Memory that nobody has written yet.
template <class T>
struct Plane {
  std::unique_ptr<T[]> data;
  explicit Plane(std::size_t size) : data(new T[size]) {}
};

// Where each measured pixel lies in the other image, and how near: 1/Z there, 0 for none. One
// pixel of rim on each side, so that every pixel has neighbours.
struct Moved {
  int width, height, stride;
  Plane<float> u, v, near, scale;      // scale: Z here by Z there
  std::vector<float> lowest, highest;  // v, for each row

  Moved(int width, int height)
      : width(width),
        height(height),
        stride(width + 2),
        u(size()),
        v(size()),
        near(size()),
        scale(size()),
        lowest(height),
        highest(height) {
    std::fill(scale.data.get() + size() - stride - 4, scale.data.get() + size(), 0.0f);
    for (float* plane : {u.data.get(), v.data.get(), near.data.get()}) {
      std::fill(plane, plane + stride, 0.0f);
      std::fill(plane + size() - stride - 4, plane + size(), 0.0f);
    }
  }
  // four are read at once, also of the last
  std::size_t size() const { return std::size_t(stride) * (height + 2) + 4; }
  std::size_t row(int y) const { return std::size_t(y + 1) * stride + 1; }
};

// The ray (x, y, 1) of each column, and the place in the lens table of each pixel of a row.
struct Line {
  std::vector<float> ray_x, column, row;
  std::vector<int> cell;

  explicit Line(const SeenDepth& seen)
      : ray_x(seen.width), column(seen.width), row(seen.width), cell(seen.width) {
    for (int x = 0; x < seen.width; ++x) ray_x[x] = (float(x) - seen.cx) / seen.focal;
  }
};

// First of all what the compiler can do for many pixels at once: no branches.
void aim_row(const SeenDepth& seen, const OtherCamera& other, int y, Moved& moved, Line& line) {
  const float R0 = other.rotation[0], R3 = other.rotation[3], R6 = other.rotation[6];
  const float t0 = other.shift[0], t1 = other.shift[1], t2 = other.shift[2];
  const float ray_y = (float(y) - seen.cy) / seen.focal;
  const float a0 = other.rotation[1] * ray_y + other.rotation[2];
  const float a1 = other.rotation[4] * ray_y + other.rotation[5];
  const float a2 = other.rotation[7] * ray_y + other.rotation[8];
  const float first_x = other.first_x, first_y = other.first_y, per_step = other.per_step;
  const float last_column = float(other.columns - 1), last_row = float(other.rows - 1);
  const int columns = other.columns, width = seen.width;
  const float* __restrict depth = seen.depth + std::size_t(y) * width;
  const float* __restrict ray_x = line.ray_x.data();
  float* __restrict near = moved.near.data.get() + moved.row(y);
  float* __restrict scale = moved.scale.data.get() + moved.row(y);
  float* __restrict columns_at = line.column.data();
  float* __restrict rows_at = line.row.data();
  int* __restrict cells = line.cell.data();
  for (int x = 0; x < width; ++x) {
    const float Z = depth[x];
    const float away = Z * (R6 * ray_x[x] + a2) + t2;
    const float inverse = 1.0f / away;
    const float column = ((Z * (R0 * ray_x[x] + a0) + t0) * inverse - first_x) * per_step;
    const float row = ((Z * (R3 * ray_x[x] + a1) + t1) * inverse - first_y) * per_step;
    // NaN fails each of these
    const bool seen_there = (away > 1e-3f) & (column >= 0.0f) & (column < last_column) &
                            (row >= 0.0f) & (row < last_row);
    const float safe_column = seen_there ? column : 0.0f, safe_row = seen_there ? row : 0.0f;
    const int i = int(safe_column), j = int(safe_row);
    columns_at[x] = safe_column - float(i);
    rows_at[x] = safe_row - float(j);
    cells[x] = j * columns + i;
    near[x] = seen_there ? inverse : 0.0f;
    scale[x] = seen_there ? Z * inverse : 0.0f;
  }
}

void move_row(const SeenDepth& seen, const OtherCamera& other, int y, Moved& moved, Line& line) {
  aim_row(seen, other, y, moved, line);
  const std::size_t at = moved.row(y), below = 2 * std::size_t(other.columns);
  float *u_at = moved.u.data.get() + at, *v_at = moved.v.data.get() + at;
  float *near = moved.near.data.get() + at, *scale = moved.scale.data.get() + at;
  float lowest = kFarthestPx, highest = -kFarthestPx;
  for (int x = 0; x < seen.width; ++x) {
    const float* p = other.pixels + 2 * std::size_t(line.cell[x]);
    const Four upper = load(p), lower = load(p + below);
    const Four sides = upper + (lower - upper) * line.row[x];  // u, v to the left, then to the right
    const float u = sides[0] + (sides[2] - sides[0]) * line.column[x];
    const float v = sides[1] + (sides[3] - sides[1]) * line.column[x];
    const bool there = (near[x] > 0) & (std::abs(u) < kFarthestPx) & (std::abs(v) < kFarthestPx);
    u_at[x] = there ? u : 0.0f, v_at[x] = there ? v : 0.0f;
    near[x] = there ? near[x] : 0.0f, scale[x] = there ? scale[x] : 0.0f;
    lowest = there ? std::min(lowest, v) : lowest;
    highest = there ? std::max(highest, v) : highest;
  }
  moved.lowest[y] = lowest, moved.highest[y] = highest;
  for (float* plane : {u_at, v_at, near}) plane[-1] = plane[seen.width] = 0.0f;
}

// What is drawn of one row of facets. Where the other camera has about as many pixels, nearly all
// cover one pixel or none: of those it holds 1/Z (0: none) and the place. Of those that reach to at
// most two columns and two rows it holds 1/Z at the four pixels, 0 where they are not covered.
constexpr std::int32_t kNone = 0, kOne = 1, kFour = 2, kAny = 3;  // the kinds of them

struct Facets {
  std::vector<float> su, sv, tu, tv, near_u, near_v, reach_u, reach_v;
  std::array<std::vector<float>, 4> corner;
  std::vector<float> one;
  std::vector<std::int32_t> column, row, first, first_row, kind;

  explicit Facets(int width) {
    const std::size_t size = width + 4;
    for (auto* line : {&su, &sv, &tu, &tv, &near_u, &near_v, &reach_u, &reach_v, &one})
      line->resize(size);
    for (auto& line : corner) line.resize(size);
    for (auto* line : {&column, &row, &first, &first_row, &kind}) line->resize(size);
  }
};

// A facet's slopes: where a pixel lies in it (s, t), and 1/Z there.
struct Slopes {
  Four near, su, sv, tu, tv, near_u, near_v;

  // 1/Z at so much from the middle, 0 where the facet does not cover it.
  Four at(Four du, Four dv, Four half) const {
    const Four s = su * du + sv * dv, t = tu * du + tv * dv;
    const Four there = near + (near_u * du + near_v * dv);
    return Four(FourInts(there) & (absolute(s) <= half) & (absolute(t) <= half) & (there > 0.0f));
  }
};

// Mean step to and from the neighbours on the same surface; `alone` where there is none.
inline Four slope(Four before, Four here, Four after, FourInts follows, FourInts leads, Four alone) {
  const Four forward = after - here, backward = here - before;
  const Four one = where(follows, forward, where(leads, backward, alone));
  const Four two = where(leads, backward, where(follows, forward, alone));
  return (one + two) * 0.5f;
}

// The least whole number that is not below, for values that an int holds.
inline FourInts up(Four value) {
  const FourInts whole = __builtin_convertvector(value, FourInts);
  return whole - (__builtin_convertvector(whole, Four) < value);
}

void shape_row(const SeenDepth& seen, const OtherCamera& other, const FacetRules& rules,
               const Moved& moved, int y, Facets& facets) {
  const float* R = other.rotation;
  const std::ptrdiff_t stride = moved.stride;
  const float gain_u = other.fx / seen.focal, gain_v = other.fy / seen.focal;
  const float inverse_fx = 1.0f / other.fx, inverse_fy = 1.0f / other.fy;
  const Four half = four(rules.half_side), largest = four(rules.largest_px);
  const Four limit = four(rules.same_surface_px / rules.pixels_per_inverse_metre);
  for (int x = 0; x < seen.width; x += 4) {
    const std::size_t at = moved.row(y) + x;
    const float *u = moved.u.data.get() + at, *v = moved.v.data.get() + at;
    const float* near = moved.near.data.get() + at;
    const Four here = load(near), here_u = load(u), here_v = load(v);
    const auto beside = [&](std::ptrdiff_t step) {
      const Four there = load(near + step);
      return (there > 0.0f) & (absolute(here - there) <= limit);
    };
    const FourInts leads = beside(-1), follows = beside(1);
    const FourInts above = beside(-stride), under = beside(stride);
    // of a pixel without neighbours: as if it faced the camera that measured it
    const Four tx = (here_u - other.cx) * inverse_fx, ty = (here_v - other.cy) * inverse_fy;
    const Four scale = load(moved.scale.data.get() + at);
    const Four gained_u = gain_u * scale, gained_v = gain_v * scale;
    const Four ux0 = gained_u * (R[0] - tx * R[6]), uy0 = gained_u * (R[1] - tx * R[7]);
    const Four vx0 = gained_v * (R[3] - ty * R[6]), vy0 = gained_v * (R[4] - ty * R[7]);
    const auto along = [&](const float* p, Four middle, Four alone) {
      return slope(load(p - 1), middle, load(p + 1), follows, leads, alone);
    };
    const auto upright = [&](const float* p, Four middle, Four alone) {
      return slope(load(p - stride), middle, load(p + stride), under, above, alone);
    };
    const Four ux = along(u, here_u, ux0), uy = upright(u, here_u, uy0);
    const Four vx = along(v, here_v, vx0), vy = upright(v, here_v, vy0);
    const Four wx = along(near, here, four(0)), wy = upright(near, here, four(0));
    const Four turn = ux * vy - uy * vx, facing = ux0 * vy0 - uy0 * vx0;
    const Four inverse = 1.0f / turn;
    const FourInts drawn = (here > 0.0f) & (turn > rules.least_turn * facing);
    const Four reach_u = smaller(half * (absolute(ux) + absolute(uy)), largest);
    const Four reach_v = smaller(half * (absolute(vx) + absolute(vy)), largest);
    const Slopes slopes{here,          vy * inverse, -uy * inverse,
                        -vx * inverse, ux * inverse, (wx * vy - wy * vx) * inverse,
                        (wy * ux - wx * uy) * inverse};
    const Four low_u = where(drawn, here_u - reach_u, four(0));
    const Four low_v = where(drawn, here_v - reach_v, four(0));
    const FourInts first = up(low_u), first_row = up(low_v);
    const Four column = __builtin_convertvector(first, Four);
    const Four row = __builtin_convertvector(first_row, Four);
    FourInts any = {}, hits = {}, to_right = {}, to_below = {};
    for (int k = 0; k < 4; ++k) {
      const Four c = column + float(k % 2), r = row + float(k / 2);
      const FourInts reached = (c <= here_u + reach_u) & (r <= here_v + reach_v) & drawn;
      const FourInts found = FourInts(slopes.at(c - here_u, r - here_v, half)) & reached;
      const FourInts hit = found != 0;
      any |= found, hits -= hit;
      if (k % 2) to_right |= hit;
      if (k / 2) to_below |= hit;
      store(&facets.corner[k][x], Four(found));
    }
    const FourInts large = (reach_u >= 1.0f) | (reach_v >= 1.0f);
    const FourInts several = hits > 1;
    const FourInts small = (several & kFour) | (~several & kOne);
    store(&facets.kind[x], drawn & ((large & kAny) | (~large & small)));
    store(&facets.one[x], Four(any));
    store(&facets.column[x], first - to_right), store(&facets.row[x], first_row - to_below);
    store(&facets.first[x], first), store(&facets.first_row[x], first_row);
    store(&facets.su[x], slopes.su), store(&facets.sv[x], slopes.sv);
    store(&facets.tu[x], slopes.tu), store(&facets.tv[x], slopes.tv);
    store(&facets.near_u[x], slopes.near_u), store(&facets.near_v[x], slopes.near_v);
    store(&facets.reach_u[x], reach_u);
    store(&facets.reach_v[x], reach_v);
  }
}

// 1/Z above the index of the pixel it comes from: the larger number is the nearer facet.
inline std::uint64_t packed(float near, std::uint32_t index) {
  std::uint32_t bits;
  std::memcpy(&bits, &near, sizeof bits);
  return std::uint64_t(bits) << 32 | index;
}
inline float near_of(std::uint64_t drawn) {
  const std::uint32_t bits = std::uint32_t(drawn >> 32);
  float near;
  std::memcpy(&near, &bits, sizeof near);
  return near;
}

// The largest whole number that is not above, for values that an int holds.
inline int down(float value) {
  const int whole = int(value);
  return whole - (float(whole) > value);
}

inline void draw(std::uint64_t& best, float near, std::uint32_t index) {
  const std::uint64_t mine = near > 0 ? packed(near, index) : 0;
  best = mine > best ? mine : best;
}

// The rows [top, end) of the other image; no other thread draws there.
struct Band {
  int top, end, width;
  std::uint64_t* drawn;

  std::uint64_t* at(int column, int row) const { return drawn + std::size_t(row) * width + column; }

  // A facet that reaches to more than four pixels, or to the rim.
  void draw_any(const Facets& facets, int x, float u, float v, float near, float half,
                std::uint32_t index) const {
    const Slopes slopes{four(near),         four(facets.su[x]), four(facets.sv[x]),
                        four(facets.tu[x]), four(facets.tv[x]), four(facets.near_u[x]),
                        four(facets.near_v[x])};
    const int last = std::min(width - 1, down(u + facets.reach_u[x]));
    const int last_row = std::min(end - 1, down(v + facets.reach_v[x]));
    for (int row = std::max(top, facets.first_row[x]); row <= last_row; ++row)
      for (int column = std::max(0, facets.first[x]); column <= last; column += 4) {
        const float c = float(column);
        const Four du = Four{c, c + 1, c + 2, c + 3} - u;
        const Four found = slopes.at(du, four(float(row) - v), four(half));
        for (int k = 0; k < 4 && column + k <= last; ++k) draw(at(column, row)[k], found[k], index);
      }
  }
};

void draw_band(const SeenDepth& seen, const OtherCamera& other, const FacetRules& rules,
               const Moved& moved, const Band& band) {
  std::fill(band.at(0, band.top), band.at(0, band.end), 0);
  Facets facets(seen.width);
  const float reach = rules.largest_px;
  const unsigned columns = unsigned(band.width), rows = unsigned(band.end - band.top);
  for (int y = 0; y < seen.height; ++y) {
    if (moved.highest[y] + reach < float(band.top) || moved.lowest[y] - reach > float(band.end - 1))
      continue;
    shape_row(seen, other, rules, moved, y, facets);
    const std::size_t row = moved.row(y);
    std::uint32_t index = std::uint32_t(y) * std::uint32_t(seen.width);
    for (int x = 0; x < seen.width; ++x, ++index) {
      const int kind = facets.kind[x];
      // negative numbers are huge ones here
      if (kind == kOne) {
        const unsigned place = unsigned(facets.row[x] - band.top);
        if ((place < rows) & (unsigned(facets.column[x]) < columns))
          draw(*band.at(facets.column[x], facets.row[x]), facets.one[x], index);
      } else if (kind == kFour && unsigned(facets.first[x]) < columns - 1 &&
                 unsigned(facets.first_row[x] - band.top) < rows - 1) {
        std::uint64_t* best = band.at(facets.first[x], facets.first_row[x]);
        std::uint64_t* next = best + band.width;
        draw(best[0], facets.corner[0][x], index), draw(best[1], facets.corner[1][x], index);
        draw(next[0], facets.corner[2][x], index), draw(next[1], facets.corner[3][x], index);
      } else if (kind != kNone) {
        band.draw_any(facets, x, moved.u.data[row + x], moved.v.data[row + x],
                      moved.near.data[row + x], rules.half_side, index);
      }
    }
  }
}

// What two opposite neighbours say of a pixel between them: 0, or one surface that stands before
// what was drawn there, seen through a crack in it.
inline std::uint64_t across(std::uint64_t here, std::uint64_t one, std::uint64_t two, float limit) {
  if (!one || !two) return 0;
  const float first = near_of(one), second = near_of(two);
  if (std::abs(first - second) > limit) return 0;
  if (here && std::min(first, second) - near_of(here) <= limit) return 0;
  return packed((first + second) * 0.5f, std::uint32_t(one));
}

void finish_row(const SeenDepth& seen, const OtherCamera& other, float limit, int y,
                const std::uint64_t* drawn, float* depth, float* sigma, std::int32_t* source) {
  constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
  const std::size_t at = std::size_t(y) * other.width;
  const std::ptrdiff_t wide = other.width;
  for (int x = 0; x < other.width; ++x) {
    const std::uint64_t* here = drawn + at + x;
    std::uint64_t found = *here;
    const bool beside = x > 0 && x + 1 < other.width, between = y > 0 && y + 1 < other.height;
    const std::uint64_t along = beside ? across(found, here[-1], here[1], limit) : 0;
    const std::uint64_t upright = between ? across(found, here[-wide], here[wide], limit) : 0;
    found = std::max({found, along, upright});
    const std::uint32_t index = std::uint32_t(found);
    depth[at + x] = found ? 1.0f / near_of(found) : kUnknown;
    source[at + x] = found ? std::int32_t(index) : -1;
    if (!found) {
      sigma[at + x] = kUnknown;
      continue;
    }
    // the error bar's share of the depth is kept
    const float share = std::abs(depth[at + x] - other.shift[2]) / seen.depth[index];
    sigma[at + x] = seen.sigma[index] * share;
  }
}

}  // namespace

void register_depth(const SeenDepth& seen, const OtherCamera& other, const FacetRules& rules,
                    int threads, float* depth, float* sigma, std::int32_t* source) {
  constexpr int kRows = 16;
  Moved moved(seen.width, seen.height);
  parallel_for(threads, (seen.height + kRows - 1) / kRows, [&](int task, int) {
    Line line(seen);
    for (int y = task * kRows; y < std::min(seen.height, (task + 1) * kRows); ++y)
      move_row(seen, other, y, moved, line);
  });
  Plane<std::uint64_t> drawn(std::size_t(other.width) * other.height);
  const int bands = std::min(2 * threads, other.height);
  parallel_for(threads, bands, [&](int band, int) {
    const int top = int(std::int64_t(other.height) * band / bands);
    const int end = int(std::int64_t(other.height) * (band + 1) / bands);
    draw_band(seen, other, rules, moved, {top, end, other.width, drawn.data.get()});
  });
  const float limit = rules.same_surface_px / rules.pixels_per_inverse_metre;
  parallel_for(threads, (other.height + kRows - 1) / kRows, [&](int task, int) {
    for (int y = task * kRows; y < std::min(other.height, (task + 1) * kRows); ++y)
      finish_row(seen, other, limit, y, drawn.data.get(), depth, sigma, source);
  });
}

}  // namespace stereo
