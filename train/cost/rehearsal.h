// Training and testing without data: for their memory, in a dry run, and for the time of their kernels.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tensor/profile/profile.h"
#include "train/config/config.h"
#include "train/eval/evaluator.h"

namespace giza::train {

/// The network of a configuration with what training holds besides, and the trainer's iteration on a batch without
/// contents.
class TrainingRehearsal {
 public:
  /// Throws Refusal for a configuration that no network fits.
  explicit TrainingRehearsal(const Config& config);
  ~TrainingRehearsal();
  /// What Trainer does with a batch, from its allocation to the update. Throws Refusal for a crop that does not fit.
  void step();
  /// The validation of a picture, as after an epoch.
  void validate(PictureSize picture);

  struct Part {
    std::string name;  ///< "layer1"
    int64_t parameters;
  };
  /// The stem, and each first name of a path: layer1 to layer4, ppm, cls, aux.
  std::vector<Part> parts() const;
  /// Numbers in parameters, and in running statistics.
  int64_t parameters() const;
  int64_t buffers() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// "stem" for "layer0.3", else the first name of a path: "layer1", "cls"; "other" without one.
std::string part_of(const std::string& path);

/// The network of a configuration as `giza eval` holds it.
class TestRehearsal {
 public:
  explicit TestRehearsal(const Config& config);
  ~TestRehearsal();
  /// One picture of noise through the whole protocol, to its labels. Where numbers are undefined (a sampled run), they
  /// are not looked at.
  void predict(PictureSize picture, const ProtocolOptions& protocol) const;
  int64_t parameters() const;
  int64_t buffers() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What a dry run of a piece of work says.
struct Rehearsal {
  int64_t arena_bytes = 0;             ///< from the arena's start to the end of the furthest block
  int64_t in_use_peak = 0;             ///< most bytes in blocks at once
  int64_t parameters = 0;              ///< numbers in the network's parameters
  int64_t buffers = 0;                 ///< and in its running statistics
  std::vector<profile::Event> events;  ///< kernels of the last piece recorded, with the layers around them
  double serial_s = 0;                 ///< by the clock, of that piece: what runs outside of parallel loops
};

/// The events of one training step, or of the network alone on a picture of shape x [1,H,W,3], in a dry run.
std::vector<profile::Event> rehearse_step(const Config& config, const Shape& x, bool training);
/// Training: two iterations, of which the second is recorded, a validation of the picture if one is given (its width is
/// not 0), and one more iteration.
Rehearsal rehearse_training(const Config& config, int threads, PictureSize validated = {0, 0});
/// The same of a body that records what it wants to; everything that it allocates must be gone when it returns.
Rehearsal rehearse(int threads,
                   const std::function<void(const std::function<void(const std::function<void()>&)>& record)>& body);
/// Testing a picture: the second of two.
Rehearsal rehearse_test(const Config& config, int threads, PictureSize picture, const ProtocolOptions& protocol);

}  // namespace giza::train
