// Eigen as an oracle that shares no code with giza: products, and the matrices of Winograd's convolution.
#include <cmath>
#include <string>

#include "tensor/kernels/winograd_matrices.h"
#include "tests/support/op_testing.h"
#include "tests/support/skip.h"

TEST_SUITE_BEGIN("needs Eigen");

#ifdef GIZA_HAVE_EIGEN
#include <Eigen/Dense>

namespace giza {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The rows of a tensor.
Matrix matrix(const Tensor& t) {
  const std::vector<float> values = t.to_vector();
  return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(values.data(),
                                                                                                 t.rows(), t.channels())
      .cast<double>();
}

/// Empty if actual is a * b within 2^-24 (2 sqrt(K) + 4) sum abs(ab) in each element, K being the length of the sums.
std::string differs_from_product(const Tensor& actual, const Matrix& a, const Matrix& b) {
  const Matrix expected = a * b, size = a.cwiseAbs() * b.cwiseAbs(), got = matrix(actual);
  const double bound = 0x1p-24 * (2 * std::sqrt(static_cast<double>(a.cols())) + 4);
  for (Eigen::Index i = 0; i < expected.rows(); ++i) {
    for (Eigen::Index j = 0; j < expected.cols(); ++j) {
      if (std::abs(got(i, j) - expected(i, j)) <= bound * size(i, j)) continue;
      return fmt::format("[{},{}]: {} is not {}", i, j, got(i, j), expected(i, j));
    }
  }
  return {};
}

TEST_CASE("products agree with Eigen's in double, on every target") {
  int cases = 0;
  for (const OpCase& row : op_cases("conv2d")) {
    const bool product = row.kernel_h == 1 && row.kernel_w == 1 && row.stride == 1 && row.padding == 0;
    if (!product || row.n == 0 || row.data == CaseData::nan || row.data == CaseData::inf) continue;
    CAPTURE(row.name());
    ++cases;
    const uint64_t seed = seed_of(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed), w = make_numbers(row.weight(), row.data, seed + 1);
    const Tensor dy = make_numbers(row.output(), row.data, seed + 2);
    const Matrix mx = matrix(x), mw = matrix(w), mdy = matrix(dy);
    for_each_target([&](const std::string& target) {
      CAPTURE(target);
      CHECK_SAME(differs_from_product(ops::conv2d(x, w, {}, {}), mx, mw.transpose()));
      CHECK_SAME(differs_from_product(ops::conv2d_backward_input(dy, w, x.shape(), {}), mdy, mw));
      CHECK_SAME(differs_from_product(ops::conv2d_backward_weight(x, dy, w.shape(), {}), mdy.transpose(), mx));
    });
  }
  CHECK(cases >= 8);
}

/// Powers 0 to terms - 1 of the points, a row each; the last row is infinity's, which takes the leading coefficient.
template <class Points>
Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic> vandermonde(const Points& points, int terms) {
  const auto finite = static_cast<Eigen::Index>(points.size());
  Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic> v(finite + 1, terms);
  v.setZero();
  for (Eigen::Index j = 0; j < finite; ++j) {
    for (int k = 0; k < terms; ++k) v(j, k) = std::pow(static_cast<long double>(points[static_cast<size_t>(j)]), k);
  }
  v(finite, terms - 1) = 1;
  return v;
}

/// Polynomials of m and of 3 coefficients are multiplied by their values at n = m + 2 points: the product's
/// coefficients solve the Vandermonde system of those points. F(m, 3) is the transpose of this (Winograd, 1980), so A
/// evaluates the one, G the other, and B^T is the transposed inverse; how G and B share the factor of a point is free.
template <int kM>
void check_winograd() {
  CAPTURE(kM);
  using W = kernels::Winograd<kM>;
  constexpr int kN = W::kTile;
  const auto v = vandermonde(W::kPoints, kN), a = vandermonde(W::kPoints, kM), g = vandermonde(W::kPoints, 3);
  using Square = Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>;
  const Square inverse = v.fullPivLu().solve(Square::Identity(kN, kN));
  constexpr auto kA = W::a();
  constexpr auto kG = W::g();
  constexpr auto kBt = W::bt();
  for (int j = 0; j < kN; ++j) {
    for (int i = 0; i < kM; ++i) CHECK(kA.at[j][i] == doctest::Approx(static_cast<double>(a(j, i))).epsilon(1e-14));
    const long double largest = (g.row(j).transpose() * inverse.col(j).transpose()).cwiseAbs().maxCoeff();
    for (int k = 0; k < 3; ++k) {
      for (int l = 0; l < kN; ++l) {
        const long double own = static_cast<long double>(kG.at[j][k]) * static_cast<long double>(kBt.at[j][l]);
        CHECK(std::abs(own - g(j, k) * inverse(l, j)) <= 1e-14L * largest);
      }
    }
  }
}

TEST_CASE("Winograd's matrices solve the Vandermonde system of their points") {
  check_winograd<2>();
  check_winograd<4>();
  check_winograd<5>();
  check_winograd<6>();
}

}  // namespace
}  // namespace giza

#else

TEST_CASE("products and Winograd's matrices against Eigen") { giza::skip_test("built without Eigen"); }

#endif

TEST_SUITE_END();
