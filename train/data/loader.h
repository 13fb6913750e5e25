// Batches of augmented samples, made ahead of time by worker threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tensor/tensor.h"
#include "train/data/dataset.h"
#include "train/data/transforms.h"

namespace giza::train {

struct Batch {
  Tensor images;                   ///< [N, h, w, 3], normalised: the crop, in the size of the epoch
  Labels labels;                   ///< [N, h, w], or [N, 1, 1] of whole pictures
  std::vector<std::string> names;  ///< the image files
  int64_t epoch = 0;               ///< from 0
  int64_t iteration = 0;           ///< within the epoch, from 0
};

struct LoaderOptions {
  int64_t batch_size = 16;
  int64_t begin = 0, end = -1;  ///< the samples of each batch to make, of several ranks that share it; -1: to the last
  int workers = 2;              ///< threads; 0 makes the samples in the thread that calls next()
  int64_t prefetch = 2;         ///< batches made ahead, at least 1
  bool shuffle = true;          ///< a new order each epoch, from (seed, epoch)
  uint64_t seed = 0;
  int64_t start_epoch = 0;        ///< where to begin: resuming loads nothing of what came before
  int64_t start_iteration = 0;    ///< within start_epoch
  int64_t end_epoch = INT64_MAX;  ///< nothing is made ahead from this epoch on
};

/// The order of an epoch: a Fisher-Yates shuffle of 0 .. size-1 by (seed, epoch).
std::vector<uint32_t> epoch_order(int64_t size, uint64_t seed, int64_t epoch, bool shuffle);

/// Batch i of epoch e is samples i*N .. i*N+N-1 of that epoch's order; the incomplete batch at the end of an epoch
/// is dropped. What a batch holds depends on (seed, epoch, iteration) only, to the bit, however many workers there are.
class Loader {
 public:
  /// The data set must outlive the loader. Throws Refusal if it has fewer pictures than a batch, or if the transforms
  /// do not crop to one size.
  Loader(const Dataset& dataset, const TransformOptions& transforms, const LoaderOptions& options);
  /// Stops the workers and waits for them (at most for the samples in their hands).
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int64_t iterations_per_epoch() const { return iterations_per_epoch_; }
  /// The next batch; epochs follow one another. Rethrows what a worker threw while making a sample of this batch.
  /// A batch that threw throws again when asked for again. Throws Error past the last batch before end_epoch.
  Batch next();

 private:
  class Queue;

  int64_t iterations_per_epoch_ = 0;
  std::unique_ptr<Queue> queue_;
};

}  // namespace giza::train
