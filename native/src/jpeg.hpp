// Are the entropy-coded data of a JPEG what its header announces? See jpeg.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stereo {

enum class JpegVerdict : int {
  whole = 0,    // every block is there, and nothing else
  surplus = 1,  // every block, then bytes that belong to none
  padding = 2,  // every block, but the last byte is not filled up with ones
  broken = 3,   // a code that is none, too many coefficients, values out of range, or cut
  unread = 4,   // of a kind that is not walked: progressive, arithmetic, lossless, 12 bits
};

JpegVerdict check_jpeg(const std::uint8_t* data, std::size_t size);

}  // namespace stereo
