// What doubt.cpp does to rows of values, in a table that each instruction set fills (kernel.hpp).
#pragma once

#include <cstdint>

namespace stereo {

struct DoubtRows {
  // 255 (1 - sqrt(1 - confidence)), at least 1; 0 where px is not finite.
  void (*own_levels)(const float* px, const float* confidence, int width, std::uint8_t* out);
  // sums[x] of row[x] to row[x + count - 1].
  void (*add_along)(const std::int16_t* row, int count, int width, std::int16_t* sums);
  void (*move_window)(const std::int16_t* gained, const std::int16_t* lost, int width,
                      std::int32_t* sums);
  // How far values are from their mean, which is this share of a sum, times `levels`.
  void (*off_mean)(const std::int16_t* row, const std::int32_t* sums, float share, int levels,
                   int width, std::uint8_t* out);
  // So many levels per px above the lowest, from -32768 on.
  void (*map_levels)(const float* px, float lowest, float per_px, int width, std::int16_t* out);
  void (*replace_holes)(const std::int16_t* levels, const std::uint8_t* own, std::int16_t by,
                        int width, std::int16_t* out);
  // The lower or the higher of row and out.
  void (*lower_of)(const std::int16_t* row, int width, std::int16_t* out);
  void (*higher_of)(const std::int16_t* row, int width, std::int16_t* out);
  // high - low, 0 to 255; 0 in holes.
  void (*step_between)(const std::int16_t* low, const std::int16_t* high, const std::uint8_t* own,
                       int width, std::uint8_t* out);
  void (*add_rows)(const std::uint8_t* above, const std::uint8_t* row, const std::uint8_t* below,
                   int width, std::uint16_t* sums);
  // Of those sums, readable one before and one behind.
  void (*mean_of_nine)(const std::uint16_t* sums, int width, std::uint8_t* out);
  // differ / (contrast + faint), of so many levels; out may be contrast.
  void (*unlikeness)(const std::uint8_t* differ, const std::uint8_t* contrast, int faint,
                     float levels, int width, std::uint8_t* out);
  // worth: of each level of a clue.
  void (*add_worth)(const std::uint8_t* clue, const std::int32_t* worth, int width,
                    std::int32_t* sums);
  // table[sum + worth of own].
  void (*look_up)(const std::uint8_t* own, const std::int32_t* sums, const std::int32_t* worth,
                  const float* table, int width, float* out);
};

}  // namespace stereo
