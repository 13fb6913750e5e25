// Gaussian filters between pixels: the lattice against one in double that was written apart, the exact one against its
// sum.
#include <cmath>

#include "tensor/ops/exact_filter.h"
#include "tensor/ops/permutohedral.h"
#include "tensor/random.h"
#include "tensor/storage.h"
#include "tests/support/op_testing.h"
#include "tests/support/oracle_crf.h"

namespace giza {
namespace {

using ops::FilterDirection;
using oracle::PixelRows;

/// Positions and, for dimension 5, noisy colours of two regions, in standard deviations.
Tensor picture_features(int64_t height, int64_t width, int dimension, float xy, float rgb) {
  Tensor features = Tensor::empty({1, height, width, dimension});
  Random random(3, Purpose::test);
  for (int64_t i = 0; i < features.rows(); ++i) {
    features.row(i)[0] = static_cast<float>(i % width) / xy;
    features.row(i)[1] = static_cast<float>(i / width) / xy;
    for (int k = 2; k < dimension; ++k) {
      const float base = i % width < width / 2 ? 60.0F : 180.0F;
      features.row(i)[k] = (base + static_cast<float>(random.next_below(17)) + static_cast<float>(k)) / rgb;
    }
  }
  return features;
}

PixelRows rows_of(const Tensor& x) {
  PixelRows rows;
  for (int64_t i = 0; i < x.rows(); ++i) rows.emplace_back(x.row(i), x.row(i) + x.channels());
  return rows;
}

Tensor noise(int64_t pixels, int64_t width, uint32_t item) {
  Tensor x = Tensor::empty({pixels, width});
  Random random(4, Purpose::test, 0, item);
  for (int64_t i = 0; i < x.numel(); ++i) x.data()[i] = random.next_uniform(-1, 1);
  return x;
}

Tensor apply(const ops::PixelFilter& filter, const Tensor& x, FilterDirection direction = FilterDirection::forward) {
  const Tensor y = Tensor::empty(x.shape());
  filter.add(x, Tensor::zeros(x.shape()), y, direction);
  return y;
}

/// Relative L2 distance.
double distance(const Tensor& y, const PixelRows& expected) {
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < y.rows(); ++i) {
    for (int64_t c = 0; c < y.channels(); ++c) {
      const double e = expected[static_cast<size_t>(i)][static_cast<size_t>(c)];
      difference += std::pow(y.row(i)[c] - e, 2);
      norm += e * e;
    }
  }
  return std::sqrt(difference / norm);
}

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.numel(); ++i) sum += static_cast<double>(a.data()[i]) * b.data()[i];
  return sum;
}

struct Case {
  int64_t height, width;
  int dimension;
  float xy, rgb;
};
constexpr Case kCases[] = {{1, 1, 2, 1, 1},    {1, 1, 5, 67, 3},  {24, 32, 2, 1, 1},   {24, 32, 2, 3, 1},
                           {24, 32, 5, 67, 3}, {7, 70, 5, 5, 20}, {33, 65, 5, 50, 10}, {17, 3, 2, 0.4F, 1}};

TEST_CASE("permutohedral lattice: ones, impulses and noise, forward and transposed, as in double") {
  for (const Case& of : kCases) {
    const Tensor features = picture_features(of.height, of.width, of.dimension, of.xy, of.rgb);
    const ops::PermutohedralLattice lattice(features);
    const oracle::PermutohedralFilter expected(rows_of(features));
    CAPTURE(features.shape().str());
    CAPTURE(of.xy);
    CHECK(lattice.points() == static_cast<int64_t>(expected.points()));
    const int64_t pixels = features.rows();
    Tensor impulses = Tensor::zeros({pixels, 4});
    impulses.row(0)[0] = impulses.row(pixels / 2)[1] = impulses.row(pixels - 1)[2] = 1;
    for (const Tensor& x : {Tensor::full({pixels, 4}, 1.0F), impulses, noise(pixels, 16, 1)}) {
      CHECK(distance(apply(lattice, x), expected.filter(rows_of(x))) < 3e-5);
      CHECK(distance(apply(lattice, x, FilterDirection::transposed), expected.filter(rows_of(x), true)) < 3e-5);
    }
  }
}

TEST_CASE("exact filter: as the sum in double, at any width of rows") {
  for (const Case& of : kCases) {
    const Tensor features = picture_features(of.height, of.width, of.dimension, of.xy, of.rgb);
    const ops::ExactFilter filter(features);
    for (const int64_t width : {4, 8, 16, 32, 48}) {
      const Tensor x = noise(features.rows(), width, 2);
      CHECK(distance(apply(filter, x), oracle::exact_gaussian(rows_of(features), rows_of(x))) < 5e-6);
    }
  }
}

