// Walks the Huffman codes of a baseline JPEG without decoding it (ITU-T T.81, annexes B and F).
//
// libjpeg takes anything for an image and only warns. A spoilt bit nearly always puts the codes out
// of step, and then the number of blocks no longer fits the number of bytes: that is what is found
// here, besides codes that are none and values that no 8-bit image has. A spoilt bit inside a
// coefficient's own value leaves everything in step and is not found.
#include "jpeg.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace stereo {
namespace {

using Byte = std::uint8_t;

constexpr int kLook = 10;           // bits of a code that one table look-up decides
constexpr int kMostBlocks = 10;     // in an interleaved unit, by the standard
constexpr int kBlockBytes = 64 * 4;  // no block takes more: 64 codes of 16 bits, values of 16
constexpr int kPeak = 1024 + 32;    // of any dequantised coefficient of 8-bit samples, and rounding

// Code tables that cameras leave out of each image of a Motion JPEG (annex K.3).
constexpr Byte kDcCounts[2][16] = {{0, 1, 5, 1, 1, 1, 1, 1, 1}, {0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}};
constexpr Byte kAcCounts[2][16] = {{0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125},
                                   {0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119}};
constexpr Byte kDcValues[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
constexpr Byte kAcValues[2][162] = {
    {0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61,
     0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52,
     0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25,
     0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45,
     0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64,
     0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83,
     0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
     0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6,
     0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3,
     0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8,
     0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa},
    {0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61,
     0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33,
     0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18,
     0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44,
     0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63,
     0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a,
     0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97,
     0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4,
     0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca,
     0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7,
     0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa}};

int word(const Byte* p) { return p[0] << 8 | p[1]; }

// One Huffman table: what a code means, by its first bits or, where it is longer, by its length.
class Table {
 public:
  // False where there are more codes than bits can tell apart.
  bool fill(const Byte counts[16], const Byte* values) {
    look_.fill(0);
    int code = 0, at = 0;
    for (int length = 1; length <= 16; ++length, code <<= 1) {
      const int count = counts[length - 1];
      if (code + count > 1 << length) return false;
      for (int i = 0; i < count && length <= kLook; ++i) {
        const int first = (code + i) << (kLook - length);
        std::fill_n(look_.begin() + first, 1 << (kLook - length), entry(length, values[at + i]));
      }
      first_[length] = at - code;
      code += count;
      at += count;
      end_[length] = count ? code : -1;
    }
    std::copy(values, values + at, values_.begin());
    known = true;
    return true;
  }

  // Length of the code at the top of ``bits`` and its value, see ``entry``; 0 where it is none.
  std::uint32_t operator()(std::uint64_t bits) const {
    const std::uint32_t found = look_[bits >> (64 - kLook)];
    return found ? found : longer(bits);
  }

  static std::uint32_t entry(int length, Byte value) {
    return std::uint32_t(length + (value & 15)) | std::uint32_t(value) << 8;
  }

  bool known = false;

 private:
  std::uint32_t longer(std::uint64_t bits) const {
    for (int length = kLook + 1; length <= 16; ++length) {
      const int code = int(bits >> (64 - length));
      if (code < end_[length]) return entry(length, values_[std::size_t(code + first_[length])]);
    }
    return 0;
  }

  // bits that code and value take together, and above them the run and the value's own bits
  std::array<std::uint32_t, 1 << kLook> look_{};
  std::array<int, 17> first_{}, end_{};
  std::array<Byte, 256> values_{};
};

struct Component {
  Byte id = 0;
  int across = 1, down = 1, quantizer = 0;
  const Table *dc = nullptr, *ac = nullptr;
  int last = 0;  // DC of the block before
};

// The largest number of value bits that a coefficient can have, and the largest DC.
struct Quantizer {
  bool known = false;
  int dc_most = 0;
  std::array<Byte, 64> bits{};

  void set(int k, int step) {
    const int most = kPeak / std::max(step, 1) + 1;
    if (k == 0) dc_most = most;
    int count = 0;
    while (most >> count) ++count;
    bits[std::size_t(k)] = Byte(count);
  }
};

class Bits {
 public:
  // ``data`` goes on for kBlockBytes + 8 behind its end.
  Bits(const Byte* data, std::size_t size) : data_(data), end_(8 * size) { load(); }

  std::uint64_t ahead() {
    if (have_ < 32) load();
    return window_;
  }
  void skip(int count) {
    at_ += std::size_t(count);
    window_ <<= count;
    have_ -= count;
  }
  std::ptrdiff_t left() const { return std::ptrdiff_t(end_) - std::ptrdiff_t(at_); }

 private:
  void load() {
    const Byte* p = data_ + (at_ >> 3);
    std::uint64_t bytes = 0;
    for (int i = 0; i < 8; ++i) bytes |= std::uint64_t(p[i]) << (56 - 8 * i);  // one instruction
    window_ = bytes << (at_ & 7);
    have_ = 64 - int(at_ & 7);
  }

  const Byte* data_;
  std::size_t end_, at_ = 0;
  std::uint64_t window_ = 0;
  int have_ = 0;
};

bool walk_block(Bits& outer, Component& component, const Quantizer& quantizer) {
  Bits bits = outer;  // its own, so that it stays in registers
  std::uint64_t ahead = bits.ahead();
  std::uint32_t found = (*component.dc)(ahead);
  int size = int(found >> 8 & 15);
  if (!found || found >> 8 > 11) return false;
  if (size) {
    const int length = int(found & 255) - size;
    const int value = int(ahead << length >> (64 - size));
    component.last += value < 1 << (size - 1) ? value + 1 - (1 << size) : value;
    if (component.last > quantizer.dc_most || component.last < -quantizer.dc_most) return false;
  }
  bits.skip(int(found & 255));
  const Table& ac = *component.ac;
  for (int k = 1; k < 64; ++k) {
    ahead = bits.ahead();
    found = ac(ahead);
    if (!found) return false;
    bits.skip(int(found & 255));
    const int run = int(found >> 12 & 15);
    size = int(found >> 8 & 15);
    k += run;
    if (size == 0) {
      if (run == 0) break;
      if (run != 15 || k > 63) return false;
    } else if (k > 63 || size > quantizer.bits[std::size_t(k)]) {
      return false;
    }
  }
  outer = bits;
  return bits.left() >= 0;
}

class Walk {
 public:
  Walk(const Byte* data, std::size_t size) : at_(data), end_(data + size) {}

  JpegVerdict run() {
    if (end_ - at_ < 4 || word(at_) != 0xffd8) return JpegVerdict::broken;
    at_ += 2;
    bool scanned = false;
    while (true) {
      while (at_ + 1 < end_ && at_[0] == 0xff && at_[1] == 0xff) ++at_;
      if (at_ + 1 >= end_) return scanned ? worst_ : JpegVerdict::broken;  // some leave the end out
      if (at_[0] != 0xff) return JpegVerdict::broken;
      const int kind = at_[1];
      at_ += 2;
      if (kind == 0xd9) return scanned ? worst_ : JpegVerdict::broken;
      if (kind >= 0xd0 && kind <= 0xd7 && scanned) continue;  // one after the last interval
      if (end_ - at_ < 2 || word(at_) < 2 || word(at_) > end_ - at_) return JpegVerdict::broken;
      const Byte *segment = at_ + 2, *next = at_ + word(at_);
      at_ = next;
      if ((kind >= 0xc2 && kind <= 0xcf && kind != 0xc4 && kind != 0xc8 && kind != 0xcc) ||
          kind == 0xcc)
        return JpegVerdict::unread;
      bool good = true;
      if (kind == 0xc0 || kind == 0xc1) {
        if (next - segment >= 1 && segment[0] != 8) return JpegVerdict::unread;
        good = frame(segment, next);
      } else if (kind == 0xc4) {
        good = codes(segment, next);
      } else if (kind == 0xdb) {
        good = quantizers(segment, next);
      } else if (kind == 0xdd) {
        good = next - segment >= 2;
        if (good) interval_ = word(segment);
      } else if (kind == 0xda) {
        good = scan(segment, next);
        scanned = true;
      }
      if (!good) return JpegVerdict::broken;
    }
  }

 private:
  bool frame(const Byte* p, const Byte* end) {
    if (end - p < 6 || !components_.empty()) return false;
    height_ = word(p + 1), width_ = word(p + 3);
    const int count = p[5];
    if (!height_ || !width_ || count < 1 || count > 4 || end - p < 6 + 3 * count) return false;
    for (int i = 0; i < count; ++i) {
      const Byte* c = p + 6 + 3 * i;
      Component one;
      one.id = c[0], one.across = c[1] >> 4, one.down = c[1] & 15, one.quantizer = c[2];
      if (one.across < 1 || one.across > 4 || one.down < 1 || one.down > 4 || c[2] > 3)
        return false;
      across_ = std::max(across_, one.across), down_ = std::max(down_, one.down);
      components_.push_back(one);
    }
    return true;
  }

  bool codes(const Byte* p, const Byte* end) {
    while (p < end) {
      if (end - p < 17) return false;
      const int kind = p[0] >> 4, which = p[0] & 15;
      int total = 0;
      for (int i = 1; i <= 16; ++i) total += p[i];
      if (kind > 1 || which > 3 || total > 256 || end - p < 17 + total) return false;
      if (!(kind ? ac_ : dc_)[which].fill(p + 1, p + 17)) return false;
      p += 17 + total;
    }
    return true;
  }

  bool quantizers(const Byte* p, const Byte* end) {
    while (p < end) {
      const int wide = p[0] >> 4, which = p[0] & 15;
      if (wide > 1 || which > 3 || end - p < 1 + 64 * (1 + wide)) return false;
      quantizers_[which].known = true;
      for (int k = 0; k < 64; ++k)
        quantizers_[which].set(k, wide ? word(p + 1 + 2 * k) : p[1 + k]);
      p += 1 + 64 * (1 + wide);
    }
    return true;
  }

  const Table* table(bool ac, int which) {
    Table& found = (ac ? ac_ : dc_)[which];
    if (!found.known && which < 2)
      found.fill((ac ? kAcCounts : kDcCounts)[which], ac ? kAcValues[which] : kDcValues);
    return found.known ? &found : nullptr;
  }

  bool scan(const Byte* p, const Byte* end) {
    const int count = end - p >= 1 ? p[0] : 0;
    if (count < 1 || count > 4 || end - p < 4 + 2 * count) return false;
    std::array<Component*, kMostBlocks> unit{};  // the component of each block, in their order
    int blocks = 0;
    for (int i = 0; i < count; ++i) {
      const Byte* c = p + 1 + 2 * i;
      const auto found = std::find_if(components_.begin(), components_.end(),
                                      [&](const Component& one) { return one.id == c[0]; });
      if (found == components_.end() || (c[1] >> 4) > 3 || (c[1] & 15) > 3) return false;
      found->dc = table(false, c[1] >> 4), found->ac = table(true, c[1] & 15);
      if (!found->dc || !found->ac || !quantizers_[found->quantizer].known) return false;
      const int here = count == 1 ? 1 : found->across * found->down;
      if (blocks + here > kMostBlocks) return false;
      std::fill_n(unit.begin() + blocks, here, &*found);
      blocks += here;
    }
    auto units = [](int side, int part, int whole) {
      return (std::int64_t(side) * part + 8 * whole - 1) / (8 * whole);
    };
    // a component that is alone has no unit but its own blocks, and none to fill the border
    const Component& first = *unit[0];
    std::int64_t left = count == 1 ? units((width_ * first.across + across_ - 1) / across_, 1, 1) *
                                         units((height_ * first.down + down_ - 1) / down_, 1, 1)
                                   : units(width_, 1, across_) * units(height_, 1, down_);
    for (int number = 0; left > 0; ++number) {
      if (number > 0 && !restarted(number - 1)) return false;
      const std::int64_t here = interval_ ? std::min<std::int64_t>(left, interval_) : left;
      if (!interval(unit.data(), blocks, here)) return false;
      left -= here;
    }
    return true;
  }

  bool restarted(int number) {
    while (at_ + 1 < end_ && at_[0] == 0xff && at_[1] == 0xff) ++at_;
    if (at_ + 1 >= end_ || at_[0] != 0xff || at_[1] != 0xd0 + number % 8) return false;
    at_ += 2;
    return true;
  }

  // So many units up to the next marker, and nothing behind them.
  bool interval(Component* const* unit, int blocks, std::int64_t count) {
    take_coded();
    Bits bits(coded_.data(), size_);
    for (int b = 0; b < blocks; ++b) unit[b]->last = 0;
    for (std::int64_t i = 0; i < count; ++i)
      for (int b = 0; b < blocks; ++b)
        if (!walk_block(bits, *unit[b], quantizers_[unit[b]->quantizer])) return false;
    const auto left = bits.left();
    if (left >= 8) {
      worst_ = JpegVerdict::surplus;
    } else if (left > 0 && bits.ahead() >> (64 - left) != (1u << left) - 1 &&
               worst_ == JpegVerdict::whole) {
      worst_ = JpegVerdict::padding;
    }
    return true;
  }

  // Into ``coded_`` what is left up to the next marker, without the zeros put after each 0xff.
  void take_coded() {
    const std::size_t most = std::size_t(end_ - at_);
    if (coded_.size() < most + kBlockBytes + 8) coded_.resize(most + kBlockBytes + 8);
    Byte* out = coded_.data();
    while (at_ < end_) {
      const auto* stop = static_cast<const Byte*>(std::memchr(at_, 0xff, std::size_t(end_ - at_)));
      if (!stop) stop = end_;
      std::memcpy(out, at_, std::size_t(stop - at_));
      out += stop - at_;
      at_ = stop;
      if (at_ + 1 >= end_ || at_[1] != 0) break;
      *out++ = 0xff;
      at_ += 2;
    }
    size_ = std::size_t(out - coded_.data());
    std::memset(out, 0xff, kBlockBytes + 8);
  }

  const Byte *at_, *end_;
  int width_ = 0, height_ = 0, across_ = 1, down_ = 1, interval_ = 0;
  std::vector<Component> components_;
  std::array<Table, 4> dc_, ac_;
  std::array<Quantizer, 4> quantizers_;
  std::vector<Byte> coded_;
  std::size_t size_ = 0;
  JpegVerdict worst_ = JpegVerdict::whole;
};

}  // namespace

JpegVerdict check_jpeg(const std::uint8_t* data, std::size_t size) {
  return Walk(data, size).run();
}

}  // namespace stereo
