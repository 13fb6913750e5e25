// Loops of the permutohedral lattice.
#include "tensor/kernels/permutohedral.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/permutohedral.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/fixed_row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

template <int kD>
void embed(const float* features, int32_t* cells, int32_t* ranks, float* weights) {
  using D = hn::CappedTag<float, kEmbedRun>;
  using V = hn::Vec<D>;
  const D d;
  const hn::RebindToSigned<D> di;
  const V zero = hn::Zero(d), one = hn::Set(d, 1.0F), side = hn::Set(d, kD + 1.0F);
  const V inverse_side = hn::Set(d, 1.0F / (kD + 1));
  // So scaled, splat, blur and slice together are a Gaussian of standard deviation 1 in the features (section 3.4
  // there).
  const float deviation = static_cast<float>(std::sqrt(2.0 / 3.0) * (kD + 1));
  V scale[kD];
  for (int i = 0; i < kD; ++i) {
    scale[i] = hn::Set(d, static_cast<float>(1.0 / std::sqrt(static_cast<double>((i + 2) * (i + 1))) * deviation));
  }
  for (int64_t first = 0; first < kEmbedRun; first += static_cast<int64_t>(hn::Lanes(d))) {
    // Onto the plane of D + 1 coordinates that sum to 0.
    V elevated[kD + 1];
    V sum = zero;
    for (int j = kD; j > 0; --j) {
      const V part = hn::Mul(hn::Load(d, features + (j - 1) * kEmbedRun + first), scale[j - 1]);
      elevated[j] = hn::Sub(sum, hn::Mul(hn::Set(d, static_cast<float>(j)), part));
      sum = hn::Add(sum, part);
    }
    elevated[0] = sum;
    // The nearest point whose coordinates are multiples of D + 1; they need not sum to 0 yet.
    V cell[kD + 1], residual[kD + 1], rank[kD + 1];
    V excess = zero;
    for (int i = 0; i <= kD; ++i) {
      cell[i] = hn::Round(hn::Mul(inverse_side, elevated[i]));
      residual[i] = hn::Sub(elevated[i], hn::Mul(cell[i], side));
      excess = hn::Add(excess, cell[i]);
      rank[i] = zero;
    }
    for (int i = 0; i < kD; ++i) {
      for (int j = i + 1; j <= kD; ++j) {
        const V smaller = hn::IfThenElseZero(hn::Lt(residual[i], residual[j]), one);
        rank[i] = hn::Add(rank[i], smaller);
        rank[j] = hn::Add(rank[j], hn::Sub(one, smaller));
      }
    }
    // Those with the largest or smallest residuals step by one cell until the sum is 0. sorted[D - rank] collects the
    // coordinates' distances from the corner.
    V sorted[kD + 1];
    for (int p = 0; p <= kD; ++p) sorted[p] = zero;
    for (int i = 0; i <= kD; ++i) {
      rank[i] = hn::Add(rank[i], excess);
      const V up = hn::IfThenElseZero(hn::Lt(rank[i], zero), one);
      const V step = hn::Sub(up, hn::IfThenElseZero(hn::Ge(rank[i], side), one));
      rank[i] = hn::Add(rank[i], hn::Mul(step, side));
      cell[i] = hn::Add(cell[i], step);
      const V distance = hn::Mul(hn::Sub(elevated[i], hn::Mul(cell[i], side)), inverse_side);
      for (int p = 0; p <= kD; ++p) {
        const V place = hn::Set(d, static_cast<float>(kD - p));
        sorted[p] = hn::IfThenElse(hn::Eq(rank[i], place), distance, sorted[p]);
      }
      hn::Store(hn::ConvertTo(di, rank[i]), di, ranks + i * kEmbedRun + first);
      if (i < kD) hn::Store(hn::ConvertTo(di, cell[i]), di, cells + i * kEmbedRun + first);
    }
    hn::Store(hn::Add(sorted[0], hn::Sub(one, sorted[kD])), d, weights + first);
    for (int p = 1; p <= kD; ++p) hn::Store(hn::Sub(sorted[p], sorted[p - 1]), d, weights + p * kEmbedRun + first);
  }
}

