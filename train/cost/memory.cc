// Peak memory of commands, and how much there is.
#include "train/cost/memory.h"

#include <algorithm>
#include <filesystem>

#include "train/config/parts.h"
#include "train/eval/dense_crf.h"
#include "train/eval/refined_boxes.h"

namespace giza::train {
namespace {

constexpr int64_t kPrefetch = 2;       // batches that the loader makes ahead
constexpr int64_t kSamplePixel = 16;   // bytes of a sample's pixel: three floats and a label
constexpr int64_t kDecodedPixel = 4;   // of a decoded picture and its labels
constexpr int64_t kAugmentPixel = 26;  // of a scaled picture and labels, and their copies while they are turned

/// Heap of one picture on its way through the protocol: decoded, and as floats at the largest scale.
int64_t picture_bytes(PictureSize picture, const ProtocolOptions& protocol) {
  const double pixels = static_cast<double>(picture.width) * picture.height;
  double most = 0;
  for (const double scale : protocol.scales) {
    const double side =
        protocol.base_size > 0 ? scale * protocol.base_size / std::max(picture.width, picture.height) : scale;
    most = std::max(most, side * side);
  }
  return static_cast<int64_t>(pixels * (12 * most + 16));
}

}  // namespace

int workers_of(const Config& config) { return config.train.workers > 0 ? config.train.workers : 2; }

int64_t decoded_bytes(const Pictures& pictures) {
  return static_cast<int64_t>(static_cast<double>(pictures.count) * pictures.mean_pixels) * kDecodedPixel;
}

int64_t cache_bytes(const Config& config, const Pictures& pictures) {
  return std::min(int64_t{config.train.cache_mb} << 20, decoded_bytes(pictures));
}

MemoryPlan training_memory(const Config& config, const Rehearsal& rehearsal, const Pictures& pictures,
                           PictureSize validated, int64_t process) {
  const TrainConfig& train = config.train;
  MemoryPlan memory;
  memory.process = process;
  memory.tensors = rehearsal.arena_bytes;
  const PictureSize size = largest_sample(train);
  const int64_t sample = kSamplePixel * size.height * size.width;
  const double largest = static_cast<double>(pictures.largest.width) * pictures.largest.height;
  const auto in_work =
      static_cast<int64_t>(largest * (kDecodedPixel + kAugmentPixel * train.scale_max * train.scale_max));
  memory.data = cache_bytes(config, pictures) + kPrefetch * train.batch_size * sample + workers_of(config) * in_work;
  if (validated.width > 0) memory.data += picture_bytes(validated, validation_protocol(config));
  // What the first round of boxes filled stays beside the cache of the labels that are made then.
  if (config.data.weak_labels == "box_update") memory.data += cache_bytes(config, pictures);
  // The state dict with its momentum, and both kinds of weights of an average, copied to be written.
  const int64_t weights = rehearsal.parameters + rehearsal.buffers;
  memory.files = 4 * (weights + rehearsal.parameters + (train.ema_decay > 0 ? weights : 0));
  if (config.data.weak_labels == "box_crf") {
    // Labels are made before there are samples and activations: only what is beyond these counts.
    const auto making =
        process + refined_boxes_bytes(static_cast<int64_t>(largest), config.data.classes, config.test.crf_options);
    memory.data += std::max<int64_t>(0, making - memory.peak());
  }
  return memory;
}

MemoryPlan test_memory(const Config& config, const Rehearsal& rehearsal, const Pictures& pictures, int64_t process) {
  const ProtocolOptions protocol = test_protocol(config);
  MemoryPlan memory;
  memory.process = process;
  memory.tensors = rehearsal.arena_bytes;
  memory.data = picture_bytes(pictures.largest, protocol);
  if (protocol.crf) {
    const int64_t pixels = int64_t{pictures.largest.width} * pictures.largest.height;
    memory.data += crf_bytes(pixels, config.data.classes, *protocol.crf);
  }
  if (config.test.split != "test") memory.data += cache_bytes(config, pictures);
  // Weights are read before anything else is held: only what is beyond the rest counts.
  std::error_code none;
  const auto size = std::filesystem::file_size(config.test.model_path, none);
  const int64_t file = none ? 4 * (2 * rehearsal.parameters + rehearsal.buffers) : static_cast<int64_t>(size);
  const int64_t loading = process + 4 * (rehearsal.parameters + rehearsal.buffers) + file;
  memory.files = std::max<int64_t>(0, loading - memory.peak());
  return memory;
}

}  // namespace giza::train
