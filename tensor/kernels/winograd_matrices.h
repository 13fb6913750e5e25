// The matrices of Winograd's minimal filtering F(m x m, 3 x 3), computed from their points.
#pragma once

#include <array>

namespace giza::kernels {

/// F(m, 3) computes m outputs of a 3-tap filter by n = m + 2 multiplications: y = A^T [(G g) * (B^T d)]. It evaluates
/// two polynomials at n points, one of them infinity, multiplies, and interpolates (Toom and Cook; Winograd,
/// "Arithmetic complexity of computations", 1980; Lavin and Gray, CVPR 2016). In two dimensions the same acts on rows
/// and columns. The points are 0, then pairs +a, -a (rows that differ only in the signs of every other term, so each
/// pair costs little more than one), then possibly a single one, then infinity.
template <int kM>
struct WinogradPoints;

template <>
struct WinogradPoints<2> {
  static constexpr std::array<double, 3> kValues = {0, 1, -1};
};
// Rounding errors grow with the size of the matrices' entries, hence with powers of the points and of their inverses.
// Of all pairs of sixteenths, 5/8 and 3/2 come within 3 % of the least error, which is half of that of the usual 1 and
// 2.
template <>
struct WinogradPoints<4> {
  static constexpr std::array<double, 5> kValues = {0, 0.625, -0.625, 1.5, -1.5};
};
template <>
struct WinogradPoints<5> {
  static constexpr std::array<double, 6> kValues = {0, 0.5, -0.5, 1.125, -1.125, 2};
};
template <>
struct WinogradPoints<6> {
  static constexpr std::array<double, 7> kValues = {0, 0.5, -0.5, 1, -1, 2, -2};
};

template <int kRows, int kColumns>
struct WinogradMatrix {
  static constexpr int kOut = kRows, kIn = kColumns;
  double at[kRows][kColumns] = {};

  constexpr WinogradMatrix<kColumns, kRows> transposed() const {
    WinogradMatrix<kColumns, kRows> result;
    for (int i = 0; i < kRows; ++i) {
      for (int j = 0; j < kColumns; ++j) result.at[j][i] = at[i][j];
    }
    return result;
  }
};

/// The n evaluation and interpolation matrices of F(kM, 3).
template <int kM>
struct Winograd {
  static constexpr int kTile = kM + 2;  ///< n: side of an input tile
  static constexpr auto kPoints = WinogradPoints<kM>::kValues;

  /// A, n x m: row j evaluates a polynomial of m coefficients at point j; infinity takes the leading one.
  static constexpr WinogradMatrix<kTile, kM> a() { return evaluation<kM>(false); }
  /// G, n x 3: the same for the filter, divided by N_j = product over l != j of (a_j - a_l).
  static constexpr WinogradMatrix<kTile, 3> g() { return evaluation<3>(true); }
  /// B^T, n x n: row j holds the coefficients of product over l != j of (x - a_l); infinity takes all points.
  static constexpr WinogradMatrix<kTile, kTile> bt() {
    WinogradMatrix<kTile, kTile> result;
    for (int j = 0; j < kTile; ++j) {
      double product[kTile + 1] = {1};
      int degree = 0;
      for (int l = 0; l < kTile - 1; ++l) {
        if (l == j) continue;
        ++degree;
        for (int k = degree; k >= 0; --k) product[k] = (k > 0 ? product[k - 1] : 0) - kPoints[l] * product[k];
      }
      for (int k = 0; k <= degree; ++k) result.at[j][k] = product[k];
    }
    return result;
  }

 private:
  template <int kTerms>
  static constexpr WinogradMatrix<kTile, kTerms> evaluation(bool divided) {
    WinogradMatrix<kTile, kTerms> result;
    for (int j = 0; j < kTile - 1; ++j) {
      double divisor = 1;
      for (int l = 0; l < kTile - 1; ++l) {
        if (l != j) divisor *= kPoints[j] - kPoints[l];
      }
      double power = 1;
      for (int k = 0; k < kTerms; ++k, power *= kPoints[j]) result.at[j][k] = divided ? power / divisor : power;
    }
    result.at[kTile - 1][kTerms - 1] = 1;
    return result;
  }
};

}  // namespace giza::kernels
