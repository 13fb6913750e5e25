// Loops of enlargement fused with softmax cross-entropy and with argmax, class by class.
#include "tensor/kernels/class_planes.h"

#include <algorithm>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/class_planes.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/exp-inl.h"
#include "tensor/kernels/log1p-inl.h"
#include "tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

using D = hn::CappedTag<float, kPixelGroup>;
using DI = hn::Rebind<int32_t, D>;
using V = hn::Vec<D>;
using VI = hn::Vec<DI>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D()));
constexpr int64_t kVectors = kPixelGroup / kLanes;

/// Copies `count` values of a group; nearly always all of them, which takes a few moves.
template <class T>
HWY_INLINE void copy_group(const T* from, int64_t count, T* to) {
  if (count == kPixelGroup) {
    std::memcpy(to, from, kPixelGroup * sizeof(T));
  } else {
    std::copy_n(from, count, to);
  }
}

/// Vector v of a group of class k in `work`.
HWY_INLINE float* at(float* work, int64_t k, int64_t v) { return work + k * kPixelGroup + v * kLanes; }

/// Makes a group of enlarged pixels, when neighbours lie so close that two vectors hold all that one needs.
class CloseColumns {
 public:
  HWY_INLINE CloseColumns(const EnlargedColumns& columns, int64_t first) {
    const DI di;
    for (int64_t v = 0; v < kVectors; ++v) {
      const int64_t i = first + v * kLanes;
      base_[v] = columns.low[i];
      const VI low = hn::LoadU(di, columns.low + i);
      hn::StoreU(hn::Sub(low, hn::Set(di, columns.low[i])), di, offsets_ + v * kLanes);
      low_weight_[v] = hn::LoadU(D(), columns.low_weight + i);
      high_weight_[v] = hn::LoadU(D(), columns.high_weight + i);
    }
  }
  HWY_INLINE V make(const float* plane, int64_t v) const {
    const D d;
    const auto lanes = hn::SetTableIndices(d, offsets_ + v * kLanes);
    const V low = hn::TableLookupLanes(hn::LoadU(d, plane + base_[v]), lanes);
    const V high = hn::TableLookupLanes(hn::LoadU(d, plane + base_[v] + 1), lanes);
    return hn::MulAdd(high, high_weight_[v], hn::Mul(low, low_weight_[v]));
  }

 private:
  int64_t base_[kVectors];
  HWY_ALIGN int32_t offsets_[kPixelGroup];
  V low_weight_[kVectors], high_weight_[kVectors];
};

/// The same wherever the pixels lie.
class FarColumns {
 public:
  HWY_INLINE FarColumns(const EnlargedColumns& columns, int64_t first) : columns_(columns.from(first)) {}
  HWY_INLINE V make(const float* plane, int64_t v) const {
    const D d;
    const VI lanes = hn::LoadU(DI(), columns_.low + v * kLanes);
    const V low = hn::GatherIndex(d, plane, lanes), high = hn::GatherIndex(d, plane + 1, lanes);
    const V low_weight = hn::LoadU(d, columns_.low_weight + v * kLanes);
    return hn::MulAdd(high, hn::LoadU(d, columns_.high_weight + v * kLanes), hn::Mul(low, low_weight));
  }

 private:
  EnlargedColumns columns_;
};

/// Calls use(k, v, the enlarged logits) for the vectors of a group, all vectors of a class after each other.
template <class Use>
HWY_INLINE void enlarge(const ClassPlanes& row, const EnlargedColumns& columns, int64_t first, const Use& use) {
  const auto all = [&](const auto& group) HWY_ATTR {
    const float* plane = row.data;
    const int64_t classes = row.classes, stride = row.stride;
    for (int64_t k = 0; k < classes; ++k, plane += stride) {
      HWY_UNROLL(4)
      for (int64_t v = 0; v < kVectors; ++v) use(k, v, group.make(plane, v));
    }
  };
  if (columns.shrink) return all(FarColumns(columns, first));
  all(CloseColumns(columns, first));
}

/// The first largest value of each pixel, or the first NaN.
class Best {
 public:
  HWY_INLINE Best() {
    for (int64_t v = 0; v < kVectors; ++v) {
      top_[v] = hn::Set(D(), -std::numeric_limits<float>::infinity());
      index_[v] = hn::Zero(DI());
    }
  }
  HWY_INLINE void take(int64_t k, int64_t v, V value) {
    const auto stays = hn::Or(hn::Le(value, top_[v]), hn::IsNaN(top_[v]));
    top_[v] = hn::IfThenElse(stays, top_[v], value);
    index_[v] = hn::IfThenElse(hn::RebindMask(DI(), stays), index_[v], hn::Set(DI(), static_cast<int32_t>(k)));
  }
  /// The largest values.
  HWY_INLINE const V* top() const { return top_; }
  /// The first `count` classes.
  HWY_INLINE void store(int32_t* labels, int64_t count) const {
    HWY_ALIGN int32_t all[kPixelGroup];
    for (int64_t v = 0; v < kVectors; ++v) hn::Store(index_[v], DI(), all + v * kLanes);
    copy_group(all, count, labels);
  }

