// Loops of softmax and softmax cross-entropy.
#include "tensor/kernels/softmax.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/softmax.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Needs the target of highway.h.
#include <hwy/contrib/math/math-inl.h>

#include "tensor/kernels/exp-inl.h"
#include "tensor/kernels/lane_sums-inl.h"
#include "tensor/kernels/log1p-inl.h"
#include "tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using DI = hn::Rebind<int32_t, D>;
using V = hn::Vec<D>;
using M = hn::Mask<D>;
constexpr int64_t kLanes = Columns<D>::kLanes;

HWY_INLINE V exp_nonpositive(V x) { return exp_nonpositive(D(), x); }

/// A row of few columns: its loop is unrolled and its vectors stay in registers.
template <int kWhole, bool kTail>
class FewColumns {
 public:
  explicit HWY_INLINE FewColumns(int64_t width) : tail_(static_cast<size_t>(width - kWhole * kLanes)) {}
  template <class Body>
  HWY_INLINE void for_each(Body&& body) const {
    if constexpr (kWhole > 0) body(AllLanes<D>(), int64_t{0});
    if constexpr (kWhole > 1) body(AllLanes<D>(), kLanes);
    if constexpr (kWhole > 2) body(AllLanes<D>(), 2 * kLanes);
    if constexpr (kTail) body(tail_, kWhole * kLanes);
  }

  /// One vector per column group, put and taken between two loops over the row.
  class Buffer {
   public:
    explicit HWY_INLINE Buffer(float* /*row*/) {}
    template <class Lanes>
    HWY_INLINE void put(Lanes, V v, int64_t i) {
      values_[i / kLanes] = v;
    }
    template <class Lanes>
    HWY_INLINE V take(Lanes, int64_t i) const {
      return values_[i / kLanes];
    }

   private:
    V values_[kWhole + kTail];
  };

 private:
  FirstLanes<D> tail_;
};

/// A row of any number of columns; the buffer is the row of the output, which stays in L1.
class ManyColumns : public LaneColumns {
 public:
  explicit HWY_INLINE ManyColumns(int64_t width) : LaneColumns(width) {}
  class Buffer {
   public:
    explicit HWY_INLINE Buffer(float* row) : row_(row) {}
    template <class Lanes>
    HWY_INLINE void put(Lanes lanes, V v, int64_t i) {
      lanes.store(v, row_ + i);
    }
    template <class Lanes>
    HWY_INLINE V take(Lanes lanes, int64_t i) const {
      return lanes.load(row_ + i);
    }

   private:
    float* row_;
  };
};

/// Calls body(columns) with the kind of columns for this width.
template <class Body>
HWY_INLINE void with_columns(int64_t width, Body&& body) {
  const bool tail = width % kLanes != 0;
  switch (width / kLanes) {
    case 0:
      return body(FewColumns<0, true>(width));
    case 1:
      return tail ? body(FewColumns<1, true>(width)) : body(FewColumns<1, false>(width));
    case 2:
      return tail ? body(FewColumns<2, true>(width)) : body(FewColumns<2, false>(width));
    default:
      return body(ManyColumns(width));
  }
}

/// The row's maximum in all lanes. A NaN may be lost: it comes back in x - max.
template <class C>
HWY_INLINE V row_max(const C& columns, const float* x) {
  const V lowest = hn::Set(D(), -std::numeric_limits<float>::infinity());
  V top = lowest;
  columns.for_each([&](auto lanes, int64_t i) HWY_ATTR { top = hn::Max(top, lanes.load_or(x + i, lowest)); });
  return hn::MaxOfLanes(D(), top);
}

/// The lane of column `label` in the vector of columns from i on. `lanes` is Iota(DI(), 0), made once: Highway makes an
/// Iota lane by lane in memory.
HWY_INLINE M is_column(hn::Vec<DI> lanes, int64_t i, int32_t label) {
  return hn::RebindMask(D(), hn::Eq(lanes, hn::Set(DI(), label - static_cast<int32_t>(i))));
}

void softmax(ConstRows x, Rows y, int64_t rows, int64_t width) {
  with_columns(width, [&](const auto& columns) HWY_ATTR {
    for (int64_t r = 0; r < rows; ++r, x.data += x.stride, y.data += y.stride) {
      typename std::decay_t<decltype(columns)>::Buffer exps(y.data);
      const V top = row_max(columns, x.data);
      LaneSums sums;
      columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
        const V e = exp_nonpositive(hn::Sub(lanes.load(x.data + i), top));
        exps.put(lanes, e, i);
        sums.at(i) = hn::Add(sums.at(i), lanes.keep(e));
      });
      const V factor = hn::Set(D(), 1.0F / sums.total());
      columns.for_each([&](auto lanes, int64_t i)
                           HWY_ATTR { lanes.store(hn::Mul(exps.take(lanes, i), factor), y.data + i); });
    }
  });
}

