// Loops of softmax and softmax cross-entropy: a row is a pixel, its `width` floats are the classes.
#pragma once

#include <cstdint>

namespace giza::kernels {

void softmax(const float* x, int64_t x_stride, float* y, int64_t y_stride, int64_t rows, int64_t width);
/// dx = y (dy - sum(dy y)).
void softmax_backward(const float* dy, int64_t dy_stride, const float* y, int64_t y_stride, float* dx,
                      int64_t dx_stride, int64_t rows, int64_t width);

struct CrossEntropySums {
  double loss;        ///< sum of weight * loss over the valid pixels
  double weight;      ///< sum of their weights
  int64_t bad_label;  ///< the first row whose label is neither a class nor ignore, -1 if none; the sums are void then
};

/// Loss of `rows` pixels, and lse = log sum exp of each. class_weights may be null.
CrossEntropySums cross_entropy(const float* logits, int64_t stride, const int32_t* labels, int32_t ignore_label,
                               const float* class_weights, float* lse, int64_t rows, int64_t width);

/// dx = factor * class_weights[label] * (softmax - onehot), 0 at ignored pixels. class_weights may be null.
void cross_entropy_backward(const float* logits, int64_t stride, const int32_t* labels, int32_t ignore_label,
                            const float* class_weights, const float* lse, float factor, float* dx, int64_t dx_stride,
                            int64_t rows, int64_t width);

/// Column of the first largest value of each row; the first NaN if there is one.
void argmax(const float* x, int64_t x_stride, int32_t* labels, int64_t rows, int64_t width);

}  // namespace giza::kernels
