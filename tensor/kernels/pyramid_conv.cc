// Loops of the structured pyramid head.
#include "tensor/kernels/pyramid_conv.h"

#include <algorithm>

#include "tensor/kernels/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/pyramid_conv.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/simd-inl.h"
#include "tensor/kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr int64_t kLanes = Columns<D>::kLanes;

// Terms that are summed in registers before memory is touched. Lists are this short going forward (at most 2 x 3 taps x
// 4 bins); the long ones of the backward pass lose fewer digits when cut.
constexpr int64_t kRun = 32;

/// kVectors vectors of one output row: as many sums in flight as hide the latency of FMA.
template <int kVectors, class Lanes>
HWY_INLINE void combine_columns(const Lanes& lanes, ConstRows in, const RowTerm* terms, int64_t count, float* out) {
  const D d;
  int64_t begin = 0;
  do {  // also without terms: the output is then zero
    V sum[kVectors];
    HWY_UNROLL(8)
    for (int j = 0; j < kVectors; ++j) sum[j] = hn::Zero(d);
    const int64_t end = std::min(begin + kRun, count);
    for (int64_t t = begin; t < end; ++t) {
      const float* row = in.row(terms[t].row);
      const V weight = hn::Set(d, terms[t].weight);
      HWY_UNROLL(8)
      for (int j = 0; j < kVectors; ++j) sum[j] = hn::MulAdd(lanes.load(row + j * kLanes), weight, sum[j]);
    }
    HWY_UNROLL(8)
    for (int j = 0; j < kVectors; ++j) {
      float* to = out + j * kLanes;
      lanes.store(begin > 0 ? hn::Add(lanes.load(to), sum[j]) : sum[j], to);
    }
    begin = end;
  } while (begin < count);
}

void combine_rows(ConstRows in, const RowTerm* terms, const int32_t* first, int64_t outputs, Rows out, int64_t width) {
  constexpr int kWide = 8;
  const int64_t wide = width / (kWide * kLanes) * (kWide * kLanes), whole = width / kLanes * kLanes;
  for (int64_t o = 0; o < outputs; ++o, out.data += out.stride) {
    const RowTerm* list = terms + first[o];
    const int64_t count = first[o + 1] - first[o];
    int64_t i = 0;
    for (; i < wide; i += kWide * kLanes) {
      combine_columns<kWide>(AllLanes<D>(), {in.data + i, in.stride}, list, count, out.data + i);
    }
    for (; i < whole; i += kLanes) {
      combine_columns<1>(AllLanes<D>(), {in.data + i, in.stride}, list, count, out.data + i);
    }
    if (i < width) {
      combine_columns<1>(FirstLanes<D>(static_cast<size_t>(width - i)), {in.data + i, in.stride}, list, count,
                         out.data + i);
    }
  }
}

constexpr int64_t kDepth = 128;

template <int kRows, int kVectors, class Lanes>
HWY_INLINE void product_tile(const Lanes& lanes, const ThinProduct& p, const float* a, const float* b, float* out) {
  int64_t begin = 0;
  do {  // also without terms: the output is then zero
    Tile<kRows, kVectors> tile;
    tile.clear();
    const int64_t end = std::min(begin + kDepth, p.depth);
    const float* left = a + begin * p.a_step;
    const float* right = b + begin * p.b_stride;
    for (int64_t e = begin; e < end; ++e, left += p.a_step, right += p.b_stride) {
      V vb[kVectors];
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) vb[j] = lanes.load(right + j * kLanes);
      HWY_UNROLL(6)
      for (int i = 0; i < kRows; ++i) tile.step(vb, i, left[i * p.a_row]);
    }
    const bool add = p.accumulate || begin > 0;
    HWY_UNROLL(6)
    for (int i = 0; i < kRows; ++i) {
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) {
        float* to = out + i * p.out_stride + j * kLanes;
        lanes.store(add ? hn::Add(lanes.load(to), tile.sum[i][j]) : tile.sum[i][j], to);
      }
    }
    begin = end;
  } while (begin < p.depth);
}

template <int kRows>
HWY_NOINLINE void product_rows(const ThinProduct& p, int64_t first) {
  const float* a = p.a + first * p.a_row;
  float* out = p.out + first * p.out_stride;
  int64_t n = 0;
  for (; n + kMaxVectors * kLanes <= p.width; n += kMaxVectors * kLanes) {
    product_tile<kRows, kMaxVectors>(AllLanes<D>(), p, a, p.b + n, out + n);
  }
  if constexpr (kMaxVectors > 2) {
    if (n + 3 * kLanes <= p.width) {
      product_tile<kRows, 3>(AllLanes<D>(), p, a, p.b + n, out + n);
      n += 3 * kLanes;
    } else if (n + 2 * kLanes <= p.width) {
      product_tile<kRows, 2>(AllLanes<D>(), p, a, p.b + n, out + n);
      n += 2 * kLanes;
    }
  }
  if (n + kLanes <= p.width) {
    product_tile<kRows, 1>(AllLanes<D>(), p, a, p.b + n, out + n);
    n += kLanes;
  }
  if (n < p.width) {
    product_tile<kRows, 1>(FirstLanes<D>(static_cast<size_t>(p.width - n)), p, a, p.b + n, out + n);
  }
}

void thin_product(const ThinProduct& p) {
  int64_t m = 0;
  for (; m + kTileRows <= p.rows; m += kTileRows) product_rows<kTileRows>(p, m);
  switch (p.rows - m) {
    case 1:
      return product_rows<1>(p, m);
    case 2:
      return product_rows<2>(p, m);
    case 3:
      return product_rows<3>(p, m);
    case 4:
      return product_rows<4>(p, m);
    case 5:
      return product_rows<5>(p, m);
    default:
      return;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(combine_rows);
HWY_EXPORT(thin_product);

void combine_rows(ConstRows in, const RowTerm* terms, const int32_t* first, int64_t outputs, Rows out, int64_t width) {
  HWY_DYNAMIC_DISPATCH(combine_rows)(in, terms, first, outputs, out, width);
}

void thin_product(const ThinProduct& product) { HWY_DYNAMIC_DISPATCH(thin_product)(product); }

}  // namespace giza::kernels
#endif  // HWY_ONCE