 private:
  V top_[kVectors];
  VI index_[kVectors];
};

/// work = e^(work - top) for vectors [i, end) of a group, top[v] for vector v of each class; kBlock of them in step.
template <int kBlock>
HWY_INLINE void exp_vectors(float* work, int64_t i, int64_t end, const V* top) {
  static_assert(kBlock % kVectors == 0);
  const D d;
  for (; i + kBlock <= end; i += kBlock) {
    V x[kBlock];
    HWY_UNROLL(8)
    for (int j = 0; j < kBlock; ++j) x[j] = hn::Sub(hn::Load(d, work + (i + j) * kLanes), top[j % kVectors]);
    exp_nonpositive_in_step<kBlock>(d, x);
    HWY_UNROLL(8)
    for (int j = 0; j < kBlock; ++j) hn::Store(x[j], d, work + (i + j) * kLanes);
  }
  if constexpr (kBlock > kVectors) exp_vectors<kBlock / 2>(work, i, end, top);
}

/// work = e^(work - top) for all classes of a group.
HWY_INLINE void exp_classes(float* work, int64_t classes, const V* top) {
  exp_vectors<static_cast<int>(kVectors > 8 ? kVectors : 8)>(work, 0, classes * kVectors, top);
}

/// The classes that LaneSums (lane_sums-inl.h) adds in virtual lane kLane, and the other lanes as it folds them.
template <int kLane, int kStep>
HWY_INLINE V sum_of_lanes(float* work, int64_t v, int64_t classes) {
  if constexpr (kStep < 16) {
    return hn::Add(sum_of_lanes<kLane, 2 * kStep>(work, v, classes),
                   sum_of_lanes<kLane + kStep, 2 * kStep>(work, v, classes));
  } else {
    V sum = hn::Zero(D());
    for (int64_t k = kLane; k < classes; k += 16) sum = hn::Add(sum, hn::Load(D(), at(work, k, v)));
    return sum;
  }
}

/// The sum over all classes, in the order of LaneSums.
HWY_INLINE V sum_of_classes(float* work, int64_t v, int64_t classes) { return sum_of_lanes<0, 1>(work, v, classes); }

/// The labels of a group; pixels that do not exist are ignored.
struct GroupLabels {
  int64_t count;
  HWY_ALIGN int32_t label[kPixelGroup];
  int32_t ignore_label;

  HWY_INLINE GroupLabels(const int32_t* labels, int64_t pixels, int32_t ignore)
      : count(std::min(pixels, kPixelGroup)), ignore_label(ignore) {
    copy_group(labels, count, label);
    std::fill(label + count, label + kPixelGroup, ignore);
  }
  /// The first pixel whose label is neither a class nor ignored, -1 if there is none.
  HWY_INLINE int64_t bad(int64_t classes) const {
    const DI di;
    const VI end = hn::Set(di, static_cast<int32_t>(std::min<int64_t>(classes, std::numeric_limits<int32_t>::max())));
    for (int64_t v = 0; v < kVectors; ++v) {
      const VI l = hn::Load(di, label + v * kLanes);
      const auto is_class = hn::And(hn::Gt(l, hn::Set(di, -1)), hn::Lt(l, end));
      const auto fits = hn::Or(is_class, hn::Eq(l, hn::Set(di, ignore_label)));
      if (!hn::AllTrue(di, fits)) return v * kLanes + hn::FindFirstTrue(di, hn::Not(fits));
    }
    return -1;
  }
  HWY_INLINE bool valid(int64_t j) const { return label[j] != ignore_label; }
};

