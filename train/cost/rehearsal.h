// Training and testing without data: for their memory, in a dry run, and for the time of their kernels.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/weights/infer.h"
#include "tensor/profile/profile.h"
#include "train/config/config.h"
#include "train/eval/evaluator.h"

namespace giza::train {

/// Steps of a network, to be run one after the other.
class StepRehearsal {
 public:
  StepRehearsal() = default;
  virtual ~StepRehearsal() = default;
  StepRehearsal(const StepRehearsal&) = delete;
  StepRehearsal& operator=(const StepRehearsal&) = delete;
  virtual void step() = 0;
  virtual const layers::Module& network() const = 0;
};

/// The network of a configuration with what training holds besides, and the trainer's iteration on a batch without
/// contents: of several ranks (tensor/ranks.h), on this rank's part of it.
class TrainingRehearsal : public StepRehearsal {
 public:
  /// Of the configured network, or of the one that is given. Throws Refusal for a configuration that no network fits.
  explicit TrainingRehearsal(const Config& config, std::unique_ptr<models::SceneParser> given = nullptr);
  ~TrainingRehearsal() override;
  /// What Trainer does with a batch, from its allocation to the update. Throws Refusal for a crop that does not fit.
  void step() override;
  /// Of several ranks, what the one that leads writes into a checkpoint and has only parts of.
  void gather_velocities() const;
  /// The validation of a picture, as after an epoch.
  void validate(PictureSize picture);
  const layers::Module& network() const override;

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
  const layers::Module& network() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What a dry run of a piece of work says.
struct Rehearsal {
  struct Part {
    std::string name;  ///< as part_of says: the stem, layer1 to layer4, ppm, cls, aux
    int64_t parameters;
  };
  int64_t arena_bytes = 0;             ///< from the arena's start to the end of the furthest block
  int64_t in_use_peak = 0;             ///< most bytes in blocks at once
  std::vector<Part> parts;             ///< of the network
  int64_t parameters = 0;              ///< numbers in the network's parameters
  int64_t buffers = 0;                 ///< and in its running statistics
  std::vector<profile::Event> events;  ///< kernels of the last piece recorded, with the layers around them
  double serial_s = 0;                 ///< by the clock, of that piece: what runs outside of parallel loops
};

/// Steps of a configuration's network: those of its training, with its batch, crop, loss and recomputation; or, as
/// `giza run` does it, forward passes on made-up pictures x [N,H,W,3]. The network of the file `weights` takes the
/// configured one's place, if it is given; what there is to tell of it goes to `told`. Throws Refusal for a file or a
/// configuration that no network fits, or whose tensors do not fit into memory.
std::unique_ptr<StepRehearsal> make_rehearsal(const Config& config, const Shape& x, bool training,
                                              const std::string& weights = {}, models::FileNotes* told = nullptr);
/// The events of such a step in a dry run.
std::vector<profile::Event> rehearse_step(const Config& config, const Shape& x, bool training);
/// Throws Refusal if a training step (of several ranks: this one's) needs more memory for its tensors than can be had.
/// A network that cannot be held would be filled with numbers for minutes before that shows.
void check_training_fits(const Config& config);
/// Training: two iterations, of which the second is recorded, a validation of the picture if one is given (its width is
/// not 0), and one more iteration. Of several ranks: this one's, with what a checkpoint gathers.
Rehearsal rehearse_training(const Config& config, int threads, PictureSize validated = {0, 0});
/// About the most memory, in bytes, that predict_labels takes for a picture with a network that is there already: tiles
/// by a dry run, and the picture, its maps of probabilities where they are whole, and its results beside them.
int64_t prediction_bytes(const models::SceneParser& model, int threads, PictureSize picture,
                         const ProtocolOptions& protocol);
/// Whether there is memory for predictions, asked before they are worked on.
class PredictionMemory {
 public:
  /// The model must outlive this.
  explicit PredictionMemory(const models::SceneParser& model) : model_(model) {}
  /// Throws Refusal "IMAGE: ..." for a picture that would take more memory than there is.
  void check_fits(const std::string& image, PictureSize picture, const ProtocolOptions& protocol);

 private:
  const models::SceneParser& model_;
  PictureSize fitting_;  // a picture for which there was memory: there is for smaller ones
};
/// Testing a picture: the second of two.
Rehearsal rehearse_test(const Config& config, int threads, PictureSize picture, const ProtocolOptions& protocol);

}  // namespace giza::train
