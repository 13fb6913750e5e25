// Logarithm, power, sine and cosine of additions, multiplications and divisions alone.
//
// IEEE 754 rounds those the same way on every processor, and leaves the functions to libm, whose last bit differs
// between systems. What reaches a weight or a sample (initial weights, learning rates, rotations) takes these.
#pragma once

namespace giza {

/// Natural logarithm of a finite x > 0; error below 1 ulp of the result or of 1, whichever is larger. Throws Error for
/// any other x.
double portable_log(double x);

/// x^y = e^(y log x) for x >= 0 and y >= 0, where 0^0 = 1; relative error below 2^-52 (3 + 2 |y log x|). Below e^-708
/// it is 0. Throws Error for any other x or y, and where the power is not finite.
double portable_pow(double x, double y);

/// Sine and cosine of x radians, |x| <= 1000; absolute error below 2^-52. Throws Error for any other x.
double portable_sin(double x);
double portable_cos(double x);

}  // namespace giza