CrossEntropySums enlarged_cross_entropy(const ClassPlanes& row, const EnlargedColumns& columns, const int32_t* labels,
                                        int32_t ignore_label, const float* class_weights, float* lse, int32_t* guesses,
                                        float* work, int64_t pixels) {
  const D d;
  const int64_t classes = row.classes;
  double loss_sum = 0, weight_sum = 0;
  HWY_ALIGN float own[kPixelGroup], log_sum[kPixelGroup], loss[kPixelGroup];
  for (int64_t first = 0; first < pixels; first += kPixelGroup) {
    const GroupLabels group(labels + first, pixels - first, ignore_label);
    if (const int64_t bad = group.bad(classes); bad >= 0) return {0, 0, first + bad};
    Best best;
    enlarge(row, columns, first, [&](int64_t k, int64_t v, V x) HWY_ATTR {
      hn::Store(x, d, at(work, k, v));
      best.take(k, v, x);
    });
    best.store(guesses + first, group.count);
    for (int64_t j = 0; j < kPixelGroup; ++j) {
      own[j] = group.valid(j) ? work[group.label[j] * kPixelGroup + j] : -std::numeric_limits<float>::infinity();
    }
    exp_classes(work, classes, best.top());
    for (int64_t j = 0; j < kPixelGroup; ++j) {
      if (group.valid(j)) work[group.label[j] * kPixelGroup + j] = 0.0F;
    }
    // log(sum) = log1p(others + (e_label - 1)): for a confident pixel e_label is 1 and `others` tiny, and the sum
    // itself, close to 1, would have lost most of its digits.
    for (int64_t v = 0; v < kVectors; ++v) {
      const V top = best.top()[v], gap = hn::Sub(hn::Load(d, own + v * kLanes), top);
      const V others = sum_of_classes(work, v, classes);
      const V log = log1p_nonnegative(d, hn::Add(others, hn::Sub(exp_nonpositive(d, gap), hn::Set(d, 1.0F))));
      hn::Store(hn::Add(top, log), d, log_sum + v * kLanes);
      hn::Store(hn::Sub(log, gap), d, loss + v * kLanes);
    }
    copy_group(log_sum, group.count, lse + first);
    for (int64_t j = 0; j < group.count; ++j) {
      if (!group.valid(j)) continue;
      const double weight = class_weights != nullptr ? class_weights[group.label[j]] : 1.0;
      weight_sum += weight;
      loss_sum += weight * loss[j];
    }
  }
  return {loss_sum, weight_sum, -1};
}

#if HWY_TARGET != HWY_SCALAR
/// Stores block b of four lanes to row 4 b.
template <class DN>
HWY_INLINE void store_blocks(DN d, hn::Vec<DN> v, Rows to) {
  if constexpr (hn::MaxLanes(DN()) > 4) {
    const hn::Half<DN> half;
    store_blocks(half, hn::LowerHalf(half, v), to);
    store_blocks(half, hn::UpperHalf(half, v), {to.row(static_cast<int64_t>(hn::MaxLanes(half))), to.stride});
  } else {
    hn::StoreU(v, d, to.data);
  }
}
#endif

/// Stores four classes of a vector of pixels pixel by pixel: to.row(i) gets lane i of a, b, c and e.
HWY_INLINE void store_pixels(V a, V b, V c, V e, Rows to) {
#if HWY_TARGET == HWY_SCALAR
  const V all[4] = {a, b, c, e};
  for (int k = 0; k < 4; ++k) to.data[k] = hn::GetLane(all[k]);
#else
  // Within each block of four lanes: rows become columns.
  const D d;
  const hn::Repartition<double, D> pairs;
  const auto two = [&](V x) HWY_ATTR { return hn::BitCast(pairs, x); };
  const auto low_ab = two(hn::InterleaveLower(d, a, b)), high_ab = two(hn::InterleaveUpper(d, a, b));
  const auto low_ce = two(hn::InterleaveLower(d, c, e)), high_ce = two(hn::InterleaveUpper(d, c, e));
  const V pixel[4] = {hn::BitCast(d, hn::InterleaveLower(pairs, low_ab, low_ce)),
                      hn::BitCast(d, hn::InterleaveUpper(pairs, low_ab, low_ce)),
                      hn::BitCast(d, hn::InterleaveLower(pairs, high_ab, high_ce)),
                      hn::BitCast(d, hn::InterleaveUpper(pairs, high_ab, high_ce))};
  for (int64_t j = 0; j < 4; ++j) store_blocks(d, pixel[j], {to.row(j), to.stride});
#endif
}

