// The rows of texture.cpp, compiled for each instruction set. Plain loops: compilers make vectors of
// them.
#pragma once

#include "simd.hpp"
#include "texture_rows.hpp"

namespace {

using namespace stereo;

// A row and those beside it. One sum in a loop: compilers give up on more.
void weighted_columns(const u8* above, const u8* row, const u8* below, int weight, int width,
                      std::int16_t* __restrict out) {
  for (int x = 0; x < width; ++x)
    out[x] = static_cast<std::int16_t>(above[x] + weight * row[x] + below[x]);
}

void add_columns(const u8* first, const u8* last, int width, std::int16_t* __restrict out) {
  for (int x = 0; x < width; ++x) out[x] = static_cast<std::int16_t>(out[x] + first[x] + last[x]);
}

void less_columns(const u8* above, const u8* below, int width, std::int16_t* __restrict out) {
  for (int x = 0; x < width; ++x) out[x] = static_cast<std::int16_t>(below[x] - above[x]);
}

void texture_columns(const u8* const* rows, int width, TextureColumns out) {
  weighted_columns(rows[1], rows[2], rows[3], 2, width, out.across);
  weighted_columns(rows[1], rows[2], rows[3], 1, width, out.all);
  add_columns(rows[0], rows[4], width, out.all);
  less_columns(rows[1], rows[3], width, out.down);
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
