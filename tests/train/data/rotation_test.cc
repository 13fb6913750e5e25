// Rotations against Eigen's: a picture whose numbers are their own coordinates shows where each pixel came from.
#include <doctest/doctest.h>

#include <numbers>

#include "tests/support/skip.h"
#include "train/data/transforms.h"

TEST_SUITE_BEGIN("needs Eigen");

#ifdef GIZA_HAVE_EIGEN
#include <Eigen/Geometry>

namespace giza::train {
namespace {

TEST_CASE("rotation: pixels come from where Eigen says") {
  constexpr int kWidth = 61, kHeight = 37;
  FloatImage image(kWidth, kHeight);
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      float* pixel = image.rgb.data() + 3 * (y * kWidth + x);
      pixel[0] = static_cast<float>(x), pixel[1] = static_cast<float>(y), pixel[2] = 1.0F;
    }
  }
  const Eigen::Vector2d center(kWidth / 2.0, kHeight / 2.0);
  for (const double degrees : {-170.0, -10.0, -0.7, 3.0, 45.0, 90.0}) {
    CAPTURE(degrees);
    const FloatImage rotated = rotate_linear(image, degrees, {-1, -1, -1});
    // Counter-clockwise as one sees it, with y pointing down: the source of a pixel is found by turning the other way.
    const Eigen::Rotation2Dd turn(degrees * std::numbers::pi / 180);
    int inside = 0;
    for (int y = 0; y < kHeight; ++y) {
      for (int x = 0; x < kWidth; ++x) {
        const Eigen::Vector2d from = turn * (Eigen::Vector2d(x, y) - center) + center;
        if (from.x() < 0 || from.y() < 0 || from.x() > kWidth - 1 || from.y() > kHeight - 1) continue;
        ++inside;
        const float* pixel = rotated.rgb.data() + 3 * (y * kWidth + x);
        // OpenCV's grid: 32 positions between two pixels.
        CHECK(std::abs(static_cast<double>(pixel[0]) - from.x()) <= 1.0 / 60);
        CHECK(std::abs(static_cast<double>(pixel[1]) - from.y()) <= 1.0 / 60);
      }
    }
    CHECK(inside > kHeight * kHeight / 2);
  }
}

}  // namespace
}  // namespace giza::train

#else

TEST_CASE("rotations against Eigen") { giza::skip_test("built without Eigen"); }

#endif

TEST_SUITE_END();
