// The rows of texture.cpp, compiled for each instruction set. Plain loops: compilers make vectors of
// them.
#pragma once

#include "simd.hpp"
#include "texture_rows.hpp"

namespace {

using namespace stereo;

void texture_columns(const u8* const* rows, int width, TextureColumns out) {
  const u8 *first = rows[0], *above = rows[1], *row = rows[2], *below = rows[3], *last = rows[4];
  std::int16_t *__restrict across = out.across, *__restrict down = out.down, *__restrict all = out.all;
  for (int x = 0; x < width; ++x) {
    const int beside = above[x] + below[x];
    across[x] = static_cast<std::int16_t>(beside + 2 * row[x]);
    down[x] = static_cast<std::int16_t>(below[x] - above[x]);
    all[x] = static_cast<std::int16_t>(beside + row[x] + first[x] + last[x]);
  }
}

void texture_slope(const std::int16_t* across, int width, std::int16_t* __restrict out) {
  for (int x = 0; x < width; ++x) out[x] = static_cast<std::int16_t>(across[x + 1] - across[x - 1]);
}

void texture_fine(const u8* row, const std::int16_t* all, int most, int width,
                  std::int16_t* __restrict out) {
  const auto high = static_cast<std::int16_t>(most), low = static_cast<std::int16_t>(-most);
  for (int x = 0; x < width; ++x) {
    const auto sum = static_cast<std::int16_t>(all[x - 2] + all[x - 1] + all[x] + all[x + 1] + all[x + 2]);
    const auto apart = static_cast<std::int16_t>(25 * row[x] - sum);
    out[x] = apart < low ? low : apart > high ? high : apart;
  }
}

void texture_steep(const std::int16_t* slope, const std::int16_t* down, int steep, int width,
                   u8* __restrict out) {
  const auto limit = static_cast<std::int16_t>(steep), opposite = static_cast<std::int16_t>(-steep);
  for (int x = 0; x < width; ++x) {
    const auto along = static_cast<std::int16_t>(down[x - 1] + 2 * down[x] + down[x + 1]);
    const bool is = (slope[x] >= limit) | (slope[x] <= opposite) | (along >= limit) | (along <= opposite);
    out[x] = static_cast<u8>(out[x] | is);
  }
}

constexpr TextureRows kTextureRows = {texture_columns, texture_slope, texture_fine, texture_steep};

}  // namespace