TEST_CASE("filters between pixels: <K x, y> = <x, K^T y>, with factors too") {
  const Tensor features = picture_features(24, 32, 5, 67, 3);
  ops::PermutohedralLattice lattice(features);
  ops::ExactFilter exact(features);
  for (ops::PixelFilter* filter : {static_cast<ops::PixelFilter*>(&lattice), static_cast<ops::PixelFilter*>(&exact)}) {
    const int64_t pixels = filter->pixels();
    Tensor positive = Tensor::empty({pixels}), others = Tensor::empty({pixels});
    for (int64_t i = 0; i < pixels; ++i) {
      positive.data()[i] = 0.5F + static_cast<float>(i % 7) / 5;
      others.data()[i] = 2.0F - static_cast<float>(i % 5) / 4;
    }
    const Tensor x = noise(pixels, 8, 3), y = noise(pixels, 8, 4);
    const Tensor plain = apply(*filter, x);
    filter->multiply(positive, others);
    const double forward = dot(apply(*filter, x), y), back = dot(x, apply(*filter, y, FilterDirection::transposed));
    CHECK(forward == doctest::Approx(back).epsilon(1e-5));
    // And they are factors: K' x = others * K (positive * x).
    Tensor scaled = x.clone();
    for (int64_t i = 0; i < scaled.numel(); ++i) scaled.data()[i] /= positive.data()[i / 8];
    const Tensor undone = apply(*filter, scaled);
    for (int64_t i = 0; i < undone.numel(); ++i) {
      CHECK(undone.data()[i] / others.data()[i / 8] == doctest::Approx(plain.data()[i]).epsilon(1e-4).scale(1));
    }
  }
}

TEST_CASE("filters between pixels: base is added, and may be y; rows of 150 classes are those of each") {
  const Tensor features = picture_features(9, 40, 5, 20, 8);
  const ops::PermutohedralLattice lattice(features);
  const int64_t pixels = features.rows(), width = ops::filter_width(150);
  CHECK(width == 160);
  const Tensor x = noise(pixels, width, 5), base = noise(pixels, width, 6), y = base.clone();
  lattice.add(x, y, y);
  const Tensor plain = apply(lattice, x);
  for (int64_t i = 0; i < y.numel(); ++i) CHECK(y.data()[i] == doctest::Approx(base.data()[i] + plain.data()[i]));
  for (const int64_t column : {int64_t{0}, int64_t{32}, int64_t{144}}) {
    const Tensor some = apply(lattice, x.channel_slice(column, column + 16).clone());
    CHECK(same_bits(some, plain.channel_slice(column, column + 16).clone()));
  }
}

TEST_CASE("filters between pixels: the same bits on every target with fused operations, and at any number of threads") {
  const Tensor features = picture_features(40, 130, 5, 30, 6);
  const Tensor x = noise(features.rows(), 16, 7);
  const auto both = [&] {
    return std::vector<Tensor>{apply(ops::PermutohedralLattice(features), x), apply(ops::ExactFilter(features), x)};
  };
  CHECK_SAME(differs_between_threads(both));
  const std::vector<Tensor> best = both();
  for_each_target([&](const std::string& target) {
    CAPTURE(target);
    const std::vector<Tensor> here = both();
    const bool fused = isa_fuses(target);
    for (size_t i = 0; i < here.size(); ++i) {
      if (fused) CHECK(same_bits(here[i], best[i]));
      CHECK(distance(here[i], rows_of(best[i])) < 2e-6);
    }
  });
}

TEST_CASE("permutohedral lattice: features that are not finite or too far apart, and shapes, are refused") {
  Tensor features = picture_features(4, 4, 5, 1, 1);
  features.row(7)[3] = NAN;
  CHECK_THROWS_AS(ops::PermutohedralLattice{features}, Error);
  features.row(7)[3] = 1e6F;
  CHECK_THROWS_AS(ops::PermutohedralLattice{features}, Error);
  CHECK_THROWS_AS(ops::PermutohedralLattice{Tensor::zeros({1, 4, 4, 3})}, ShapeError);
  CHECK_THROWS_AS(ops::PermutohedralLattice{Tensor::zeros({2, 4, 4, 2})}, ShapeError);
  const ops::PermutohedralLattice lattice(picture_features(4, 4, 2, 1, 1));
  const Tensor x = noise(16, 8, 8), narrow = noise(16, 5, 8), few = noise(15, 8, 8);
  CHECK_THROWS_AS(lattice.add(x, x, x), ShapeError);
  CHECK_THROWS_AS(lattice.add(narrow, narrow, narrow.clone()), ShapeError);
  CHECK_THROWS_AS(lattice.add(few, few, few.clone()), ShapeError);
}

TEST_CASE("permutohedral lattice: takes no more memory than it says") {
  for (const bool noisy : {false, true}) {
    const Tensor features = picture_features(60, 90, 5, 10, noisy ? 0.5F : 40.0F);
    const Tensor x = noise(features.rows(), 16, 9), y = Tensor::empty(x.shape());
    reset_arena_peak();
    const int64_t before = arena_statistics().in_use;
    const ops::PermutohedralLattice lattice(features);
    lattice.add(x, x, y);
    const int64_t used = arena_statistics().peak - before;
    const int64_t most = ops::PermutohedralLattice::most_bytes(features.rows(), 5, 16);
    CHECK(used <= most);
    if (noisy) CHECK(used > most / 3);  // a bound, but not any
  }
}

}  // namespace
}  // namespace giza
