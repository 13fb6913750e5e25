// Loops of softmax and softmax cross-entropy: a row is a pixel, its `width` floats are the classes.
#pragma once

#include <cstdint>

#include "tensor/rows.h"

namespace giza::kernels {

void softmax(ConstRows x, Rows y, int64_t rows, int64_t width);
/// dx = y (dy - sum(dy y)).
void softmax_backward(ConstRows dy, ConstRows y, Rows dx, int64_t rows, int64_t width);

struct CrossEntropySums {
  double loss;        ///< sum of weight * loss over the valid pixels
  double weight;      ///< sum of their weights
  int64_t bad_label;  ///< the first row whose label is neither a class nor ignore, -1 if none; the sums are void then
};

/// Loss of `rows` pixels, and lse = log sum exp of each. class_weights may be null.
CrossEntropySums cross_entropy(ConstRows logits, const int32_t* labels, int32_t ignore_label,
                               const float* class_weights, float* lse, int64_t rows, int64_t width);

/// dx = factor * class_weights[label] * (softmax - onehot), 0 at ignored pixels. class_weights may be null.
void cross_entropy_backward(ConstRows logits, const int32_t* labels, int32_t ignore_label, const float* class_weights,
                            const float* lse, float factor, Rows dx, int64_t rows, int64_t width);

/// Column of the first largest value of each row; the first NaN if there is one.
void argmax(ConstRows x, int32_t* labels, int64_t rows, int64_t width);

/// y = log of x, which is clipped to [lowest, 1] first.
void log_probabilities(ConstRows x, float lowest, Rows y, int64_t rows, int64_t width);

}  // namespace giza::kernels
