// The fully connected CRF (Kraehenbuehl & Koltun, NIPS 2011), as DeepLab puts it behind a network.
#pragma once

#include "tensor/tensor.h"
#include "train/config/crf_options.h"
#include "train/data/image/image.h"

namespace giza::train {

/// Probabilities below this count as it, so that no network is so sure that nothing can change its mind (pydensecrf).
constexpr float kLowestCrfProbability = 1e-5F;

/// Mean field of E (CrfOptions): Q = P, then `iterations` times Q = softmax(log P + w1 K1 Q + w2 K2 Q), all pixels at
/// once. probabilities [1,H,W,C] of a picture of H x W pixels -> Q [1,H,W,C]. The sums over pairs include the pixel
/// itself, as in the authors' program. The same bits at any number of threads. Throws ShapeError for another shape,
/// Refusal for the options and a picture too large for its standard deviations (ops::LatticeRange), and Error for a
/// probability that is not in [0, 1] (with its place).
Tensor dense_crf(const Tensor& probabilities, const Image& picture, const CrfOptions& options);

/// About the most bytes that dense_crf takes beside its input, whatever the picture shows.
int64_t crf_bytes(int64_t pixels, int64_t classes, const CrfOptions& options);

}  // namespace giza::train
