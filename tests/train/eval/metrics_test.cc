// Exact counts, and figures worked out by hand.
#include "train/eval/metrics.h"

#include <doctest/doctest.h>

#include "tensor/base/check.h"
#include "tensor/random.h"

namespace giza::train {
namespace {

TEST_CASE("metrics: three classes and an absent one, by hand") {
  ConfusionMatrix counts(4);
  const std::vector<int32_t> truth = {0, 0, 0, 1, 1, 2, 255, 255};
  const std::vector<int32_t> guess = {0, 0, 1, 1, 2, 2, 0, 3};
  counts.add(guess, truth, 255);
  CHECK(counts.at(0, 0) == 2);
  CHECK(counts.at(0, 1) == 1);
  CHECK(counts.at(1, 1) == 1);
  CHECK(counts.at(1, 2) == 1);
  CHECK(counts.at(2, 2) == 1);
  CHECK(counts.at(3, 3) == 0);
  const Metrics m = counts.metrics();
  // I 2,1,1,0; T 3,2,1,0; P 2,2,2,0; U 3,3,2,0.
  CHECK(m.classes[0].iou == 2 / (3 + 1e-10));
  CHECK(m.classes[1].iou == 1 / (3 + 1e-10));
  CHECK(m.classes[2].iou == 1 / (2 + 1e-10));
  CHECK(m.classes[3].iou == 0);
  CHECK(m.classes[0].acc == 2 / (3 + 1e-10));
  CHECK(m.classes[1].acc == 1 / (2 + 1e-10));
  CHECK(m.classes[2].acc == 1 / (1 + 1e-10));
  CHECK(m.classes[3].acc == 0);
  CHECK(m.classes[0].pixels == 3);
  CHECK(m.classes[2].present);
  CHECK(!m.classes[3].present);
  CHECK(m.miou == doctest::Approx((2.0 / 3 + 1.0 / 3 + 0.5) / 4));
  CHECK(m.miou_present == doctest::Approx(0.5));
  CHECK(m.macc == doctest::Approx((2.0 / 3 + 0.5 + 1) / 4));
  CHECK(m.all_acc == doctest::Approx(4.0 / 6));
}

TEST_CASE("metrics: a class that is only predicted counts as present, with 0") {
  ConfusionMatrix counts(3);
  counts.add(std::vector<int32_t>{0, 1}, std::vector<int32_t>{0, 0}, 255);
  const Metrics m = counts.metrics();
  CHECK(m.classes[1].present);
  CHECK(m.miou_present == doctest::Approx(0.25));
  CHECK(m.miou == doctest::Approx(0.5 / 3));
}

TEST_CASE("metrics: nothing but ignored pixels") {
  ConfusionMatrix counts(2);
  counts.add(std::vector<int32_t>{0, 1}, std::vector<int32_t>{7, 7}, 7);
  const Metrics m = counts.metrics();
  CHECK(m.miou == 0);
  CHECK(m.miou_present == 0);
  CHECK(m.all_acc == 0);
}

TEST_CASE("metrics: the ignore label may be a class's number; parts add up to the whole") {
  Random random(1, Purpose::test);
  std::vector<int32_t> truth, guess;
  for (int i = 0; i < 10000; ++i) {
    truth.push_back(static_cast<int32_t>(random.next_below(5)));
    guess.push_back(static_cast<int32_t>(random.next_below(5)));
  }
  ConfusionMatrix whole(5), parts(5);
  whole.add(guess, truth, 2);
  for (size_t i = 0; i < 10000; i += 100) {
    ConfusionMatrix part(5);
    part.add(std::span(guess).subspan(i, 100), std::span(truth).subspan(i, 100), 2);
    parts.add(part);
  }
  for (int t = 0; t < 5; ++t) {
    for (int p = 0; p < 5; ++p) {
      int64_t expected = 0;
      for (size_t i = 0; i < truth.size(); ++i) expected += t != 2 && truth[i] == t && guess[i] == p;
      CHECK(whole.at(t, p) == expected);
      CHECK(parts.at(t, p) == expected);
    }
  }
}

TEST_CASE("metrics: bad input changes nothing") {
  ConfusionMatrix counts(2);
  const std::vector<int32_t> good = {0, 1}, high = {0, 2}, low = {0, -1}, one = {0};
  CHECK_THROWS_AS(counts.add(good, high, 255), ShapeError);
  CHECK_THROWS_AS(counts.add(high, good, 255), ShapeError);
  CHECK_THROWS_AS(counts.add(good, low, 255), ShapeError);
  CHECK_THROWS_AS(counts.add(low, good, 255), ShapeError);
  CHECK_THROWS_AS(counts.add(one, good, 255), ShapeError);
  CHECK_THROWS_AS(counts.add(ConfusionMatrix(3)), ShapeError);
  CHECK_THROWS_AS(ConfusionMatrix(0), ShapeError);
  CHECK(counts.at(0, 0) == 0);
}

}  // namespace
}  // namespace giza::train
