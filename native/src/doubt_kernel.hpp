// The rows of doubt.cpp, compiled for each instruction set. Plain loops: compilers make vectors of them.
#pragma once

#include "doubt_rows.hpp"
#include "simd.hpp"

namespace {

using namespace stereo;
using i16 = std::int16_t;
using i32 = std::int32_t;

// The nearest whole number, the even one of two; below 2^22.
inline float rounded(float value) {
  constexpr float kMagic = 12582912;  // 1.5 * 2^23: there floats are whole numbers
  return (value + kMagic) - kMagic;
}

// In double precision, where the product and the sum are exact, and rounded to a float: as one fused
// operation gives it, on any processor.
void own_levels(const float* px, const float* confidence, int width, u8* __restrict out) {
  constexpr float kFinite = 3.40282347e38f;
  for (int x = 0; x < width; ++x) {
    const float rest = 1 - confidence[x];
    const double root = __builtin_sqrtf(rest > 0 ? rest : 0);
    const auto level = static_cast<i32>(rounded(static_cast<float>(255 - 255 * root)));
    const bool known = (px[x] <= kFinite) & (px[x] >= -kFinite);
    out[x] = static_cast<u8>(known ? (level < 1 ? 1 : level) : 0);
  }
}

void add_along(const i16* row, int count, int width, i16* __restrict sums) {
  for (int x = 0; x < width; ++x) sums[x] = 0;
  for (int k = 0; k < count; ++k)
    for (int x = 0; x < width; ++x) sums[x] = static_cast<i16>(sums[x] + row[x + k]);
}

void move_window(const i16* gained, const i16* lost, int width, i32* __restrict sums) {
  for (int x = 0; x < width; ++x) sums[x] += gained[x] - lost[x];
}

void off_mean(const i16* row, const i32* sums, float share, int levels, int width,
              u8* __restrict out) {
  for (int x = 0; x < width; ++x) {
    const auto mean = static_cast<i32>(rounded(static_cast<float>(sums[x]) * share));
    const i32 off = (row[x] < mean ? mean - row[x] : row[x] - mean) * levels;
    out[x] = static_cast<u8>(off < 255 ? off : 255);
  }
}

void map_levels(const float* px, float lowest, float per_px, int width, i16* __restrict out) {
  for (int x = 0; x < width; ++x) {
    const float level = px[x] * per_px - lowest * per_px;
    const float held = level < 65535 ? level : 65535;
    out[x] = static_cast<i16>(static_cast<i32>(rounded(held)) - 32768);
  }
}

void replace_holes(const i16* levels, const u8* own, i16 by, int width, i16* __restrict out) {
  for (int x = 0; x < width; ++x) out[x] = own[x] ? levels[x] : by;
}

void lower_of(const i16* row, int width, i16* __restrict out) {
  for (int x = 0; x < width; ++x) out[x] = row[x] < out[x] ? row[x] : out[x];
}

void higher_of(const i16* row, int width, i16* __restrict out) {
  for (int x = 0; x < width; ++x) out[x] = row[x] > out[x] ? row[x] : out[x];
}

void step_between(const i16* low, const i16* high, const u8* own, int width, u8* __restrict out) {
  for (int x = 0; x < width; ++x) {
    const i32 step = high[x] - low[x];
    const i32 held = step < 0 ? 0 : step < 255 ? step : 255;
    out[x] = static_cast<u8>(own[x] ? held : 0);
  }
}

void add_rows(const u8* above, const u8* row, const u8* below, int width, u16* __restrict sums) {
  for (int x = 0; x < width; ++x) sums[x] = static_cast<u16>(above[x] + row[x] + below[x]);
}

void mean_of_nine(const u16* sums, int width, u8* __restrict out) {
  for (int x = 0; x < width; ++x) {
    const auto sum = static_cast<u16>(sums[x - 1] + sums[x] + sums[x + 1] + 4);
    out[x] = static_cast<u8>(sum / 9);
  }
}

void unlikeness(const u8* differ, const u8* contrast, int faint, float levels, int width,
                u8* __restrict out) {
  for (int x = 0; x < width; ++x) {
    const i32 stronger = contrast[x] + faint;
    const auto against = static_cast<float>(stronger < 255 ? stronger : 255);
    const float unlike = rounded(static_cast<float>(differ[x]) * levels / against);
    out[x] = static_cast<u8>(unlike < 255 ? unlike : 255);
  }
}

void add_worth(const u8* clue, const i32* worth, int width, i32* __restrict sums) {
  for (int x = 0; x < width; ++x) sums[x] += worth[clue[x]];
}

void look_up(const u8* own, const i32* sums, const i32* worth, const float* table, int width,
             float* __restrict out) {
  for (int x = 0; x < width; ++x) out[x] = table[sums[x] + worth[own[x]]];
}

constexpr DoubtRows kDoubtRows = {own_levels,   add_along,    move_window, off_mean,  map_levels,
                                  replace_holes, lower_of,     higher_of,   step_between, add_rows,
                                  mean_of_nine, unlikeness,   add_worth,   look_up};

}  // namespace