void softmax_backward(ConstRows dy, ConstRows y, Rows dx, int64_t rows, int64_t width) {
  with_columns(width, [&](const auto& columns) HWY_ATTR {
    for (int64_t r = 0; r < rows; ++r, dy.data += dy.stride, y.data += y.stride, dx.data += dx.stride) {
      // dy counts from its value at the largest y, which changes nothing, as y sums to 1: for a confident row, where
      // that y is all but 1, its dy would be all of the sum, and leave only rounding errors of the difference.
      const V largest = row_max(columns, y.data);
      V origin = hn::Set(D(), -std::numeric_limits<float>::infinity());
      columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
        const M chosen = lanes.keep(hn::Eq(lanes.load(y.data + i), largest));
        origin = hn::Max(origin, hn::IfThenElse(chosen, lanes.load(dy.data + i), origin));
      });
      origin = hn::MaxOfLanes(D(), origin);
      LaneSums products;
      columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
        const V distance = lanes.keep(hn::Sub(lanes.load(dy.data + i), origin));
        products.at(i) = hn::MulAdd(distance, lanes.load(y.data + i), products.at(i));
      });
      const V dot = hn::Set(D(), products.total());
      columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
        const V distance = hn::Sub(hn::Sub(lanes.load(dy.data + i), origin), dot);
        lanes.store(hn::Mul(lanes.load(y.data + i), distance), dx.data + i);
      });
    }
  });
}

// Pixels whose logarithms are taken together, as vectors over pixels.
constexpr int64_t kPixels = 64;

CrossEntropySums cross_entropy(ConstRows logits, const int32_t* labels, int32_t ignore_label,
                               const float* class_weights, float* lse, int64_t rows, int64_t width) {
  CrossEntropySums sums{0, 0, -1};
  const D d;
  const auto iota = hn::Iota(DI(), 0);
  with_columns(width, [&](const auto& columns) HWY_ATTR {
    // Per pixel: the largest logit, the label's logit, and the sum of exp(x - top) over all columns but the label's.
    HWY_ALIGN float top[kPixels], own[kPixels], others[kPixels], loss[kPixels];
    for (int64_t first = 0; first < rows; first += kPixels) {
      const int64_t count = std::min(kPixels, rows - first);
      for (int64_t j = 0; j < count; ++j) {
        const float* x = logits.row(first + j);
        const int32_t label = labels[first + j];
        const bool valid = label != ignore_label;
        if (valid && (label < 0 || label >= width)) {
          sums.bad_label = first + j;
          return;
        }
        const V max = row_max(columns, x);
        const int32_t column = valid ? label : -1;
        LaneSums exps;
        columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
          const V e = lanes.keep(exp_nonpositive(hn::Sub(lanes.load(x + i), max)));
          exps.at(i) = hn::Add(exps.at(i), hn::IfThenZeroElse(is_column(iota, i, column), e));
        });
        top[j] = hn::GetLane(max);
        own[j] = valid ? x[label] : -std::numeric_limits<float>::infinity();
        others[j] = exps.total();
      }
      for (int64_t j = count; j < kPixels; ++j) top[j] = own[j] = others[j] = 0.0F;
      // log(sum) = log1p(others + (e_label - 1)): for a confident pixel e_label is 1 and `others` tiny, and the sum
      // itself, close to 1, would have lost most of its digits.
      for (int64_t j = 0; j < kPixels; j += kLanes) {
        const V t = hn::Load(d, top + j), gap = hn::Sub(hn::Load(d, own + j), t);
        const V rest = hn::Add(hn::Load(d, others + j), hn::Sub(exp_nonpositive(gap), hn::Set(d, 1.0F)));
        const V log = log1p_nonnegative(d, rest);
        hn::Store(hn::Add(t, log), d, top + j);
        hn::Store(hn::Sub(log, gap), d, loss + j);
      }
      for (int64_t j = 0; j < count; ++j) {
        lse[first + j] = top[j];
        const int32_t label = labels[first + j];
        if (label == ignore_label) continue;
        const double weight = class_weights != nullptr ? class_weights[label] : 1.0;
        sums.weight += weight;
        sums.loss += weight * loss[j];
      }
    }
  });
  return sums;
}

