// Loops of enlargement fused with softmax cross-entropy and with argmax. They work class by class: plane k holds the
// logits of class k for the pixels of a row, so that a vector holds neighbouring pixels of one class. Then few classes
// leave no lanes empty, and no maximum and no sum runs across a vector.
#pragma once

#include <cstdint>

#include "tensor/kernels/softmax.h"
#include "tensor/rows.h"

namespace giza::kernels {

/// Pixels that are made at a time. `first` and the arrays below go by whole groups.
constexpr int64_t kPixelGroup = 16;
/// The pixels of as many groups as hold these.
constexpr int64_t whole_groups(int64_t pixels) { return (pixels + kPixelGroup - 1) / kPixelGroup * kPixelGroup; }
/// As many classes as a pixel's gradient is stored for: these, in fours.
constexpr int64_t whole_fours(int64_t classes) { return (classes + 3) / 4 * 4; }

/// A row of logits: plane k, of `stride` floats, is class k. A pixel is read with its right neighbour and whole vectors
/// at a time, so behind the last one come copies of it: kPixelGroup + 1 floats.
struct ClassPlanes {
  const float* data;
  int64_t stride, classes;

  const float* plane(int64_t k) const { return data + k * stride; }
  static int64_t floats_behind() { return kPixelGroup + 1; }
};

/// What each pixel of the enlarged row is made of: low_weight * pixel `low` + high_weight * the one to its right.
/// Arrays of whole groups.
struct EnlargedColumns {
  const int32_t* low;
  const float* low_weight;
  const float* high_weight;
  bool shrink;  ///< more inputs than outputs: neighbours may lie further apart than a vector is wide

  EnlargedColumns from(int64_t first) const { return {low + first, low_weight + first, high_weight + first, shrink}; }
};

/// Floats of the `work` of the functions below: one group of all classes.
inline int64_t class_work_floats(int64_t classes) { return whole_fours(classes) * kPixelGroup; }

/// cross_entropy() and argmax() of the first `pixels` enlarged pixels, bit for bit; argmax goes to `guesses`.
CrossEntropySums enlarged_cross_entropy(const ClassPlanes& row, const EnlargedColumns& columns, const int32_t* labels,
                                        int32_t ignore_label, const float* class_weights, float* lse, int32_t* guesses,
                                        float* work, int64_t pixels);

/// cross_entropy_backward() of them. dx has rows of classes, rounded up to a multiple of 4, and holds whole groups.
void enlarged_cross_entropy_backward(const ClassPlanes& row, const EnlargedColumns& columns, const int32_t* labels,
                                     int32_t ignore_label, const float* class_weights, const float* lse, float factor,
                                     Rows dx, float* work, int64_t pixels);

/// argmax() of them or, with softmax, of what softmax() makes of them.
void enlarged_argmax(const ClassPlanes& row, const EnlargedColumns& columns, bool softmax, int32_t* labels, float* work,
                     int64_t pixels);

}  // namespace giza::kernels
