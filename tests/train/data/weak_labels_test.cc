// Boxes in place of masks, against naive versions.
#include "train/data/weak_labels.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/random.h"

namespace giza::train {
namespace {

/// Rows of digits, one per pixel; 'i' is ignored (255).
LabelMap map_of(const std::vector<std::string>& rows) {
  LabelMap labels(static_cast<int>(rows[0].size()), static_cast<int>(rows.size()));
  for (size_t y = 0; y < rows.size(); ++y) {
    for (size_t x = 0; x < rows[y].size(); ++x) {
      labels.index[y * rows[0].size() + x] = rows[y][x] == 'i' ? 255 : static_cast<uint8_t>(rows[y][x] - '0');
    }
  }
  return labels;
}

std::vector<std::string> rows_of(const LabelMap& labels) {
  std::vector<std::string> rows;
  for (int y = 0; y < labels.height; ++y) {
    rows.emplace_back();
    for (int x = 0; x < labels.width; ++x) {
      const int value = labels.at(x, y);
      rows.back() += value == 255 ? 'i' : static_cast<char>('0' + value);
    }
  }
  return rows;
}

WeakLabels weak_of(WeakLabels::Kind kind, const std::vector<int>& things) {
  WeakLabels weak;
  weak.kind = kind;
  for (const int thing : things) weak.is_thing[static_cast<size_t>(thing)] = true;
  return weak;
}

LabelMap random_map(uint32_t item, int width, int height, uint32_t classes) {
  LabelMap labels(width, height);
  Random random(5, Purpose::test, 0, item);
  for (uint8_t& value : labels.index) {
    const uint32_t drawn = random.next_below(classes + 1);
    value = drawn == classes ? 255 : static_cast<uint8_t>(drawn);
  }
  return labels;
}

/// The components by spreading the smallest number over neighbours until nothing changes.
std::vector<LabelBox> naive_boxes(const LabelMap& labels, const std::array<bool, 256>& is_thing) {
  std::vector<size_t> number(labels.index.size());
  std::iota(number.begin(), number.end(), size_t{0});
  const auto place = [&](int x, int y) { return static_cast<size_t>(y * labels.width + x); };
  for (bool changed = true; changed;) {
    changed = false;
    for (int y = 0; y < labels.height; ++y) {
      for (int x = 0; x < labels.width; ++x) {
        for (int v = std::max(0, y - 1); v < std::min(labels.height, y + 2); ++v) {
          for (int u = std::max(0, x - 1); u < std::min(labels.width, x + 2); ++u) {
            if (labels.at(u, v) != labels.at(x, y) || number[place(u, v)] >= number[place(x, y)]) continue;
            number[place(x, y)] = number[place(u, v)];
            changed = true;
          }
        }
      }
    }
  }
  std::vector<LabelBox> boxes;
  for (size_t first = 0; first < number.size(); ++first) {
    if (number[first] != first || !is_thing[labels.index[first]]) continue;
    LabelBox box{labels.index[first], labels.width, labels.height, 0, 0};
    for (int y = 0; y < labels.height; ++y) {
      for (int x = 0; x < labels.width; ++x) {
        if (number[place(x, y)] != first) continue;
        box = {box.label, std::min(box.left, x), std::min(box.top, y), std::max(box.right, x + 1),
               std::max(box.bottom, y + 1)};
      }
    }
    boxes.push_back(box);
  }
  return boxes;
}

}  // namespace

TEST_CASE("weak labels: boxes lie around connected components") {
  const auto things = weak_of(WeakLabels::Kind::box, {1, 2}).is_thing;
  const LabelMap labels = map_of({"0110022", "0100002", "1000000", "0003310"});
  const std::vector<LabelBox> expected = {{1, 0, 0, 3, 3}, {2, 5, 0, 7, 2}, {1, 5, 3, 6, 4}};
  CHECK(thing_boxes(labels, things) == expected);  // corners touch; class 3 is no thing
  CHECK(thing_boxes(LabelMap(3, 2, 0), things).empty());
  CHECK(thing_boxes(LabelMap(3, 2, 1), things) == std::vector<LabelBox>{{1, 0, 0, 3, 2}});
  CHECK(thing_boxes(LabelMap(0, 0), things).empty());
  uint32_t item = 0;
  for (const auto& pair : {std::array{1, 1}, {1, 9}, {9, 1}, {2, 2}, {7, 5}, {13, 8}, {31, 17}}) {
    const int width = pair[0], height = pair[1];
    for (const uint32_t classes : {2U, 3U, 6U}) {
      CAPTURE(width);
      CAPTURE(classes);
      const LabelMap map = random_map(++item, width, height, classes);
      CHECK(thing_boxes(map, things) == naive_boxes(map, things));
    }
  }
}

TEST_CASE("weak labels: a component as winding as can be") {
  // A comb: one component through the whole picture, which recursion would drown in.
  LabelMap comb(2000, 1000, 0);
  for (int y = 0; y < comb.height; ++y) {
    for (int x = 0; x < comb.width; ++x) {
      const bool tooth = x % 2 == 0, joint = x % 4 == 1 ? y == 0 : x % 4 == 3 && y == comb.height - 1;
      if (tooth || joint) comb.index[static_cast<size_t>(y * comb.width + x)] = 1;
    }
  }
  const std::vector<LabelBox> whole = {{1, 0, 0, 2000, 1000}};
  CHECK(thing_boxes(comb, weak_of(WeakLabels::Kind::box, {1}).is_thing) == whole);
}

TEST_CASE("weak labels: the class fills its box, and what was ignored stays so") {
  const WeakLabels weak = weak_of(WeakLabels::Kind::box, {1});
  CHECK(rows_of(weakened(map_of({"00000", "01i20", "00010", "00000"}), weak, 255)) ==
        std::vector<std::string>{"00000", "01i20", "00010", "00000"});  // two specks
  CHECK(rows_of(weakened(map_of({"01000", "0110i", "i0120", "00000"}), weak, 255)) ==
        std::vector<std::string>{"01100", "0110i", "i1120", "00000"});
  CHECK(rows_of(weakened(map_of({"01000", "01i00", "00100"}), weak, 255)) ==
        std::vector<std::string>{"01100", "01i00", "01100"});
  // Ignored is never a thing, whatever its number.
  const WeakLabels all = weak_of(WeakLabels::Kind::box, {0, 1, 7});
  CHECK(weakened(map_of({"7007", "0110", "7007"}), all, 7).index == map_of({"7007", "0110", "7007"}).index);
}

TEST_CASE("weak labels: the smaller box wins, of equal ones the later") {
  const WeakLabels weak = weak_of(WeakLabels::Kind::box, {1, 2, 3});
  // The frame of 1 has the box of the whole picture, the 2 lies inside.
  CHECK(rows_of(weakened(map_of({"11111", "10001", "10201", "11111"}), weak, 255)) ==
        std::vector<std::string>{"11111", "11111", "11211", "11111"});
  // A part of the larger thing that lies in the smaller one's box goes to that.
  CHECK(rows_of(weakened(map_of({"1200", "1220", "1111"}), weak, 255)) ==
        std::vector<std::string>{"1221", "1221", "1111"});
  // Both boxes have four pixels and share one column; that of the 3 begins later.
  CHECK(rows_of(weakened(map_of({"230", "023"}), weak, 255)) == std::vector<std::string>{"233", "233"});
}

TEST_CASE("weak labels: a band of a tenth of each side is ignored") {
  const WeakLabels weak = weak_of(WeakLabels::Kind::band, {1});
  for (const auto& pair : {std::array{1, 0}, {4, 0}, {5, 1}, {10, 1}, {14, 1}, {15, 2}, {20, 2}, {100, 10}}) {
    const int side = pair[0], band = pair[1];
    CAPTURE(side);
    LabelMap labels(side + 2, 7, 0);
    for (int x = 1; x <= side; ++x) labels.index[static_cast<size_t>(3 * labels.width + x)] = 1;
    const LabelMap result = weakened(labels, weak, 255);
    for (int x = 0; x < labels.width; ++x) {
      const bool inside = x >= 1 && x <= side, kept = x >= 1 + band && x <= side - band;
      CHECK(result.at(x, 3) == (kept ? 1 : inside ? 255 : 0));
      CHECK(result.at(x, 2) == 0);
    }
  }
}

TEST_CASE("weak labels: a fifth of the area is kept, in the middle") {
  const WeakLabels weak = weak_of(WeakLabels::Kind::inner, {1});
  for (const auto& pair : {std::array{1, 1}, {3, 3}, {20, 10}, {51, 37}, {100, 100}, {200, 3}}) {
    const int width = pair[0], height = pair[1];
    CAPTURE(width);
    const LabelMap result = weakened(LabelMap(width, height, 1), weak, 255);
    const auto kept = std::count(result.index.begin(), result.index.end(), 1);
    const auto rest = std::count(result.index.begin(), result.index.end(), 255);
    CHECK(kept + rest == width * height);
    CHECK(kept >= 1);
    // Each side is rounded.
    const auto most = [](int side) { return std::max(1.0, side * std::sqrt(0.2) + 0.5); };
    CHECK(static_cast<double>(kept) <= most(width) * most(height));
    if (width >= 20 && height >= 10) CHECK(std::abs(static_cast<double>(kept) / (width * height) - 0.2) < 0.03);
    CHECK(result.at((width - 1) / 2, (height - 1) / 2) == 1);
  }
}

TEST_CASE("weak labels: which pictures are weak is a matter of seed and index alone") {
  WeakLabels weak = weak_of(WeakLabels::Kind::box, {1});
  const auto weak_ones = [&](double fraction, uint64_t seed) {
    weak.fraction = fraction;
    weak.seed = seed;
    std::set<int64_t> found;
    for (int64_t i = 0; i < 2000; ++i) {
      if (is_weak(weak, i)) found.insert(i);
    }
    return found;
  };
  CHECK(weak_ones(0, 1).empty());
  CHECK(weak_ones(1, 1).size() == 2000);
  const auto third = weak_ones(0.3, 1), half = weak_ones(0.5, 1);
  CHECK(std::abs(static_cast<double>(third.size()) - 600) < 80);  // four standard deviations
  CHECK(std::includes(half.begin(), half.end(), third.begin(), third.end()));
  CHECK(weak_ones(0.3, 1) == third);
  CHECK(weak_ones(0.3, 2) != third);
  weak.kind = WeakLabels::Kind::full;
  CHECK(!is_weak(weak, 0));
  const LabelMap labels = random_map(1, 9, 7, 3);
  CHECK(weakened(labels, weak, 255).index == labels.index);
}

TEST_CASE("weak labels: a prediction that covers half of its box takes the box's place") {
  const WeakLabels weak = weak_of(WeakLabels::Kind::update, {1, 2});
  const auto updated = [&](const std::vector<std::string>& mask, const std::vector<std::string>& prediction) {
    return updated_boxes(map_of(mask), map_of(prediction), weak, 255);
  };
  const std::vector<std::string> mask{"00000", "01100", "01000", "00000"};
  // Two of the four pixels are half of the box; what is seen as stuff there is stuff, outside nothing changes.
  UpdatedBoxes half = updated(mask, {"11111", "11333", "01003", "11111"});
  CHECK(rows_of(half.labels) == std::vector<std::string>{"00000", "01300", "01000", "00000"});
  CHECK(half.boxes == 1);
  CHECK(half.predicted == 1);
  UpdatedBoxes less = updated(mask, {"11111", "11333", "03003", "11111"});
  CHECK(rows_of(less.labels) == std::vector<std::string>{"00000", "01100", "01100", "00000"});
  CHECK(less.predicted == 0);
  // A thing is only where it has a box: the 2 at the right lies in none.
  CHECK(rows_of(updated({"1110", "1110"}, {"1120", "1100"}).labels) == std::vector<std::string>{"11i0", "1100"});
  // The right column is no place for a 1, the one beside it is.
  CHECK(rows_of(updated({"1122", "1112"}, {"1121", "1112"}).labels) == std::vector<std::string>{"112i", "1112"});
  // What is ignored stays so, and is no part of the box: two of three pixels.
  UpdatedBoxes ignored = updated({"1i", "11"}, {"11", "30"});
  CHECK(rows_of(ignored.labels) == std::vector<std::string>{"1i", "11"});
  ignored = updated({"1i", "11"}, {"11", "10"});
  CHECK(rows_of(ignored.labels) == std::vector<std::string>{"1i", "10"});
  // No box, nothing to update.
  CHECK(rows_of(updated({"03i"}, {"112"}).labels) == std::vector<std::string>{"03i"});
  CHECK_THROWS_AS(updated({"03"}, {"112"}), ShapeError);
}

TEST_CASE("weak labels: updated boxes against a naive version") {
  const WeakLabels weak = weak_of(WeakLabels::Kind::update, {1, 2});
  for (uint32_t item = 0; item < 40; ++item) {
    CAPTURE(item);
    const int width = 3 + static_cast<int>(item % 9), height = 2 + static_cast<int>(item % 7);
    const LabelMap mask = random_map(100 + item, width, height, item % 2 == 0 ? 3 : 5);
    LabelMap prediction = random_map(200 + item, width, height, 4);
    // Mostly right, so that boxes of both kinds occur.
    for (size_t i = 0; i < prediction.index.size(); ++i) {
      if (i % 3 != 0 || prediction.index[i] == 255) prediction.index[i] = mask.index[i] == 255 ? 0 : mask.index[i];
    }
    std::vector<LabelBox> boxes = naive_boxes(mask, weak.is_thing);
    std::stable_sort(boxes.begin(), boxes.end(),
                     [](const LabelBox& a, const LabelBox& b) { return a.area() > b.area(); });
    const auto contains = [](const LabelBox& box, int x, int y) {
      return x >= box.left && x < box.right && y >= box.top && y < box.bottom;
    };
    LabelMap expected = mask;
    int64_t predicted = 0;
    for (const LabelBox& box : boxes) {
      int valid = 0, seen = 0;
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          if (!contains(box, x, y) || mask.at(x, y) == 255) continue;
          ++valid;
          seen += prediction.at(x, y) == box.label ? 1 : 0;
        }
      }
      const bool keeps = 2 * seen >= valid;
      predicted += keeps ? 1 : 0;
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          if (!contains(box, x, y) || mask.at(x, y) == 255) continue;
          const uint8_t label = keeps ? prediction.at(x, y) : box.label;
          const bool stray = (label == 1 || label == 2) &&
                             std::none_of(boxes.begin(), boxes.end(),
                                          [&](const LabelBox& b) { return b.label == label && contains(b, x, y); });
          expected.at(x, y) = stray ? 255 : label;
        }
      }
    }
    const UpdatedBoxes updated = updated_boxes(mask, prediction, weak, 255);
    CHECK(rows_of(updated.labels) == rows_of(expected));
    CHECK(updated.predicted == predicted);
    CHECK(updated.boxes == static_cast<int64_t>(boxes.size()));
  }
}

}  // namespace giza::train
