// Winograd tile transforms: M d M^T on vectors of channels, for the four matrices of each F(m x m, 3 x 3).
#include "tensor/kernels/winograd.h"

#include <algorithm>
#include <cstring>

#include "tensor/kernels/winograd_matrices.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/winograd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/simd-inl.h"

// Included once per target; what does not depend on it is defined once.
#ifndef GIZA_TENSOR_KERNELS_WINOGRAD_ONCE_
#define GIZA_TENSOR_KERNELS_WINOGRAD_ONCE_
namespace giza::kernels {
// The matrices as types, so that a loop over their entries unrolls into code without the zeros and ones.
template <int kM>
struct InputMatrix {
  static constexpr auto kValues = Winograd<kM>::bt();
};
template <int kM>
struct GradientMatrix {
  static constexpr auto kValues = Winograd<kM>::a();
};
template <int kM>
struct OutputMatrix {
  static constexpr auto kValues = Winograd<kM>::a().transposed();
};
template <int kM>
struct FilterMatrix {
  static constexpr auto kValues = Winograd<kM>::g();
};
template <int kM>
struct FilterGradientMatrix {
  static constexpr auto kValues = Winograd<kM>::g().transposed();
};

/// True if row i + 1 is row i with the signs of its odd columns turned: the points +a and -a.
template <class Matrix>
constexpr bool row_pair(const Matrix& m, int i) {
  if (i == 0 || i + 1 >= Matrix::kOut) return false;
  for (int k = 0; k < Matrix::kIn; ++k) {
    if (m.at[i + 1][k] != (k % 2 == 0 ? m.at[i][k] : -m.at[i][k])) return false;
  }
  return true;
}
}  // namespace giza::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D()));

// sum += factor * v, where a sum without terms is not yet there.
HWY_INLINE void add_term(V& sum, bool& empty, double factor, V v) {
  if (factor == 0) return;
  if (empty) {
    sum = factor == 1 ? v : hn::Mul(hn::Set(D(), static_cast<float>(factor)), v);
    empty = false;
  } else if (factor == 1) {
    sum = hn::Add(sum, v);
  } else if (factor == -1) {
    sum = hn::Sub(sum, v);
  } else {
    sum = hn::MulAdd(hn::Set(D(), static_cast<float>(factor)), v, sum);
  }
}

// out = M in. The rows of +a and -a share their even and their odd terms.
template <class M>
HWY_INLINE void multiply(const V (&in)[M::kValues.kIn], V (&out)[M::kValues.kOut]) {
  constexpr auto& kMatrix = M::kValues;
  HWY_UNROLL(8)
  for (int i = 0; i < kMatrix.kOut; ++i) {
    if (i > 1 && row_pair(kMatrix, i - 1) && !(i > 2 && row_pair(kMatrix, i - 2)))
      continue;  // made with the row before
    V even = hn::Zero(D()), odd = even;
    bool no_even = true, no_odd = true;
    // Ones first: the other terms are then fused multiply-adds.
    HWY_UNROLL(2)
    for (const bool ones : {true, false}) {
      HWY_UNROLL(8)
      for (int k = 0; k < kMatrix.kIn; ++k) {
        if ((kMatrix.at[i][k] == 1) != ones) continue;
        if (k % 2 == 0) {
          add_term(even, no_even, kMatrix.at[i][k], in[k]);
        } else {
          add_term(odd, no_odd, kMatrix.at[i][k], in[k]);
        }
      }
    }
    out[i] = no_even ? odd : no_odd ? even : hn::Add(even, odd);
    if (row_pair(kMatrix, i)) out[i + 1] = hn::Sub(even, odd);
  }
}

// The transpose of such a matrix has pairs of columns instead: their inputs are added and subtracted first.
template <class M>
HWY_INLINE void multiply_transposed(const V (&in)[M::kValues.kIn], V (&out)[M::kValues.kOut]) {
  constexpr auto& kMatrix = M::kValues;
  constexpr auto kTransposed = kMatrix.transposed();
  V sum[kMatrix.kIn], difference[kMatrix.kIn];
  HWY_UNROLL(8)
  for (int j = 0; j + 1 < kMatrix.kIn; ++j) {
    sum[j] = hn::Add(in[j], in[j + 1]);
    difference[j] = hn::Sub(in[j], in[j + 1]);
  }
  HWY_UNROLL(8)
  for (int i = 0; i < kMatrix.kOut; ++i) {
    V total = hn::Zero(D());
    bool empty = true;
    HWY_UNROLL(8)
    for (int j = 0; j < kMatrix.kIn; ++j) {
      if (j > 1 && row_pair(kTransposed, j - 1) && !(j > 2 && row_pair(kTransposed, j - 2))) continue;
      add_term(total, empty, kMatrix.at[i][j],
               row_pair(kTransposed, j) ? (i % 2 == 0 ? sum[j] : difference[j]) : in[j]);
    }
    out[i] = total;
  }
}

