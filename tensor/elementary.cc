// Argument reductions after Cody and Waite (1980), and Taylor's series of what is left: every constant can be checked
// by hand. The project compiles with -ffp-contract=off, so no product is fused with a sum here.
#include "tensor/elementary.h"

#include <cmath>
#include <numbers>

#include "tensor/base/check.h"

namespace giza {
namespace {

// ln 2 and pi / 2, each as a part of 32 bits, whose products with small whole numbers are exact, and the rest.
constexpr double kLn2High = 0x1.62E42FEE00000p-1, kLn2Low = 0x1.A39EF35793C76p-33;
constexpr double kHalfPiHigh = 0x1.921FB54400000p+0, kHalfPiLow = 0x1.0B4611A626331p-34;

/// e^x for |x| <= 708: x = k ln 2 + r, |r| <= 0.35.
double exponential(double x) {
  const double k = std::floor(x / std::numbers::ln2 + 0.5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1;
  for (int n = 14; n > 0; --n) sum = 1 + sum * r / n;  // r^15 / 15! is below 2^-63
  return std::ldexp(sum, static_cast<int>(k));
}

/// An angle as a whole number of quarter turns and a rest of at most an eighth of a turn.
struct Reduced {
  int quarter = 0;  ///< from 0 to 3
  double rest = 0;
};

Reduced reduce(double x) {
  check<Error>(std::abs(x) <= 1000, "an angle of {} radians is beyond 1000", x);
  const double quarters = std::floor(x / (std::numbers::pi / 2) + 0.5);
  const auto whole = static_cast<int>(quarters);
  return {.quarter = whole & 3, .rest = (x - quarters * kHalfPiHigh) - quarters * kHalfPiLow};
}

/// Sine or cosine of the rest: 1 - r^2 / (first (first + 1)) (1 - ...), 10 terms, as r^20 / 20! is below 2^-66.
double series(double rest, int first) {
  const double square = rest * rest;
  double sum = 1;
  for (int n = first + 18; n >= first; n -= 2) sum = 1 - sum * square / (n * (n + 1));
  return sum;
}

double sine_of_quarter(const Reduced& angle, int turned) {
  const int quarter = (angle.quarter + turned) & 3;
  const double value = quarter % 2 == 0 ? angle.rest * series(angle.rest, 2) : series(angle.rest, 1);
  return quarter < 2 ? value : -value;
}

}  // namespace

double portable_log(double x) {
  check<Error>(x > 0 && std::isfinite(x), "the logarithm of {}", x);
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < std::numbers::sqrt2 / 2) {
    mantissa *= 2;
    --exponent;
  }
  // log m = 2 artanh s = 2 s (1 + s^2 / 3 + s^4 / 5 + ...), |s| <= 0.172: s^24 / 25 is below 2^-65.
  const double s = (mantissa - 1) / (mantissa + 1), square = s * s;
  double sum = 0;
  for (int n = 23; n > 1; n -= 2) sum = square * (1.0 / n + sum);
  return exponent * kLn2High + (exponent * kLn2Low + (2 * s + 2 * s * sum));
}

double portable_pow(double x, double y) {
  check<Error>(x >= 0 && y >= 0 && std::isfinite(x) && std::isfinite(y), "{} to the power of {}", x, y);
  if (y == 0) return 1;
  if (x == 0) return 0;
  const double exponent = y * portable_log(x);
  check<Error>(exponent <= 708, "{} to the power of {} is not finite", x, y);
  return exponent < -708 ? 0 : exponential(exponent);
}

double portable_sin(double x) { return sine_of_quarter(reduce(x), 0); }
double portable_cos(double x) { return sine_of_quarter(reduce(x), 1); }

}  // namespace giza
