// Logarithm, power, sine and cosine: near libm's in long double, and the same bits on every processor.
#include "tensor/elementary.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "tensor/base/check.h"
#include "tensor/base/hash.h"
#include "tensor/random.h"

namespace giza {
namespace {

constexpr double kUlp = std::numeric_limits<double>::epsilon();

/// 20,000 numbers in [0, 1), with 48 random bits each.
template <class F>
void for_random(F f) {
  Random random(7, Purpose::init, 0, 0);
  for (int i = 0; i < 20000; ++i) f((random.next_bits() >> 8) * 0x1p-24 + (random.next_bits() >> 8) * 0x1p-48);
}

TEST_CASE("portable log: within an ulp, near 1 and over all magnitudes") {
  double worst = 0;
  const auto compare = [&](double x) {
    const long double right = std::log(static_cast<long double>(x));
    worst = std::max(worst, static_cast<double>(std::abs(portable_log(x) - right) / std::max(std::abs(right), 1.0L)));
  };
  for_random([&](double u) {
    compare(1 - u);
    compare(1 + u * 1e-6);
    compare(std::ldexp(1 + u, static_cast<int>(u * 2000) - 1000));
  });
  CHECK(worst < kUlp);
  CHECK(portable_log(1) == 0);
  CHECK(portable_log(std::numeric_limits<double>::denorm_min()) == doctest::Approx(-744.4400719213812));
  for (const double x : {0.0, -1.0, HUGE_VAL, std::nan("")}) CHECK_THROWS_AS(portable_log(x), Error);
}

TEST_CASE("portable pow: poly's powers and large ones, 0 and 1") {
  double worst = 0;
  for_random([&](double u) {
    for (const double y : {0.5, 0.9, 1.0, 2.0, 100.0 * u}) {
      const long double right = std::pow(static_cast<long double>(u), static_cast<long double>(y));
      if (right < 1e-300L) continue;
      const double bound = kUlp * (3 + 2 * std::abs(y * std::log(u)));
      worst = std::max(worst, static_cast<double>(std::abs(portable_pow(u, y) - right) / right) / bound);
    }
  });
  CHECK(worst < 1);
  CHECK(portable_pow(0, 0) == 1);
  CHECK(portable_pow(0, 0.9) == 0);
  CHECK(portable_pow(1, 0.9) == 1);
  CHECK(portable_pow(0.5, 0) == 1);
  CHECK(portable_pow(1e-300, 3) == 0);
  for (const double x : {-1.0, HUGE_VAL, std::nan("")}) CHECK_THROWS_AS(portable_pow(x, 0.9), Error);
  for (const double y : {-1.0, HUGE_VAL, std::nan("")}) CHECK_THROWS_AS(portable_pow(0.9, y), Error);
  CHECK_THROWS_AS(portable_pow(1e300, 2), Error);
}

TEST_CASE("portable sine and cosine: every quarter turn, both signs") {
  double worst = 0;
  for_random([&](double u) {
    for (const double x : {u, 2 * std::numbers::pi * u, -std::numbers::pi * u, 1000 * u, -1000 * u, u * 1e-9}) {
      const auto exact = static_cast<long double>(x);
      worst = std::max(worst, static_cast<double>(std::abs(portable_sin(x) - std::sin(exact))));
      worst = std::max(worst, static_cast<double>(std::abs(portable_cos(x) - std::cos(exact))));
    }
  });
  CHECK(worst < kUlp);
  CHECK(portable_sin(0) == 0);
  CHECK(portable_cos(0) == 1);
  for (const double x : {1001.0, -1001.0, HUGE_VAL, std::nan("")}) {
    CHECK_THROWS_AS(portable_sin(x), Error);
    CHECK_THROWS_AS(portable_cos(x), Error);
  }
}

TEST_CASE("portable functions and normal draws: one hash on every processor") {
  Fnv1a hash;
  const auto take = [&](double value) { hash.add_word(std::bit_cast<uint64_t>(value)); };
  for_random([&](double u) {
    take(portable_log(1 - u));
    take(portable_pow(u, 0.9));
    take(portable_sin(1000 * u));
    take(portable_cos(1000 * u));
  });
  Random random(1, Purpose::init, 0, 0);
  for (int i = 0; i < 100000; ++i) take(random.next_normal());
  CHECK(hash.value() == 0xdd23d7472b010427U);
}

}  // namespace
}  // namespace giza