void lattice_embed(int dimension, const float* features, int32_t* cells, int32_t* ranks, float* weights) {
  if (dimension == 2) {
    embed<2>(features, cells, ranks, weights);
  } else {
    embed<5>(features, cells, ranks, weights);
  }
}

// The loops over rows know the width when they are compiled: a row's sums stay in registers. Their time goes to waiting
// for rows, of which several are under way at once, because no row waits for another.

struct Splat {
  template <int kWidth>
  static void run(const int32_t* starts, const WeightedRow* terms, const float* factors, ConstRows x, Rows y,
                  int64_t begin, int64_t end) {
    // A sum of sums: where a point has very many pixels, rounding errors grow with the root of their number otherwise.
    constexpr int32_t kTerms = 256;
    for (int64_t i = begin; i < end; ++i) {
      FixedRow<kWidth> total;
      total.clear();
      for (int32_t k = starts[i]; k < starts[i + 1];) {
        FixedRow<kWidth> sum;
        sum.clear();
        for (const int32_t stop = std::min(starts[i + 1], k + kTerms); k < stop; ++k) {
          const WeightedRow term = terms[k];
          sum.add_product(term.weight * factors[term.row], x.row(term.row));
        }
        total.add(sum);
      }
      total.store(y.row(i));
    }
  }
};

struct Blur {
  template <int kWidth>
  static void run(const LatticeNeighbours* neighbours, ConstRows x, Rows y, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      FixedRow<kWidth> sides, sum;
      sides.load(x.row(neighbours[i].before));
      sides.add(x.row(neighbours[i].after));
      sum.load(x.row(i));
      sum.add_product(0.5F, sides);
      sum.store(y.row(i));
    }
  }
};

struct Slice {
  template <int kWidth>
  static void run(const WeightedRow* terms, int count, const float* factors, ConstRows x, ConstRows base, Rows y,
                  int64_t begin, int64_t end) {
    terms += begin * count;
    for (int64_t i = begin; i < end; ++i, terms += count) {
      FixedRow<kWidth> sum, result;
      sum.clear();
      for (int k = 0; k < count; ++k) sum.add_product(terms[k].weight, x.row(terms[k].row));
      result.load(base.row(i));
      result.add_product(factors[i], sum);
      result.store(y.row(i));
    }
  }
};

void lattice_splat(const int32_t* starts, const WeightedRow* terms, const float* factors, ConstRows x, Rows y,
                   int64_t begin, int64_t end, int64_t width) {
  with_width<Splat>(width, starts, terms, factors, x, y, begin, end);
}

void lattice_blur(const LatticeNeighbours* neighbours, ConstRows x, Rows y, int64_t begin, int64_t end, int64_t width) {
  with_width<Blur>(width, neighbours, x, y, begin, end);
}

void lattice_slice(const WeightedRow* terms, int count, const float* factors, ConstRows x, ConstRows base, Rows y,
                   int64_t begin, int64_t end, int64_t width) {
  with_width<Slice>(width, terms, count, factors, x, base, y, begin, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(lattice_embed);
HWY_EXPORT(lattice_splat);
HWY_EXPORT(lattice_blur);
HWY_EXPORT(lattice_slice);

void lattice_embed(int dimension, const float* features, int32_t* cells, int32_t* ranks, float* weights) {
  HWY_DYNAMIC_DISPATCH(lattice_embed)(dimension, features, cells, ranks, weights);
}

void lattice_splat(const int32_t* starts, const WeightedRow* terms, const float* factors, ConstRows x, Rows y,
                   int64_t begin, int64_t end, int64_t width) {
  HWY_DYNAMIC_DISPATCH(lattice_splat)(starts, terms, factors, x, y, begin, end, width);
}

void lattice_blur(const LatticeNeighbours* neighbours, ConstRows x, Rows y, int64_t begin, int64_t end, int64_t width) {
  HWY_DYNAMIC_DISPATCH(lattice_blur)(neighbours, x, y, begin, end, width);
}

void lattice_slice(const WeightedRow* terms, int count, const float* factors, ConstRows x, ConstRows base, Rows y,
                   int64_t begin, int64_t end, int64_t width) {
  HWY_DYNAMIC_DISPATCH(lattice_slice)(terms, count, factors, x, base, y, begin, end, width);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
