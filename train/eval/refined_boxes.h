// Boxes refined by the fully connected CRF: DATA.weak_labels box_crf.
#pragma once

#include <cstdint>

#include "train/config/crf_options.h"
#include "train/data/dataset.h"
#include "train/data/image/image.h"
#include "train/data/weak_labels.h"

namespace giza::train {

/// How sure the CRF is of a pixel's label before it looks; the other classes of the picture share the rest.
constexpr float kBoxCertainty = 0.8F;

/// The masks as boxes (weakened()), and inside of a box those pixels are ignored of which the CRF says another class.
/// Its unary term is kBoxCertainty for the label and the rest, in equal parts, for the other classes that the boxed map
/// has, or equal parts for all of them where the label is ignored. Outside of the boxes the labels stay. The picture
/// has the labels' size. The same bits at any number of threads. Throws as dense_crf().
LabelMap refined_boxes(const LabelMap& labels, const Image& picture, const WeakLabels& weak, const CrfOptions& crf,
                       int ignore_label);

/// The labels that a training with `options` begins with of picture `index`, whose files hold `pair`: of every kind of
/// weak labels, or the masks. Throws as refined_boxes, and Refusal for a picture whose CRF would take more memory than
/// there is.
LabelMap first_labels(const Pair& pair, const ListEntry& entry, int64_t index, const DatasetOptions& options,
                      const CrfOptions& crf);

/// About the most bytes that refined_boxes takes beside its arguments.
int64_t refined_boxes_bytes(int64_t pixels, int64_t classes, const CrfOptions& crf);

}  // namespace giza::train
