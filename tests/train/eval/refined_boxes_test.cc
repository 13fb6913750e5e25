// Boxes refined by the CRF.
#include "train/eval/refined_boxes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

#include "tensor/ops/softmax.h"
#include "tensor/random.h"
#include "tests/support/scopes.h"
#include "train/eval/dense_crf.h"

namespace giza::train {
namespace {

constexpr uint8_t kStuff = 0, kThing = 1, kOther = 3, kIgnore = 255;

/// A disc of class 1 in the middle of class 0, a small square of class 3 beside it; colours are nearly those of the
/// classes.
struct Scene {
  LabelMap mask{48, 40, kStuff};
  Image picture{48, 40};

  Scene() {
    Random random(9, Purpose::test, 0, 0);
    for (int y = 0; y < mask.height; ++y) {
      for (int x = 0; x < mask.width; ++x) {
        if ((x - 18) * (x - 18) + (y - 20) * (y - 20) < 150) mask.at(x, y) = kThing;
        if (x >= 36 && x < 44 && y >= 4 && y < 12) mask.at(x, y) = kOther;
        const uint8_t label = mask.at(x, y);
        for (int c = 0; c < 3; ++c) {
          const int level = label == kStuff ? 60 : label == kThing ? 140 : 220;
          picture.at(x, y)[c] = static_cast<uint8_t>(level + static_cast<int>(random.next_below(7)));
        }
      }
    }
    mask.at(18, 20) = kIgnore;
    mask.at(7, 9) = kIgnore;
  }
};

WeakLabels weak_of(std::initializer_list<int> things) {
  WeakLabels weak;
  weak.kind = WeakLabels::Kind::crf;
  for (const int thing : things) weak.is_thing[static_cast<size_t>(thing)] = true;
  return weak;
}

/// Strong enough for a picture of this size.
CrfOptions crf_options() {
  CrfOptions crf;
  crf.bilateral_weight = 10;
  crf.bilateral_xy = 20;
  crf.bilateral_rgb = 10;
  return crf;
}

}  // namespace

TEST_CASE("refined boxes: a pixel of a box is ignored where the CRF has another class, and all else stays") {
  const Scene scene;
  const WeakLabels weak = weak_of({kThing});
  const LabelMap boxed = weakened(scene.mask, weak, kIgnore);

  // The same by its definition: 0.8 for the label, 0.1 for each of the two others that the map has.
  constexpr std::array<uint8_t, 3> kClasses{kStuff, kThing, kOther};
  const Tensor unary = Tensor::activation({1, 40, 48, 3});
  for (size_t i = 0; i < boxed.index.size(); ++i) {
    for (size_t c = 0; c < 3; ++c) {
      unary.row(static_cast<int64_t>(i))[c] = boxed.index[i] == kIgnore       ? 1.0F / 3
                                              : boxed.index[i] == kClasses[c] ? 0.8F
                                                                              : (1 - 0.8F) / 2;
    }
  }
  const LabelBox box = painted_boxes(scene.mask, weak, kIgnore).at(0);
  // With a CRF that is just strong enough, small differences decide.
  for (const float weight : {10.0F, 2.0F, 2.5F, 3.0F, 3.5F, 4.0F, 5.0F, 6.0F}) {
    CAPTURE(weight);
    CrfOptions crf = crf_options();
    crf.bilateral_weight = weight;
    const LabelMap refined = refined_boxes(scene.mask, scene.picture, weak, crf, kIgnore);
    const Labels argmax = ops::argmax(dense_crf(unary, scene.picture, crf));
    int ignored = 0, kept = 0, right = 0;
    for (int y = 0; y < 40; ++y) {
      for (int x = 0; x < 48; ++x) {
        const bool inside = x >= box.left && x < box.right && y >= box.top && y < box.bottom;
        const uint8_t label = refined.at(x, y);
        if (!inside || boxed.at(x, y) == kIgnore) {
          CHECK(label == boxed.at(x, y));
          continue;
        }
        const auto place = static_cast<size_t>(y) * 48 + static_cast<size_t>(x);
        const bool agrees = kClasses[static_cast<size_t>(argmax.values[place])] == kThing;
        CHECK(label == (agrees ? kThing : kIgnore));
        kept += agrees;
        ignored += !agrees;
        right += agrees == (scene.mask.at(x, y) == kThing);
      }
    }
    if (weight < 10) continue;
    // The corners of the box have the colours of what lies around it.
    CHECK(ignored > 50);
    CHECK(kept > 400);
    CHECK(right > 0.95 * (kept + ignored));
  }
}

TEST_CASE("refined boxes: nothing to decide, a CRF that does nothing, and pictures that keep their masks") {
  const Scene scene;
  const WeakLabels weak = weak_of({kThing, kOther});
  CrfOptions idle = crf_options();
  idle.iterations = 0;
  CHECK(refined_boxes(scene.mask, scene.picture, weak, idle, kIgnore).index ==
        weakened(scene.mask, weak, kIgnore).index);
  CHECK(refined_boxes(LabelMap(48, 40, kThing), scene.picture, weak, crf_options(), kIgnore).index ==
        LabelMap(48, 40, kThing).index);
  CHECK(refined_boxes(LabelMap(48, 40, kIgnore), scene.picture, weak, crf_options(), kIgnore).index ==
        LabelMap(48, 40, kIgnore).index);
  // Without things there are no boxes, and stuff keeps its labels whatever the CRF says.
  CHECK(refined_boxes(scene.mask, scene.picture, weak_of({}), crf_options(), kIgnore).index == scene.mask.index);

  DatasetOptions options;
  options.classes = 4;
  options.weak = weak;
  const Pair pair{scene.picture, scene.mask};
  const LabelMap refined = refined_boxes(scene.mask, scene.picture, weak, crf_options(), kIgnore);
  CHECK(first_labels(pair, {}, 0, options, crf_options()).index == refined.index);
  options.weak.fraction = 0;
  CHECK(first_labels(pair, {}, 0, options, crf_options()).index == scene.mask.index);
  options.weak.fraction = 1;
  options.weak.kind = WeakLabels::Kind::update;
  CHECK(first_labels(pair, {}, 0, options, crf_options()).index == weakened(scene.mask, weak, kIgnore).index);
}

TEST_CASE("refined boxes: the same bits at any number of threads") {
  const Scene scene;
  const WeakLabels weak = weak_of({kThing, kOther});
  for (const char* filter : {"lattice", "exact"}) {
    CrfOptions crf = crf_options();
    crf.filter = filter;
    LabelMap reference;
    for (const int threads : {1, 2, 3}) {
      const ThreadScope scope(threads);
      const LabelMap refined = refined_boxes(scene.mask, scene.picture, weak, crf, kIgnore);
      if (threads == 1) reference = refined;
      CHECK(refined.index == reference.index);
    }
  }
}

}  // namespace giza::train
