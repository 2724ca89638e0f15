// The rows of edges.cpp, compiled for each instruction set.
#pragma once

#include "edge_rows.hpp"
#include "median.hpp"
#include "simd.hpp"

namespace {

using namespace stereo;

void edge_steps(const float* row, const float* below, float step_px, int width,
                u8* __restrict along, u8* __restrict down) {
  const auto differ = [&](float a, float b) {  // not where either is unknown
    const float step = a - b;
    return static_cast<u8>((step > step_px) | (step < -step_px));
  };
  for (int x = 0; x + 1 < width; ++x) along[x] = differ(row[x], row[x + 1]);
  along[width - 1] = 0;
  for (int x = 0; x < width; ++x) down[x] = differ(row[x], below[x]);
}

void join_marks(const u8* marks, int width, u8* __restrict out) {
  for (int x = 0; x < width; ++x) out[x] |= marks[x];
}

void edge_trust(const float* before, const float* after, const float* confidence, float moved,
                int width, float* __restrict out) {
  for (int x = 0; x < width; ++x) {
    const bool changed = (before[x] < after[x]) | (before[x] > after[x]);  // not what is unknown
    const float held = confidence[x] < moved ? confidence[x] : moved;
    out[x] = changed ? held : confidence[x];
  }
}

void edge_weights(const float* confidence, int width, u8* __restrict out) {
  constexpr float kMagic = 12582912;  // 1.5 * 2^23: there floats are whole numbers
  for (int x = 0; x < width; ++x) {
    const float weight = confidence[x] * 255;
    const float held = weight > 0 ? (weight < 255 ? weight : 255) : 0;
    out[x] = static_cast<u8>(static_cast<std::int32_t>((held + kMagic) - kMagic));
  }
}

void color_planes(const u8* color, int width, u8* const* out) {
  u8 *__restrict first = out[0], *__restrict second = out[1], *__restrict third = out[2];
  for (int x = 0; x < width; ++x) {
    first[x] = color[3 * x];
    second[x] = color[3 * x + 1];
    third[x] = color[3 * x + 2];
  }
}

// Samples of one pixel, in vectors; those behind the last one weigh nothing.
template <int kVectors>
struct EdgeSamples {
  float values[kVectors * kFloatLanes] = {};
  std::uint32_t weights[kVectors * kFloatLanes] = {};

  // The lowest value up to which half of the weight lies.
  float middle(std::uint32_t total) const {
    F candidates[kVectors];
    Counts below[kVectors] = {};
    for (int v = 0; v < kVectors; ++v) candidates[v] = load_floats(values + v * kFloatLanes);
    for (int i = 0; i < kEdgeSamples; ++i)
      for (int v = 0; v < kVectors; ++v)
        below[v] += (Counts{} + weights[i]) & (Counts)(F{} + values[i] <= candidates[v]);
    constexpr float kBeyond = 3.40282347e38f;
    F lowest_of_all = F{} + kBeyond;
    for (int v = 0; v < kVectors; ++v) {
      const F reached = below[v] >= total - below[v] ? candidates[v] : F{} + kBeyond;
      lowest_of_all = reached < lowest_of_all ? reached : lowest_of_all;
    }
    float lowest = kBeyond;
    for (int lane = 0; lane < kFloatLanes; ++lane)
      lowest = lowest_of_all[lane] < lowest ? lowest_of_all[lane] : lowest;
    return lowest;
  }
};

// The product of two bytes for each of a quarter vector of pixels. Widened in two steps: compilers
// know no instruction for both at once.
inline Counts products(const u8* a, const u8* b) {
  using Few = u8 __attribute__((vector_size(kFloatLanes)));
  using Wide = u16 __attribute__((vector_size(2 * kFloatLanes)));
  Few one, other;
  std::memcpy(&one, a, sizeof one);
  std::memcpy(&other, b, sizeof other);
  const Wide product = __builtin_convertvector(one, Wide) * __builtin_convertvector(other, Wide);
  return __builtin_convertvector(product, Counts);
}

template <int kChannels>
void medians_of_block(const EdgeRow& row, const u8* wanted, int x, float* out) {
  constexpr int kQuarters = 4;  // of the block, a vector of floats each: many hold nothing wanted
  int quarters[kQuarters], count = 0;
  for (int q = 0; q < kQuarters; ++q) {
    unsigned any = 0;
    for (int k = 0; k < kFloatLanes; ++k) any |= wanted[x + q * kFloatLanes + k];
    if (any) quarters[count++] = q * kFloatLanes;
  }
  V color[kChannels];
  for (int c = 0; c < kChannels; ++c) color[c] = load(row.color[c] + x);
  F own[kQuarters];
  for (int i = 0; i < count; ++i) own[i] = load_floats(row.px + x + quarters[i]);
  Counts weights[kEdgeSamples][kQuarters], total[kQuarters] = {}, agreeing[kQuarters] = {};
  for (int n = 0; n < kEdgeSamples; ++n) {
    const std::ptrdiff_t there = x + row.offset[n];
    V step{};
    for (int c = 0; c < kChannels; ++c)
      step = max(step, absolute_difference(color[c], load(row.color[c] + there)));
    u8 alike[kLanes];
    store(alike, look_up_64(step, row.by_color));
    for (int i = 0; i < count; ++i) {
      const int q = quarters[i];
      const Counts weight = products(row.weight + there + q, alike + q) * row.near[n];
      const F off = load_floats(row.px + there + q) - own[i];
      weights[n][i] = weight;
      total[i] += weight;
      agreeing[i] += weight & (Counts)((off <= row.keep_px) & (off >= -row.keep_px));
    }
  }
  for (int i = 0; i < count; ++i) {
    std::uint32_t of_all[kFloatLanes], kept[kFloatLanes];
    std::memcpy(of_all, &total[i], sizeof of_all);
    const Counts keeps = (Counts)(agreeing[i] >= total[i] - agreeing[i]);
    std::memcpy(kept, &keeps, sizeof kept);
    for (int k = 0; k < kFloatLanes; ++k) {
      const int at = x + quarters[i] + k;
      if (kept[k] || !wanted[at] || row.px[at] != row.px[at]) continue;
      EdgeSamples<(kEdgeSamples - 1) / kFloatLanes + 1> samples;
      for (int n = 0; n < kEdgeSamples; ++n) {
        samples.values[n] = row.px[at + row.offset[n]];
        samples.weights[n] = reinterpret_cast<const std::uint32_t*>(&weights[n][i])[k];
      }
      out[at] = samples.middle(of_all[k]);
    }
  }
}

// Blocks of a vector; the last one overlaps the one before.
void edge_medians(const EdgeRow& row, const u8* wanted, int begin, int end, float* out) {
  for (int x = begin; x < end; x += kLanes) {
    const int first = x + kLanes <= end ? x : end - kLanes;
    if (lowest((V)(load(wanted + first) == V{}))) continue;
    if (row.channels == 3)
      medians_of_block<3>(row, wanted, first, out);
    else
      medians_of_block<1>(row, wanted, first, out);
  }
}

// Vectors of 16 bytes hold four pixels: no gain.
constexpr EdgeRows kEdgeRows = {kLanes > 16 ? kLanes : 1 << 30, edge_steps, join_marks,
                                 edge_weights, color_planes, edge_trust, edge_medians};

}  // namespace
