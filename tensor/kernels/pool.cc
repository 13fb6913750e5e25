// Loops of pooling.
#include "tensor/kernels/pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/pool.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using DI = hn::Rebind<int32_t, D>;
using V = hn::Vec<D>;

/// A position in all lanes, carried in float vectors as bits.
HWY_INLINE V position_bits(int64_t position) { return hn::BitCast(D(), hn::Set(DI(), static_cast<int32_t>(position))); }

void max_pool_row(ConstRows x, int64_t picture_width, PoolRange rows, const PoolRange* columns, Rows y, Rows positions,
                  int64_t pixels, int64_t width) {
  const Columns<D> channels(width);
  for (int64_t q = 0; q < pixels; ++q) {
    const PoolRange range = columns[q];
    const int64_t first = rows.begin * picture_width + range.begin;
    if (positions.data == nullptr) {
      channels.for_each([&](auto lanes, int64_t i) HWY_ATTR {
        V best = lanes.load(x.row(first) + i);
        for (int64_t r = rows.begin; r < rows.end; ++r) {
          const float* row = x.row(r * picture_width) + i;
          for (int64_t c = range.begin; c < range.end; ++c) {
            const V v = lanes.load(row + c * x.stride);
            best = hn::IfThenElse(hn::Or(hn::Gt(v, best), hn::IsNaN(v)), v, best);
          }
        }
        lanes.store(best, y.row(q) + i);
      });
    } else {
      channels.for_each([&](auto lanes, int64_t i) HWY_ATTR {
        V best = lanes.load(x.row(first) + i), where = position_bits(first);
        for (int64_t r = rows.begin; r < rows.end; ++r) {
          const float* row = x.row(r * picture_width) + i;
          for (int64_t c = range.begin; c < range.end; ++c) {
            const V v = lanes.load(row + c * x.stride);
            const auto larger = hn::AndNot(hn::IsNaN(best), hn::Or(hn::Gt(v, best), hn::IsNaN(v)));
            best = hn::IfThenElse(larger, v, best);
            where = hn::IfThenElse(larger, position_bits(r * picture_width + c), where);
          }
        }
        lanes.store(where, positions.row(q) + i);
        if (y.data != nullptr) lanes.store(best, y.row(q) + i);
      });
    }
  }
}

void max_pool_backward_row(ConstRows dy, ConstRows positions, int64_t out_width, PoolRange rows,
                           const PoolRange* columns, int64_t row, Rows dx, int64_t pixels, int64_t width) {
  const Columns<D> channels(width);
  for (int64_t x = 0; x < pixels; ++x) {
    const PoolRange range = columns[x];
    const auto mine = hn::Set(DI(), static_cast<int32_t>(row * pixels + x));
    channels.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      V sum = hn::Zero(D());
      for (int64_t p = rows.begin; p < rows.end; ++p) {
        for (int64_t q = range.begin; q < range.end; ++q) {
          const int64_t out = p * out_width + q;
          const V where = lanes.load(positions.row(out) + i);
          const auto chosen = hn::RebindMask(D(), hn::Eq(hn::BitCast(DI(), where), mine));
          sum = hn::Add(sum, hn::IfThenElseZero(chosen, lanes.load(dy.row(out) + i)));
        }
      }
      lanes.store(sum, dx.row(x) + i);
    });
  }
}

void max_unpool_backward_row(ConstRows dy, int64_t picture_width, PoolRange rows, const PoolRange* columns,
                             ConstRows positions, Rows dx, int64_t pixels, int64_t width) {
  const Columns<D> channels(width);
  for (int64_t q = 0; q < pixels; ++q) {
    const PoolRange range = columns[q];
    channels.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const auto where = hn::BitCast(DI(), lanes.load(positions.row(q) + i));
      V found = hn::Zero(D());
      for (int64_t r = rows.begin; r < rows.end; ++r) {
        for (int64_t c = range.begin; c < range.end; ++c) {
          const int64_t pixel = r * picture_width + c;
          const auto here = hn::RebindMask(D(), hn::Eq(where, hn::Set(DI(), static_cast<int32_t>(pixel))));
          found = hn::IfThenElse(here, lanes.load(dy.row(pixel) + i), found);
        }
      }
      lanes.store(found, dx.row(q) + i);
    });
  }
}

