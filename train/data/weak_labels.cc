// Label maps made coarser, as if people had drawn boxes around the things.
#include "train/data/weak_labels.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>

#include "tensor/base/check.h"
#include "tensor/random.h"

namespace giza::train {
namespace {

/// Marks the component that (x, y) belongs to, and returns the box around it. `open` is scratch memory.
LabelBox box_around(const LabelMap& labels, int x, int y, std::vector<bool>& seen, std::vector<size_t>& open) {
  const auto width = static_cast<size_t>(labels.width);
  const auto place = [&](int column, int row) {
    return static_cast<size_t>(row) * width + static_cast<size_t>(column);
  };
  LabelBox box{labels.index[place(x, y)], x, y, x + 1, y + 1};
  seen[place(x, y)] = true;
  open.assign(1, place(x, y));
  while (!open.empty()) {
    const auto row = static_cast<int>(open.back() / width), column = static_cast<int>(open.back() % width);
    open.pop_back();
    box.left = std::min(box.left, column);
    box.right = std::max(box.right, column + 1);
    box.bottom = std::max(box.bottom, row + 1);  // Nothing of it lies above its first pixel in reading order.
    for (int v = std::max(row - 1, 0); v <= std::min(row + 1, labels.height - 1); ++v) {
      for (int u = std::max(column - 1, 0); u <= std::min(column + 1, labels.width - 1); ++u) {
        const size_t next = place(u, v);
        if (seen[next] || labels.index[next] != box.label) continue;
        seen[next] = true;
        open.push_back(next);
      }
    }
  }
  return box;
}

/// The part of a side that keeps its class; the rest of the side is ignored.
struct Kept {
  int begin, end;
};
Kept kept_part(WeakLabels::Kind kind, int begin, int end) {
  const int side = end - begin;
  if (kind == WeakLabels::Kind::band) {
    const int band = (side + 5) / 10;  // a tenth, rounded
    return {begin + band, end - band};
  }
  if (kind == WeakLabels::Kind::inner) {
    // A fifth of the area: both sides by its square root, which is correctly rounded everywhere.
    const int inner = std::max(1, static_cast<int>(std::lround(side * std::sqrt(0.2))));
    const int first = begin + (side - inner) / 2;
    return {first, first + inner};
  }
  return {begin, end};
}

/// What was ignored in the mask stays so.
void keep_ignored(const LabelMap& mask, uint8_t ignore, LabelMap& labels) {
  for (size_t i = 0; i < mask.index.size(); ++i) {
    if (mask.index[i] == ignore) labels.index[i] = ignore;
  }
}

/// The part of a box that the prediction gives its class to.
double cover(const LabelMap& mask, const LabelMap& prediction, const LabelBox& box, uint8_t ignore) {
  int64_t area = 0, covered = 0;
  for (int y = box.top; y < box.bottom; ++y) {
    for (int x = box.left; x < box.right; ++x) {
      if (mask.at(x, y) == ignore) continue;
      ++area;
      covered += prediction.at(x, y) == box.label;
    }
  }
  return static_cast<double>(covered) / static_cast<double>(area);  // a box has the pixels that it lies around
}

/// By class, the pixels of a picture that lie in one of its boxes.
std::map<uint8_t, std::vector<bool>> places_of(const std::vector<LabelBox>& boxes, const LabelMap& mask) {
  std::map<uint8_t, std::vector<bool>> places;
  for (const LabelBox& box : boxes) {
    std::vector<bool>& inside = places[box.label];
    inside.resize(mask.index.size());
    for (int y = box.top; y < box.bottom; ++y) {
      const auto row = inside.begin() + std::ptrdiff_t{y} * mask.width;
      std::fill(row + box.left, row + box.right, true);
    }
  }
  return places;
}

}  // namespace

std::vector<LabelBox> thing_boxes(const LabelMap& labels, const std::array<bool, 256>& is_thing) {
  std::vector<LabelBox> boxes;
  std::vector<bool> seen(labels.index.size());
  std::vector<size_t> open;
  size_t place = 0;
  for (int y = 0; y < labels.height; ++y) {
    for (int x = 0; x < labels.width; ++x, ++place) {
      if (is_thing[labels.index[place]] && !seen[place]) boxes.push_back(box_around(labels, x, y, seen, open));
    }
  }
  return boxes;
}

bool is_weak(const WeakLabels& weak, int64_t index) {
  if (weak.kind == WeakLabels::Kind::full) return false;
  const Random random(weak.seed, Purpose::weak, /*epoch=*/0, static_cast<uint32_t>(index));
  return static_cast<double>(random.uniform(0)) < weak.fraction;
}

std::vector<LabelBox> painted_boxes(const LabelMap& labels, const WeakLabels& weak, int ignore_label) {
  std::array<bool, 256> is_thing = weak.is_thing;
  is_thing[static_cast<size_t>(ignore_label)] = false;
  std::vector<LabelBox> boxes = thing_boxes(labels, is_thing);
  std::stable_sort(boxes.begin(), boxes.end(),
                   [](const LabelBox& a, const LabelBox& b) { return a.area() > b.area(); });
  return boxes;
}

LabelMap weakened(const LabelMap& labels, const WeakLabels& weak, int ignore_label) {
  if (weak.kind == WeakLabels::Kind::full) return labels;
  const auto ignore = static_cast<uint8_t>(ignore_label);
  LabelMap result = labels;
  for (const LabelBox& box : painted_boxes(labels, weak, ignore_label)) {
    const Kept columns = kept_part(weak.kind, box.left, box.right), rows = kept_part(weak.kind, box.top, box.bottom);
    for (int y = box.top; y < box.bottom; ++y) {
      uint8_t* row = &result.index[static_cast<size_t>(y) * static_cast<size_t>(labels.width)];
      std::fill(row + box.left, row + box.right, ignore);
      if (y >= rows.begin && y < rows.end) std::fill(row + columns.begin, row + columns.end, box.label);
    }
  }
  keep_ignored(labels, ignore, result);
  return result;
}

UpdatedBoxes updated_boxes(const LabelMap& labels, const LabelMap& prediction, const WeakLabels& weak,
                           int ignore_label) {
  check(prediction.width == labels.width && prediction.height == labels.height,
        "updated_boxes: a prediction of {} x {} for labels of {} x {}", prediction.width, prediction.height,
        labels.width, labels.height);
  const auto ignore = static_cast<uint8_t>(ignore_label);
  const std::vector<LabelBox> boxes = painted_boxes(labels, weak, ignore_label);
  const std::map<uint8_t, std::vector<bool>> places = places_of(boxes, labels);
  // A thing can only be where it has a box.
  const auto is_possible = [&](uint8_t seen, int x, int y) {
    if (!weak.is_thing[seen]) return true;
    const auto place = places.find(seen);
    return place != places.end() && place->second[static_cast<size_t>(y) * static_cast<size_t>(labels.width) + x];
  };
  UpdatedBoxes result{labels, static_cast<int64_t>(boxes.size()), 0};
  for (const LabelBox& box : boxes) {
    const bool predicted = cover(labels, prediction, box, ignore) >= kLeastCover;
    result.predicted += predicted;
    for (int y = box.top; y < box.bottom; ++y) {
      for (int x = box.left; x < box.right; ++x) {
        const uint8_t seen = predicted ? prediction.at(x, y) : box.label;
        result.labels.at(x, y) = is_possible(seen, x, y) ? seen : ignore;
      }
    }
  }
  keep_ignored(labels, ignore, result.labels);
  return result;
}

}  // namespace giza::train
