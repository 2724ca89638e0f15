// The stages of matching, compiled for one instruction set; STEREO_KERNEL names the table it fills.
#include "kernel.hpp"

#include <cstddef>

#include "describe.hpp"
#include "doubt_kernel.hpp"
#include "edge_kernel.hpp"
#include "fill_kernel.hpp"
#include "median.hpp"
#include "winner.hpp"

namespace {

template <int kValue>
struct Constant {
  static constexpr int value = kValue;
};

// Calls body with the number of vectors per pixel as a constant where a special version pays.
template <class Body>
void with_vectors(const Search& search, Body body) {
  switch (search.cells / kLanes) {
    case 1: return body(Constant<1>{});
    case 2: return body(Constant<2>{});
    case 3: return body(Constant<3>{});
    case 4: return body(Constant<4>{});
    case 6: return body(Constant<6>{});
    case 8: return body(Constant<8>{});
    default: return body(Constant<0>{});
  }
}

void climb(const Search& search, const RowDescription& row, const LeftPixel* below, int begin,
           int end, PathRow from, PathRow to, const GatherRow* gather) {
  with_vectors(search, [&](auto n) {
    const auto run = gather ? climb_columns<n.value, true> : climb_columns<n.value, false>;
    run(search, row, below, begin, end, from, to, gather ? *gather : GatherRow{});
  });
}

void forward(const Search& search, Row* rows, int count, int begin, int end, bool has_gathered,
             PathRow above) {
  with_vectors(search, [&](auto n) {
    const auto run = has_gathered ? forward_columns<n.value, true> : forward_columns<n.value, false>;
    run(search, rows, count, begin, end, above);
  });
}

void backward(const Search& search, const Row* rows, int count) {
  with_vectors(search, [&](auto n) { backward_columns<n.value>(search, rows, count); });
}

}  // namespace


const stereo::Kernel stereo::STEREO_KERNEL = {
    STEREO_ISA,           kLanes,
    smooth_row<u8>,       smooth_row<u16>,
    describe_left<u8>,    describe_left<u16>,
    describe_right<u8>,   describe_right<u16>,
    climb,                forward,
    backward,             median_row,
    kDoubtRows,           kEdgeRows,
    kFillRows,
};