void cross_entropy_backward(ConstRows logits, const int32_t* labels, int32_t ignore_label, const float* class_weights,
                            const float* lse, float factor, Rows dx, int64_t rows, int64_t width) {
  const D d;
  const auto iota = hn::Iota(DI(), 0);
  with_columns(width, [&](const auto& columns) HWY_ATTR {
    // exp(x - lse) is the softmax but for the rounding of lse, which is large for large logits: so divide by the sum.
    // The label's own p - 1 is -(sum of the others), which keeps its digits where p is close to 1.
    HWY_ALIGN float gains[kPixels], own[kPixels], others[kPixels];
    for (int64_t first = 0; first < rows; first += kPixels) {
      const int64_t count = std::min(kPixels, rows - first);
      for (int64_t j = 0; j < count; ++j) {
        const int32_t label = labels[first + j];
        gains[j] = own[j] = others[j] = 0.0F;
        if (label == ignore_label) continue;
        const float* x = logits.row(first + j);
        float* exps = dx.row(first + j);
        const V log_sum = hn::Set(d, lse[first + j]);
        LaneSums sums;
        columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
          const V e = exp_nonpositive(hn::Sub(lanes.load(x + i), log_sum));
          lanes.store(e, exps + i);
          sums.at(i) = hn::Add(sums.at(i), hn::IfThenZeroElse(is_column(iota, i, label), lanes.keep(e)));
        });
        gains[j] = class_weights != nullptr ? factor * class_weights[label] : factor;
        own[j] = exps[label];
        others[j] = sums.total();
      }
      for (int64_t j = count; j < kPixels; ++j) gains[j] = own[j] = others[j] = 0.0F;
      for (int64_t j = 0; j < kPixels; j += kLanes) {
        const V rest = hn::Load(d, others + j);
        const V gain = hn::Div(hn::Load(d, gains + j), hn::Add(rest, hn::Load(d, own + j)));
        hn::Store(gain, d, gains + j);
        hn::Store(hn::Mul(hn::Neg(gain), rest), d, own + j);
      }
      for (int64_t j = 0; j < count; ++j) {
        float* to = dx.row(first + j);
        const int32_t label = labels[first + j];
        const V gain = hn::Set(d, gains[j]);
        if (label == ignore_label) {
          columns.for_each([&](auto lanes, int64_t i) HWY_ATTR { lanes.store(hn::Zero(d), to + i); });
        } else {
          columns.for_each([&](auto lanes, int64_t i)
                               HWY_ATTR { lanes.store(hn::Mul(lanes.load(to + i), gain), to + i); });
          to[label] = own[j];
        }
      }
    }
  });
}

void argmax(ConstRows x, int32_t* labels, int64_t rows, int64_t width) {
  const D d;
  with_columns(width, [&](const auto& columns) HWY_ATTR {
    const V lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
    for (int64_t r = 0; r < rows; ++r, x.data += x.stride) {
      V sum = hn::Zero(d), top = lowest;
      columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
        const V v = lanes.load_or(x.data + i, lowest);
        top = hn::Max(top, v);
        sum = hn::IfThenElse(hn::IsNaN(v), v, sum);
      });
      const bool has_nan = !hn::AllFalse(d, hn::IsNaN(sum));
      top = hn::MaxOfLanes(d, top);
      int64_t found = width;
      columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
        if (found != width) return;
        const V v = lanes.load(x.data + i);
        const intptr_t lane = hn::FindFirstTrue(d, lanes.keep(has_nan ? hn::IsNaN(v) : hn::Eq(v, top)));
        if (lane >= 0) found = i + lane;
      });
      labels[r] = static_cast<int32_t>(found);
    }
  });
}

void log_probabilities(ConstRows x, float lowest, Rows y, int64_t rows, int64_t width) {
  const V low = hn::Set(D(), lowest), one = hn::Set(D(), 1.0F);
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, x.data += x.stride, y.data += y.stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const V p = hn::Min(hn::Max(lanes.load_or(x.data + i, one), low), one);
      lanes.store(hn::Log(D(), p), y.data + i);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(softmax);
HWY_EXPORT(softmax_backward);
HWY_EXPORT(cross_entropy);
HWY_EXPORT(cross_entropy_backward);
HWY_EXPORT(argmax);
HWY_EXPORT(log_probabilities);

void softmax(ConstRows x, Rows y, int64_t rows, int64_t width) { HWY_DYNAMIC_DISPATCH(softmax)(x, y, rows, width); }

void softmax_backward(ConstRows dy, ConstRows y, Rows dx, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(softmax_backward)(dy, y, dx, rows, width);
}

CrossEntropySums cross_entropy(ConstRows logits, const int32_t* labels, int32_t ignore_label,
                               const float* class_weights, float* lse, int64_t rows, int64_t width) {
  return HWY_DYNAMIC_DISPATCH(cross_entropy)(logits, labels, ignore_label, class_weights, lse, rows, width);
}

void cross_entropy_backward(ConstRows logits, const int32_t* labels, int32_t ignore_label, const float* class_weights,
                            const float* lse, float factor, Rows dx, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(cross_entropy_backward)
  (logits, labels, ignore_label, class_weights, lse, factor, dx, rows, width);
}

void argmax(ConstRows x, int32_t* labels, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(argmax)(x, labels, rows, width);
}

void log_probabilities(ConstRows x, float lowest, Rows y, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(log_probabilities)(x, lowest, y, rows, width);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