// Which of the two products suits a matrix.
template <class M>
struct ByRows {
  static constexpr int kIn = M::kValues.kIn, kOut = M::kValues.kOut;
  static HWY_INLINE void apply(const V (&in)[kIn], V (&out)[kOut]) { multiply<M>(in, out); }
};
template <class M>
struct ByColumns {
  static constexpr int kIn = M::kValues.kIn, kOut = M::kValues.kOut;
  static HWY_INLINE void apply(const V (&in)[kIn], V (&out)[kOut]) { multiply_transposed<M>(in, out); }
};

// out = M in M^T for a square of vectors that load(i, j) gives and store(i, j, v) takes: columns first, then rows.
template <class Product, class Load, class Store>
HWY_INLINE void transform_square(const Load& load, const Store& store) {
  constexpr int kIn = Product::kIn, kOut = Product::kOut;
  V half[kOut][kIn];
  HWY_UNROLL(8)
  for (int j = 0; j < kIn; ++j) {
    V in[kIn], out[kOut];
    HWY_UNROLL(8)
    for (int i = 0; i < kIn; ++i) in[i] = load(i, j);
    Product::apply(in, out);
    HWY_UNROLL(8)
    for (int i = 0; i < kOut; ++i) half[i][j] = out[i];
  }
  HWY_UNROLL(8)
  for (int i = 0; i < kOut; ++i) {
    V out[kOut];
    Product::apply(half[i], out);
    HWY_UNROLL(8)
    for (int j = 0; j < kOut; ++j) store(i, j, out[j]);
  }
}

// Channels of one tile, `count` a multiple of the vector, from pixel rows to positions. With each pixel the same
// channels of one of the next tile are asked for: the processor does not foresee where they lie.
template <class Product>
HWY_NOINLINE void pixels_to_positions(const float* const* rows, const float* const* next_rows, int64_t begin,
                                      int64_t count, float* to, int64_t position_stride) {
  const D d;
  constexpr int kIn = Product::kIn, kOut = Product::kOut;
  for (int64_t c = 0; c < count; c += kLanes) {
    transform_square<Product>(
        [&](int i, int j) HWY_ATTR {
          __builtin_prefetch(next_rows[i * kIn + j] + begin + c);
          return hn::LoadU(d, rows[i * kIn + j] + begin + c);
        },
        [&](int i, int j, V v) HWY_ATTR { hn::StoreU(v, d, to + (i * kOut + j) * position_stride + c); });
  }
}

template <class Product>
HWY_INLINE void to_positions(const TilePixels& pixels, const PositionLayout& to, int64_t first_tile) {
  constexpr int kPixels = Product::kIn * Product::kIn;
  const int64_t whole = pixels.channels / kLanes * kLanes, rest = pixels.channels - whole;
  HWY_ALIGN float tail[kPixels * kLanes] = {};
  const float* tail_rows[kPixels];
  for (int i = 0; i < kPixels; ++i) tail_rows[i] = tail + i * kLanes;
  for (int64_t tile = 0; tile < pixels.tiles; ++tile) {
    const float* const* rows = pixels.rows + tile * kPixels;
    const float* const* next_rows = tile + 1 < pixels.tiles ? rows + kPixels : rows;
    for (int64_t first = 0, panel = 0; first < pixels.channels; first += to.panel_width, ++panel) {
      const int64_t last = first + to.panel_width;
      float* at = to.data + panel * to.panel_stride +
                  (first_tile + tile) * (last >= pixels.channels ? to.last_stride : to.tile_stride);
      const int64_t count = std::min(last, whole) - first;
      if (count > 0) pixels_to_positions<Product>(rows, next_rows, first, count, at, to.position_stride);
      if (last < pixels.channels || rest == 0) continue;
      for (int i = 0; i < kPixels; ++i) std::memcpy(tail + i * kLanes, rows[i] + whole, sizeof(float) * rest);
      pixels_to_positions<Product>(tail_rows, tail_rows, 0, kLanes, at + (whole - first), to.position_stride);
    }
  }
}

template <class Product>
HWY_NOINLINE void positions_to_pixels(const float* from, int64_t position_stride, int64_t begin, int64_t count,
                                      float* const* rows, float* const* next_rows, const TileEpilogue& epilogue,
                                      const float* const* residual) {
  const D d;
  constexpr int kIn = Product::kIn, kOut = Product::kOut;
  for (int64_t c = begin; c < begin + count; c += kLanes) {
    const V bias = epilogue.bias != nullptr ? hn::LoadU(d, epilogue.bias + c) : hn::Zero(d);
    transform_square<Product>([&](int i, int j)
                                  HWY_ATTR { return hn::LoadU(d, from + (i * kIn + j) * position_stride + c); },
                              [&](int i, int j, V v) HWY_ATTR {
                                const float* next = next_rows[i * kOut + j];
                                if (next != nullptr) __builtin_prefetch(next + c, /*rw=*/1);
                                float* to = rows[i * kOut + j];
                                if (to == nullptr) return;
                                v = hn::Add(v, bias);
                                if (residual != nullptr) v = hn::Add(v, hn::LoadU(d, residual[i * kOut + j] + c));
                                if (epilogue.relu) v = hn::IfThenZeroElse(hn::Lt(v, hn::Zero(d)), v);
                                hn::StoreU(v, d, to + c);
                              });
  }
}