void average_pool_row(ConstRows x, int64_t picture_width, PoolRange rows, const PoolRange* columns, float factor,
                      Rows y, int64_t pixels, int64_t width) {
  const Columns<D> channels(width);
  const V factors = hn::Set(D(), factor);
  for (int64_t q = 0; q < pixels; ++q) {
    const PoolRange range = columns[q];
    channels.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      V sum = hn::Zero(D());
      for (int64_t r = rows.begin; r < rows.end; ++r) {
        for (int64_t c = range.begin; c < range.end; ++c) {
          sum = hn::Add(sum, lanes.load(x.row(r * picture_width + c) + i));
        }
      }
      lanes.store(hn::Mul(sum, factors), y.row(q) + i);
    });
  }
}

void average_pool_backward_row(ConstRows dy, int64_t out_width, PoolRange rows, const PoolRange* columns,
                               const float* row_factors, const float* column_factors, Rows dx, int64_t pixels,
                               int64_t width, bool add) {
  const Columns<D> channels(width);
  for (int64_t x = 0; x < pixels; ++x) {
    const PoolRange range = columns[x];
    channels.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      V sum = add ? lanes.load(dx.row(x) + i) : hn::Zero(D());
      for (int64_t p = rows.begin; p < rows.end; ++p) {
        for (int64_t q = range.begin; q < range.end; ++q) {
          const V factor = hn::Set(D(), row_factors[p] * column_factors[q]);
          sum = hn::MulAdd(lanes.load(dy.row(p * out_width + q) + i), factor, sum);
        }
      }
      lanes.store(sum, dx.row(x) + i);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(max_pool_row);
HWY_EXPORT(max_pool_backward_row);
HWY_EXPORT(max_unpool_backward_row);
HWY_EXPORT(average_pool_row);
HWY_EXPORT(average_pool_backward_row);

void max_pool_row(ConstRows x, int64_t picture_width, PoolRange rows, const PoolRange* columns, Rows y, Rows positions,
                  int64_t pixels, int64_t width) {
  HWY_DYNAMIC_DISPATCH(max_pool_row)
  (x, picture_width, rows, columns, y, positions, pixels, width);
}

void max_pool_backward_row(ConstRows dy, ConstRows positions, int64_t out_width, PoolRange rows,
                           const PoolRange* columns, int64_t row, Rows dx, int64_t pixels, int64_t width) {
  HWY_DYNAMIC_DISPATCH(max_pool_backward_row)
  (dy, positions, out_width, rows, columns, row, dx, pixels, width);
}

void max_unpool_backward_row(ConstRows dy, int64_t picture_width, PoolRange rows, const PoolRange* columns,
                             ConstRows positions, Rows dx, int64_t pixels, int64_t width) {
  HWY_DYNAMIC_DISPATCH(max_unpool_backward_row)
  (dy, picture_width, rows, columns, positions, dx, pixels, width);
}

void average_pool_row(ConstRows x, int64_t picture_width, PoolRange rows, const PoolRange* columns, float factor,
                      Rows y, int64_t pixels, int64_t width) {
  HWY_DYNAMIC_DISPATCH(average_pool_row)
  (x, picture_width, rows, columns, factor, y, pixels, width);
}

void average_pool_backward_row(ConstRows dy, int64_t out_width, PoolRange rows, const PoolRange* columns,
                               const float* row_factors, const float* column_factors, Rows dx, int64_t pixels,
                               int64_t width, bool add) {
  HWY_DYNAMIC_DISPATCH(average_pool_backward_row)
  (dy, out_width, rows, columns, row_factors, column_factors, dx, pixels, width, add);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
