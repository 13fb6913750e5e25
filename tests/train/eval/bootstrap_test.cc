// The bootstrap: percentiles as numpy has them, a case with a known distribution, the same bits at any number of
// threads.
#include "train/eval/bootstrap.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tensor/base/check.h"
#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tests/support/scopes.h"

namespace giza::train {
namespace {

/// Pictures of one class in which `right` of 100 pixels are so; the others are predicted as the second class.
std::vector<PictureClass> picture(int64_t right) { return {{0, {right, 100, right}}, {1, {0, 0, 100 - right}}}; }

TEST_CASE("bootstrap: percentiles are numpy's") {
  const std::vector<double> values = {1, 2, 4, 8, 16};
  // numpy.percentile([1, 2, 4, 8, 16], [0, 2.5, 30, 50, 97.5, 100])
  CHECK(percentile(values, 0) == 1);
  CHECK(percentile(values, 0.025) == doctest::Approx(1.1));
  CHECK(percentile(values, 0.3) == doctest::Approx(2.4));
  CHECK(percentile(values, 0.5) == 4);
  CHECK(percentile(values, 0.975) == doctest::Approx(15.2));
  CHECK(percentile(values, 1) == 16);
  CHECK(percentile(std::vector<double>{7}, 0.4) == 7);
  CHECK_THROWS_AS(percentile(std::vector<double>{}, 0.5), ShapeError);
}

TEST_CASE("bootstrap: one picture, or equal ones, leave no doubt") {
  const BootstrapResult one = bootstrap_miou(std::vector(1, picture(70)), 2);
  CHECK(one.pictures == 1);
  CHECK(one.resamples == kBootstrapResamples);
  CHECK(one.miou.low == doctest::Approx(0.35));
  CHECK(one.miou.high == one.miou.low);
  const BootstrapResult same = bootstrap_miou(std::vector(20, picture(70)), 2);
  CHECK(same.miou.high == same.miou.low);
  const BootstrapResult none = bootstrap_miou({}, 2);
  CHECK(none.resamples == 0);
}

TEST_CASE("bootstrap: a class that a draw lacks counts 0 in one mean and not in the other") {
  // Of two pictures each draw takes two: the classes are both there in half of the draws.
  const std::vector<std::vector<PictureClass>> pictures = {{{0, {10, 10, 10}}}, {{1, {10, 10, 10}}}};
  const BootstrapResult result = bootstrap_miou(pictures, 2);
  CHECK(result.miou.low == doctest::Approx(0.5));
  CHECK(result.miou.high == doctest::Approx(1.0));
  CHECK(result.miou_present.low == doctest::Approx(1.0));
}

TEST_CASE("bootstrap: the width is that of the mean's distribution") {
  // IoU of class 0 is the mean share of right pixels, a mean of n independent draws from `pictures`; its deviation is
  // theirs / sqrt(n), and 95 % of a normal distribution lie within 1.96 deviations.
  std::vector<std::vector<PictureClass>> pictures;
  Random random(11, Purpose::test);
  double sum = 0, squares = 0;
  constexpr int kCount = 400;
  for (int i = 0; i < kCount; ++i) {
    const auto right = static_cast<int64_t>(random.next_below(101));
    pictures.push_back({{0, {right, 100, right}}});
    const double share = static_cast<double>(right) / 100;
    sum += share;
    squares += share * share;
  }
  const double mean = sum / kCount, deviation = std::sqrt((squares / kCount - mean * mean) / kCount);
  const BootstrapResult result = bootstrap_miou(pictures, 1);
  CHECK((result.miou.high - result.miou.low) / deviation == doctest::Approx(2 * 1.96).epsilon(0.06));
  CHECK(std::abs((result.miou.high + result.miou.low) / 2 - mean) < 0.15 * deviation);
}

TEST_CASE("bootstrap: the same bits at any number of threads, others from another seed") {
  std::vector<std::vector<PictureClass>> pictures;
  for (int i = 0; i < 37; ++i) pictures.push_back(picture(40 + i));
  const auto with_threads = [&](int count) {
    const ThreadScope threads(count);
    return bootstrap_miou(pictures, 2);
  };
  const BootstrapResult one = with_threads(1), three = with_threads(3);
  CHECK(one.miou.low == three.miou.low);
  CHECK(one.miou.high == three.miou.high);
  CHECK(one.miou_present.low == three.miou_present.low);
  CHECK(bootstrap_miou(pictures, 2, kBootstrapResamples, 5).miou.low != one.miou.low);
}

}  // namespace
}  // namespace giza::train