template <class Product>
HWY_INLINE void from_positions(const PositionLayout& from, int64_t first_tile, const TilePixels& pixels,
                               const TileEpilogue& epilogue) {
  constexpr int kPixels = Product::kOut * Product::kOut;
  const int64_t whole = pixels.channels / kLanes * kLanes, rest = pixels.channels - whole;
  for (int64_t tile = 0; tile < pixels.tiles; ++tile) {
    float* const* rows = pixels.rows + tile * kPixels;
    float* const* next_rows = tile + 1 < pixels.tiles ? rows + kPixels : rows;
    const float* const* residual = epilogue.residual != nullptr ? epilogue.residual + tile * kPixels : nullptr;
    const float* at = from.data + (first_tile + tile) * from.tile_stride;
    if (whole > 0)
      positions_to_pixels<Product>(at, from.position_stride, 0, whole, rows, next_rows, epilogue, residual);
    if (rest == 0) continue;
    // The last channels through whole vectors of their own, because memory behind a row belongs to nobody.
    HWY_ALIGN float tail[2 * kPixels * kLanes] = {}, bias[kLanes] = {};
    float* tail_rows[kPixels];
    const float* tail_residual[kPixels];
    for (int i = 0; i < kPixels; ++i) {
      tail_rows[i] = rows[i] != nullptr ? tail + i * kLanes : nullptr;
      tail_residual[i] = tail + (kPixels + i) * kLanes;
      if (residual != nullptr && rows[i] != nullptr) {
        std::memcpy(tail + (kPixels + i) * kLanes, residual[i] + whole, sizeof(float) * rest);
      }
    }
    if (epilogue.bias != nullptr) std::memcpy(bias, epilogue.bias + whole, sizeof(float) * rest);
    const TileEpilogue tail_epilogue = {epilogue.bias != nullptr ? bias : nullptr, nullptr, epilogue.relu};
    positions_to_pixels<Product>(at + whole, from.position_stride, 0, kLanes, tail_rows, tail_rows, tail_epilogue,
                                 residual != nullptr ? tail_residual : nullptr);
    for (int i = 0; i < kPixels; ++i) {
      if (rows[i] != nullptr) std::memcpy(rows[i] + whole, tail_rows[i], sizeof(float) * rest);
    }
  }
}

HWY_INLINE float* row_of(const PositionLayout& layout, int64_t row, int64_t column, int64_t columns) {
  const int64_t panel = column / layout.panel_width;
  const bool last = (panel + 1) * layout.panel_width >= columns;
  return layout.data + panel * layout.panel_stride + row * (last ? layout.last_stride : layout.tile_stride) +
         (column - panel * layout.panel_width);
}

// Rotated filters, a vector of columns c at a time.
template <class Product>
HWY_NOINLINE void filters_by_row(ConstRows w, int64_t rows, int64_t columns, const PositionLayout& to) {
  const D d;
  const Columns<D> vectors(columns);
  for (int64_t k = 0; k < rows; ++k) {
    const float* filter = w.row(9 * k);
    vectors.for_each([&](auto lanes, int64_t c) HWY_ATTR {
      float* at = row_of(to, k, c, columns);
      transform_square<Product>(
          [&](int r, int s) HWY_ATTR { return lanes.load(filter + (8 - (r * 3 + s)) * w.stride + c); },
          [&](int i, int j, V v) HWY_ATTR { hn::StoreU(v, d, at + (i * Product::kOut + j) * to.position_stride); });
    });
  }
}

// Filters with rows and columns exchanged: blocks of a vector of k by a vector of c are turned in a small square,
// number by number (gathers are slower: processors with the mitigation of CVE-2022-40982 run them one lane at a time).
template <class Product>
HWY_NOINLINE void filters_by_column(ConstRows w, int64_t rows, int64_t columns, const PositionLayout& to) {
  const D d;
  HWY_ALIGN float block[9][kLanes * kLanes] = {};
  for (int64_t first = 0; first < columns; first += kLanes) {
    const int64_t width = std::min(kLanes, columns - first);
    for (int64_t k = 0; k < rows; k += kLanes) {
      const int64_t height = std::min(kLanes, rows - k);
      for (int tap = 0; tap < 9; ++tap) {
        for (int64_t i = 0; i < height; ++i) {
          const float* from = w.row(9 * (k + i) + tap) + first;
          for (int64_t j = 0; j < width; ++j) block[tap][j * kLanes + i] = from[j];
        }
      }
      for (int64_t c = 0; c < width; ++c) {
        float* at = row_of(to, first + c, k, rows);
        transform_square<Product>(
            [&](int r, int s) HWY_ATTR { return hn::Load(d, block[r * 3 + s] + c * kLanes); },
            [&](int i, int j, V v) HWY_ATTR { hn::StoreU(v, d, at + (i * Product::kOut + j) * to.position_stride); });
      }
    }
  }
}

