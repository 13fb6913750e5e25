// What cross_entropy and upsample_cross_entropy share: checks, and the sum of the partial losses.
#pragma once

#include "tensor/kernels/softmax.h"
#include "tensor/ops/softmax.h"

namespace giza::ops {

/// Throws ShapeError unless the labels hold as many values as they say.
void check_labels(const char* op, const Labels& labels);
/// The class weights, or null where there are none. Throws ShapeError for a number that does not fit the logits.
const float* class_weights_of(const char* op, const Tensor& logits, const CrossEntropyOptions& options);
/// Throws ShapeError that names the label's place: `pixel` is an index into labels.values.
[[noreturn]] void throw_bad_label(const char* op, const Labels& labels, int64_t pixel, int64_t classes,
                                  int32_t ignore_label);
/// Adds the blocks of each picture in a tree, then the pictures in one. Overwrites `sums`, of `blocks` blocks a
/// picture.
kernels::CrossEntropySums tree_sum(kernels::CrossEntropySums* sums, int64_t pictures, int64_t blocks);
/// The mean loss [1] of such a sum; 0 without weight.
Tensor mean_loss(const kernels::CrossEntropySums& total);

}  // namespace giza::ops
