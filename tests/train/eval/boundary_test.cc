// Distances from boundaries against a search of every pair of pixels, and the figures of bands worked out by hand.
#include "train/eval/boundary.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "tensor/base/check.h"
#include "tensor/random.h"

namespace giza::train {
namespace {

LabelMap random_blobs(int width, int height, uint32_t item) {
  Random random(3, Purpose::test, 0, item);
  LabelMap labels(width, height);
  for (int i = 0; i < 3; ++i) {
    const int left = static_cast<int>(random.next_below(static_cast<uint32_t>(width)));
    const int top = static_cast<int>(random.next_below(static_cast<uint32_t>(height)));
    for (int y = top; y < std::min(top + 4, height); ++y) {
      for (int x = left; x < std::min(left + 5, width); ++x) labels.at(x, y) = static_cast<uint8_t>(i + 1);
    }
  }
  return labels;
}

int slow_distance(const LabelMap& labels, int x, int y) {
  int nearest = kBoundaryReach + 1;
  for (int v = 0; v < labels.height; ++v) {
    for (int u = 0; u < labels.width; ++u) {
      if (labels.at(u, v) != labels.at(x, y)) nearest = std::min(nearest, std::max(std::abs(u - x), std::abs(v - y)));
    }
  }
  return nearest;
}

TEST_CASE("boundary: distances are those of a search") {
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 7}, {9, 1}, {2, 2}, {23, 17}, {61, 40}}) {
    for (uint32_t item = 0; item < 4; ++item) {
      const LabelMap labels = random_blobs(width, height, item);
      const std::vector<uint8_t> distance = boundary_distance(labels);
      REQUIRE(distance.size() == labels.index.size());
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          REQUIRE(distance[static_cast<size_t>(y * width + x)] == slow_distance(labels, x, y));
        }
      }
    }
  }
}

TEST_CASE("boundary: far and absent boundaries") {
  LabelMap labels(100, 2);
  CHECK(boundary_distance(labels) == std::vector<uint8_t>(200, kBoundaryReach + 1));
  labels.at(0, 0) = 1;
  const std::vector<uint8_t> distance = boundary_distance(labels);
  CHECK(distance[0] == 1);
  CHECK(distance[kBoundaryReach] == kBoundaryReach);
  CHECK(distance[kBoundaryReach + 1] == kBoundaryReach + 1);
  CHECK(distance[99] == kBoundaryReach + 1);
}

TEST_CASE("boundary: a band and the rest, by hand") {
  // Eight columns: class 0 in four, class 1 in four; the last column is ignored, and so a boundary for column 6.
  LabelMap truth(8, 1), prediction(8, 1);
  for (int x = 0; x < 8; ++x) truth.at(x, 0) = x < 4 ? 0 : 1;
  truth.at(7, 0) = 255;
  prediction = truth;
  prediction.at(7, 0) = 1;
  prediction.at(3, 0) = 1;  // wrong at distance 1
  prediction.at(0, 0) = 1;  // wrong at distance 4
  BoundaryCounts counts(2);
  counts.add(prediction, truth, 255);
  // Distances: 4 3 2 1 | 1 2 1 | -.
  const Metrics band = counts.band(1);
  CHECK(band.classes[0].pixels == 1);
  CHECK(band.classes[1].pixels == 2);
  CHECK(band.all_acc == doctest::Approx(2.0 / 3));
  CHECK(band.classes[0].iou == 0);
  CHECK(band.classes[1].iou == doctest::Approx(2.0 / 3));
  const Metrics interior = counts.interior(1);
  CHECK(interior.classes[0].pixels == 3);
  CHECK(interior.classes[1].pixels == 1);
  CHECK(interior.all_acc == doctest::Approx(3.0 / 4));
  CHECK(interior.classes[0].iou == doctest::Approx(2.0 / 3));
  CHECK(interior.classes[1].iou == doctest::Approx(1.0 / 2));
  CHECK(counts.band(3).all_acc == doctest::Approx(5.0 / 6));
  CHECK(counts.interior(4).classes[0].present == false);

  BoundaryCounts twice(2);
  twice.add(counts);
  twice.add(counts);
  CHECK(twice.band(1).classes[1].pixels == 4);
  CHECK(twice.width() == 1);
  CHECK_THROWS_AS(counts.band(0), ShapeError);
  CHECK_THROWS_AS(counts.interior(kBoundaryReach + 1), ShapeError);
  CHECK_THROWS_AS(counts.add(LabelMap(7, 1), truth, 255), ShapeError);
  CHECK_THROWS_AS(counts.add(LabelMap(8, 1, 2), truth, 255), ShapeError);
}

TEST_CASE("boundary: band and interior together are the confusion matrix, at every width") {
  BoundaryCounts counts(4);
  ConfusionMatrix all(4);
  for (uint32_t item = 0; item < 3; ++item) {
    const LabelMap truth = random_blobs(300, 400, item), prediction = random_blobs(300, 400, item + 9);
    counts.add(prediction, truth, 3);
    all.add(std::vector<int32_t>(prediction.index.begin(), prediction.index.end()),
            std::vector<int32_t>(truth.index.begin(), truth.index.end()), 3);
  }
  CHECK(counts.width() == 5);  // 1 % of 500
  const Metrics metrics = all.metrics();
  for (int width = 1; width <= kBoundaryReach; ++width) {
    const Metrics band = counts.band(width), interior = counts.interior(width);
    for (size_t c = 0; c < 4; ++c) {
      CHECK(band.classes[c].pixels + interior.classes[c].pixels == metrics.classes[c].pixels);
    }
  }
}

}  // namespace
}  // namespace giza::train