void enlarged_cross_entropy_backward(const ClassPlanes& row, const EnlargedColumns& columns, const int32_t* labels,
                                     int32_t ignore_label, const float* class_weights, const float* lse, float factor,
                                     Rows dx, float* work, int64_t pixels) {
  const D d;
  const int64_t whole = whole_fours(row.classes);
  std::fill(work + row.classes * kPixelGroup, work + whole * kPixelGroup, 0.0F);
  HWY_ALIGN float log_sum[kPixelGroup], own[kPixelGroup], gains[kPixelGroup];
  HWY_ALIGN int32_t valid[kPixelGroup];
  for (int64_t first = 0; first < pixels; first += kPixelGroup, dx.data += kPixelGroup * dx.stride) {
    const GroupLabels group(labels + first, pixels - first, ignore_label);
    copy_group(lse + first, group.count, log_sum);
    std::fill(log_sum + group.count, log_sum + kPixelGroup, 0.0F);
    // exp(x - lse) is the softmax but for the rounding of lse, which is large for large logits: so divide by the sum.
    enlarge(row, columns, first, [&](int64_t k, int64_t v, V x) HWY_ATTR { hn::Store(x, d, at(work, k, v)); });
    V top[kVectors];
    for (int64_t v = 0; v < kVectors; ++v) top[v] = hn::Load(d, log_sum + v * kLanes);
    exp_classes(work, row.classes, top);
    for (int64_t j = 0; j < kPixelGroup; ++j) {
      const int32_t label = group.label[j];
      valid[j] = group.valid(j) ? -1 : 0;
      own[j] = gains[j] = 0.0F;
      if (!group.valid(j)) continue;
      gains[j] = class_weights != nullptr ? factor * class_weights[label] : factor;
      own[j] = work[label * kPixelGroup + j];
      work[label * kPixelGroup + j] = 0.0F;
    }
    // The label's own p - 1 is -(sum of the others), which keeps its digits where p is close to 1.
    for (int64_t v = 0; v < kVectors; ++v) {
      const V rest = sum_of_classes(work, v, row.classes);
      const V gain = hn::Div(hn::Load(d, gains + v * kLanes), hn::Add(rest, hn::Load(d, own + v * kLanes)));
      const auto used = hn::MaskFromVec(hn::BitCast(d, hn::Load(DI(), valid + v * kLanes)));
      hn::Store(hn::Mul(hn::Neg(gain), rest), d, own + v * kLanes);
      const Rows to{dx.row(v * kLanes), dx.stride};
      const auto part = [&](int64_t k)
                            HWY_ATTR { return hn::IfThenElseZero(used, hn::Mul(hn::Load(d, at(work, k, v)), gain)); };
      for (int64_t k = 0; k < whole; k += 4) {
        store_pixels(part(k), part(k + 1), part(k + 2), part(k + 3), {to.data + k, to.stride});
      }
    }
    for (int64_t j = 0; j < group.count; ++j) {
      if (group.valid(j)) dx.row(j)[group.label[j]] = own[j];
    }
  }
}

void enlarged_argmax(const ClassPlanes& row, const EnlargedColumns& columns, bool softmax, int32_t* labels, float* work,
                     int64_t pixels) {
  const D d;
  for (int64_t first = 0; first < pixels; first += kPixelGroup) {
    Best best;
    enlarge(row, columns, first, [&](int64_t k, int64_t v, V x) HWY_ATTR {
      if (softmax) hn::Store(x, d, at(work, k, v));
      best.take(k, v, x);
    });
    if (softmax) {
      Best likely;
      exp_classes(work, row.classes, best.top());
      for (int64_t v = 0; v < kVectors; ++v) {
        const V factor = hn::Div(hn::Set(d, 1.0F), sum_of_classes(work, v, row.classes));
        for (int64_t k = 0; k < row.classes; ++k) likely.take(k, v, hn::Mul(hn::Load(d, at(work, k, v)), factor));
      }
      best = likely;
    }
    best.store(labels + first, std::min(kPixelGroup, pixels - first));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(enlarged_cross_entropy);
HWY_EXPORT(enlarged_cross_entropy_backward);
HWY_EXPORT(enlarged_argmax);

CrossEntropySums enlarged_cross_entropy(const ClassPlanes& row, const EnlargedColumns& columns, const int32_t* labels,
                                        int32_t ignore_label, const float* class_weights, float* lse, int32_t* guesses,
                                        float* work, int64_t pixels) {
  return HWY_DYNAMIC_DISPATCH(enlarged_cross_entropy)(row, columns, labels, ignore_label, class_weights, lse, guesses,
                                                      work, pixels);
}

void enlarged_cross_entropy_backward(const ClassPlanes& row, const EnlargedColumns& columns, const int32_t* labels,
                                     int32_t ignore_label, const float* class_weights, const float* lse, float factor,
                                     Rows dx, float* work, int64_t pixels) {
  HWY_DYNAMIC_DISPATCH(enlarged_cross_entropy_backward)
  (row, columns, labels, ignore_label, class_weights, lse, factor, dx, work, pixels);
}

void enlarged_argmax(const ClassPlanes& row, const EnlargedColumns& columns, bool softmax, int32_t* labels, float* work,
                     int64_t pixels) {
  HWY_DYNAMIC_DISPATCH(enlarged_argmax)(row, columns, softmax, labels, work, pixels);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