template <class Product>
HWY_NOINLINE void filter_gradients(const PositionLayout& from, int64_t begin, int64_t end, int64_t columns, Rows dw) {
  const D d;
  const Columns<D> vectors(columns);
  for (int64_t k = begin; k < end; ++k) {
    float* filter = dw.row(9 * (k - begin));
    vectors.for_each([&](auto lanes, int64_t c) HWY_ATTR {
      const float* at = row_of(from, k, c, columns);
      transform_square<Product>(
          [&](int i, int j) HWY_ATTR { return hn::LoadU(d, at + (i * Product::kIn + j) * from.position_stride); },
          [&](int r, int s, V v) HWY_ATTR { lanes.store(v, filter + (r * 3 + s) * dw.stride + c); });
    });
  }
}

// Calls body(integral_constant m).
template <class Body>
HWY_INLINE void with_size(int m, const Body& body) {
  switch (m) {
    case 2:
      return body(std::integral_constant<int, 2>());
    case 4:
      return body(std::integral_constant<int, 4>());
    case 5:
      return body(std::integral_constant<int, 5>());
    default:
      return body(std::integral_constant<int, 6>());
  }
}

void winograd_input(int m, const TilePixels& pixels, const PositionLayout& to, int64_t first) {
  with_size(m, [&](auto size) HWY_ATTR { to_positions<ByRows<InputMatrix<size>>>(pixels, to, first); });
}

void winograd_gradient(int m, const TilePixels& pixels, const PositionLayout& to, int64_t first) {
  with_size(m, [&](auto size) HWY_ATTR { to_positions<ByRows<GradientMatrix<size>>>(pixels, to, first); });
}

void winograd_output(int m, const PositionLayout& from, int64_t first, const TilePixels& pixels,
                     const TileEpilogue& epilogue) {
  with_size(m,
            [&](auto size) HWY_ATTR { from_positions<ByColumns<OutputMatrix<size>>>(from, first, pixels, epilogue); });
}

void winograd_weights(int m, ConstRows w, int64_t rows, int64_t columns, bool transposed, const PositionLayout& to) {
  with_size(m, [&](auto size) HWY_ATTR {
    using Product = ByRows<FilterMatrix<size>>;
    if (transposed) {
      filters_by_row<Product>(w, rows, columns, to);
    } else {
      filters_by_column<Product>(w, rows, columns, to);
    }
  });
}

void winograd_weight_gradient(int m, const PositionLayout& from, int64_t begin, int64_t end, int64_t columns, Rows dw) {
  with_size(m, [&](auto size) HWY_ATTR {
    filter_gradients<ByColumns<FilterGradientMatrix<size>>>(from, begin, end, columns, dw);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {
HWY_EXPORT(winograd_input);
HWY_EXPORT(winograd_gradient);
HWY_EXPORT(winograd_output);
HWY_EXPORT(winograd_weights);
HWY_EXPORT(winograd_weight_gradient);

void winograd_input(int m, const TilePixels& pixels, const PositionLayout& to, int64_t first) {
  HWY_DYNAMIC_DISPATCH(winograd_input)(m, pixels, to, first);
}
void winograd_gradient(int m, const TilePixels& pixels, const PositionLayout& to, int64_t first) {
  HWY_DYNAMIC_DISPATCH(winograd_gradient)(m, pixels, to, first);
}
void winograd_output(int m, const PositionLayout& from, int64_t first, const TilePixels& pixels,
                     const TileEpilogue& epilogue) {
  HWY_DYNAMIC_DISPATCH(winograd_output)(m, from, first, pixels, epilogue);
}
void winograd_weights(int m, ConstRows w, int64_t rows, int64_t columns, bool transposed, const PositionLayout& to) {
  HWY_DYNAMIC_DISPATCH(winograd_weights)(m, w, rows, columns, transposed, to);
}
void winograd_weight_gradient(int m, const PositionLayout& from, int64_t begin, int64_t end, int64_t columns, Rows dw) {
  HWY_DYNAMIC_DISPATCH(winograd_weight_gradient)(m, from, begin, end, columns, dw);
}

}  // namespace giza::kernels
#endif
