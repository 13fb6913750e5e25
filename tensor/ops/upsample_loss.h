// Bilinear enlargement fused with what follows it at the end of a segmentation network: softmax cross-entropy in
// training, argmax in evaluation. Logits of the full size [N,H,W,K], 134 MB a picture for 150 classes at 473 x 473, are
// never made: a few pixels of a row at a time stay in the cache.
#pragma once

#include "tensor/ops/softmax.h"

namespace giza::ops {

struct UpsampleCrossEntropyResult {
  CrossEntropyResult loss;  ///< as cross_entropy(resize_bilinear(logits)) gives it; lse to the bit
  int64_t valid = 0;        ///< pixels that are not ignored
  int64_t right = 0;        ///< those whose argmax is their label
};

/// logits [N,h,w,K], labels N,H,W: the loss of the logits enlarged to H x W (align_corners as in resize_bilinear).
/// Throws ShapeError as resize_bilinear and cross_entropy do.
UpsampleCrossEntropyResult upsample_cross_entropy(const Tensor& logits, const Labels& labels, bool align_corners,
                                                  const CrossEntropyOptions& options);
/// -> dlogits [N,h,w,K]: cross_entropy_backward, then resize_bilinear_backward, row by row.
Tensor upsample_cross_entropy_backward(float dloss, const Tensor& logits, const Labels& labels,
                                       const CrossEntropyResult& forward, bool align_corners,
                                       const CrossEntropyOptions& options);

/// logits [N,h,w,K] -> labels N,height,width: argmax(resize_bilinear(logits, height, width, align_corners)).
Labels upsample_argmax(const Tensor& logits, int64_t height, int64_t width, bool align_corners);
/// The same of the probabilities: argmax(softmax(resize_bilinear(...))), which differs only where rounding makes two
/// probabilities equal whose logits are not.
Labels upsample_softmax_argmax(const Tensor& logits, int64_t height, int64_t width, bool align_corners);

}  // namespace giza::ops
