// Boxes refined by the fully connected CRF.
#include "train/eval/refined_boxes.h"

#include <array>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/base/memory.h"
#include "tensor/ops/softmax.h"
#include "tensor/tensor.h"
#include "train/eval/dense_crf.h"

namespace giza::train {
namespace {

/// The classes that a label map has, ascending: the CRF's channels.
std::vector<uint8_t> classes_of(const LabelMap& labels, uint8_t ignore) {
  std::array<bool, 256> has{};
  for (const uint8_t label : labels.index) has[label] = true;
  has[ignore] = false;
  std::vector<uint8_t> classes;
  for (size_t label = 0; label < has.size(); ++label) {
    if (has[label]) classes.push_back(static_cast<uint8_t>(label));
  }
  return classes;
}

/// [1,H,W,classes]
Tensor unary_of(const LabelMap& labels, const std::vector<uint8_t>& classes, uint8_t ignore) {
  const auto count = static_cast<int64_t>(classes.size());
  Tensor unary = Tensor::activation({1, labels.height, labels.width, count});
  const float even = 1.0F / static_cast<float>(count);
  const float other = (1.0F - kBoxCertainty) / static_cast<float>(count - 1);
  for (size_t i = 0; i < labels.index.size(); ++i) {
    float* row = unary.row(static_cast<int64_t>(i));
    const bool ignored = labels.index[i] == ignore;
    for (size_t c = 0; c < classes.size(); ++c) {
      row[c] = ignored ? even : labels.index[i] == classes[c] ? kBoxCertainty : other;
    }
  }
  return unary;
}

}  // namespace

LabelMap refined_boxes(const LabelMap& labels, const Image& picture, const WeakLabels& weak, const CrfOptions& crf,
                       int ignore_label) {
  const auto ignore = static_cast<uint8_t>(ignore_label);
  LabelMap result = weakened(labels, weak, ignore_label);
  const std::vector<uint8_t> classes = classes_of(result, ignore);
  if (classes.size() < 2) return result;  // nothing to decide between
  const Labels refined = ops::argmax(dense_crf(unary_of(result, classes, ignore), picture, crf));
  for (const LabelBox& box : painted_boxes(labels, weak, ignore_label)) {
    for (int y = box.top; y < box.bottom; ++y) {
      for (int x = box.left; x < box.right; ++x) {
        const auto place = static_cast<size_t>(y) * static_cast<size_t>(labels.width) + static_cast<size_t>(x);
        uint8_t& label = result.index[place];
        // A pixel may lie in several boxes, and has the label of one.
        if (label != ignore && classes[static_cast<size_t>(refined.values[place])] != label) label = ignore;
      }
    }
  }
  return result;
}

LabelMap first_labels(const Pair& pair, const ListEntry& entry, int64_t index, const DatasetOptions& options,
                      const CrfOptions& crf) {
  if (!is_weak(options.weak, index)) return pair.labels;
  if (options.weak.kind != WeakLabels::Kind::crf) return weakened(pair.labels, options.weak, options.ignore_label);
  const int64_t needed = refined_boxes_bytes(int64_t{pair.image.width} * pair.image.height, options.classes, crf);
  const MemoryLimit limit = memory_limit();
  check<Refusal>(
      needed <= limit.bytes,
      "{}: the CRF of {} x {} pixels takes about {:.1f} GB of memory, and there are {:.1f} GB ({}); make the "
      "picture smaller, or use another DATA.weak_labels than box_crf",
      entry.image, pair.image.width, pair.image.height, static_cast<double>(needed) / 1e9,
      static_cast<double>(limit.bytes) / 1e9, limit.source);
  return with_place(entry.image,
                    [&] { return refined_boxes(pair.labels, pair.image, options.weak, crf, options.ignore_label); });
}

int64_t refined_boxes_bytes(int64_t pixels, int64_t classes, const CrfOptions& crf) {
  return crf_bytes(pixels, classes, crf) + pixels * classes * int64_t{sizeof(float)};
}

}  // namespace giza::train
