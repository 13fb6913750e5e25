// Training and testing without data.
#include "train/cost/rehearsal.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "autograd/variable.h"
#include "models/scene_parser.h"
#include "models/weights/infer.h"
#include "tensor/base/check.h"
#include "tensor/base/memory.h"
#include "tensor/base/stopwatch.h"
#include "tensor/dry_run.h"
#include "tensor/ops/batch_share.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/softmax.h"
#include "tensor/parallel.h"
#include "tensor/ranks.h"
#include "train/config/parts.h"
#include "train/eval/dense_crf.h"
#include "train/optim/sgd.h"
#include "train/optim/weight_average.h"

namespace giza::train {
namespace {

Image noise(PictureSize size) {
  Image image(size.width, size.height);
  uint32_t bits = 1;  // a linear congruential generator: for times, any numbers will do
  for (uint8_t& value : image.rgb) {
    bits = bits * 1664525U + 1013904223U;
    value = static_cast<uint8_t>(bits >> 24);
  }
  return image;
}

void predict_noise(const Network& network, PictureSize size, const ProtocolOptions& protocol) {
  const Image image = noise(size);
  // A sampled run's undefined numbers need not be finite.
  if (simulating() && !detail::tasks_off) {
    ops::argmax(predict_probabilities(network, image, protocol));
  } else {
    predict_labels(network, image, protocol);
  }
}

Tensor made_up_pictures(const Shape& shape) {
  Tensor x = Tensor::activation(shape);
  parallel_ranges(x.rows(), 4096, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t c = 0; c < 3; ++c)
        x.row(row)[c] = static_cast<float>((3 * row + c) * 2654435761 >> 8 & 0xff) / 128 - 1;
    }
  });
  return x;
}

/// Forward passes as `giza run` makes them: weights packed and batch norm folded in at the first.
class ForwardRehearsal : public StepRehearsal {
 public:
  ForwardRehearsal(std::unique_ptr<models::SceneParser> model, const Shape& x)
      : model_(std::move(model)), frozen_(*model_), pictures_(made_up_pictures(x)) {}
  void step() override { frozen_.forward(pictures_).upsampled_logits(); }
  const layers::Module& network() const override { return *model_; }

 private:
  std::unique_ptr<models::SceneParser> model_;
  models::FrozenParser frozen_;
  Tensor pictures_;
};

/// A dry run of a piece of work. What `body` allocates must be gone when it returns.
Rehearsal rehearse(int threads, const std::function<void(Rehearsal& result)>& body) {
  Rehearsal result;
  const DryRun dry(threads);
  body(result);
  const ArenaStatistics statistics = arena_statistics();
  result.arena_bytes = statistics.high_water;
  result.in_use_peak = statistics.peak;
  return result;
}

void check_fits(const Rehearsal& rehearsal, const Config& config) {
  const int64_t needed = rehearsal.arena_bytes, all = most_bytes();
  check<Refusal>(
      needed <= all,
      "{}: a step needs {:.1f} GB for its tensors, and there are {:.1f} GB; use a smaller batch, crop or network "
      "(`giza plan` proposes settings that fit)",
      config.file, static_cast<double>(needed) / 1e9, static_cast<double>(all) / 1e9);
}

template <class Piece>
void record(Rehearsal& result, Piece&& piece) {
  const profile::Recording recording;
  result.serial_s = seconds_of(piece);
  result.events = recording.events();
  // Serial work of kernels belongs to their measured times.
  for (const profile::Event& event : result.events) {
    if (event.kind == profile::Event::Kind::kernel) result.serial_s -= static_cast<double>(event.self_ns()) * 1e-9;
  }
}

void count_numbers(Rehearsal& result, const layers::Module& network) {
  for (const layers::NamedParameter& parameter : network.parameters()) {
    const std::string name = part_of(parameter.name);
    if (result.parts.empty() || result.parts.back().name != name) result.parts.push_back({name, 0});
    result.parts.back().parameters += parameter.variable.value().numel();
    result.parameters += parameter.variable.value().numel();
  }
  for (const layers::NamedBuffer& buffer : network.buffers()) result.buffers += buffer.tensor.numel();
}

}  // namespace

struct TrainingRehearsal::State {
  const Config config;
  std::unique_ptr<models::SceneParser> model;
  Sgd optimizer;
  std::unique_ptr<WeightAverage> average;
  ops::CrossEntropyOptions loss;
  ops::BatchShare share;
  uint32_t iteration = 0;

  State(Config configuration, std::unique_ptr<models::SceneParser> given)
      : config(std::move(configuration)),
        model(given ? std::move(given) : models::make_parser(model_options(config))),
        optimizer(parameter_groups(config, *model),
                  SgdConfig{.momentum = config.train.momentum, .weight_decay = config.train.weight_decay}),
        share(config.train.batch_size) {
    if (config.train.ema_decay > 0) average = std::make_unique<WeightAverage>(*model, config.train.ema_decay);
    loss.ignore_label = config.train.ignore_label;
    if (config.train.class_weights.kind != ClassWeights::Kind::none) {
      loss.class_weights = Tensor::full({config.data.classes}, 1.0F);
    }
  }
};

TrainingRehearsal::TrainingRehearsal(const Config& config, std::unique_ptr<models::SceneParser> given)
    : state_(refusing(config, [&] { return std::make_unique<State>(config, std::move(given)); })) {}

TrainingRehearsal::~TrainingRehearsal() = default;

void TrainingRehearsal::step() {
  const TrainConfig& train = state_->config.train;
  const PictureSize sample = largest_sample(train);
  const ops::Sharing sharing(state_->share);
  const int64_t pictures = state_->share.end() - state_->share.begin();
  const Tensor images = made_up_pictures({pictures, sample.height, sample.width, 3});
  // Labels are written in a dry run too, which shall not take more than there is to find out that a step does.
  constexpr double kPixelBytes = 24;  // of a picture, its labels and their copies
  const double needed = kPixelBytes * static_cast<double>(pictures) * sample.height * sample.width;
  check<Refusal>(
      needed <= static_cast<double>(most_bytes()),
      "{}: {} pictures of {}x{} need {:.1f} GB as they come, and there are {:.1f} GB; use a smaller batch or "
      "crop",
      state_->config.file, pictures, sample.width, sample.height, needed / 1e9,
      static_cast<double>(most_bytes()) / 1e9);
  const bool whole = state_->model->classifies_pictures();
  const Labels labels(pictures, whole ? 1 : sample.height, whole ? 1 : sample.width);
  Sgd& optimizer = state_->optimizer;
  optimizer.zero_grad();
  {
    const layers::Context context{.training = true,
                                  .seed = static_cast<uint64_t>(train.manual_seed),
                                  .iteration = state_->iteration++,
                                  .recompute = train.recompute};
    models::ParserLoss losses;
    {
      const models::ParserOutput output =
          refusing(state_->config, [&] { return state_->model->forward(autograd::Variable(images), context); });
      losses = state_->model->loss(output, labels, state_->loss, train.aux_weight);
    }
    autograd::backward(losses.total);
    ops::finish_gradients();
  }
  // All of them, as where all is well: here the numbers may be anything.
  for (const layers::NamedParameter& parameter : state_->model->parameters()) {
    const Tensor gradient = parameter.variable.grad();
    if (gradient.defined()) ops::all_finite(ops::numbers_of(ops::owned_part(gradient.shape()), gradient));
  }
  optimizer.step(train.base_lr);
  if (state_->average) state_->average->update(state_->iteration);
}

void TrainingRehearsal::gather_velocities() const { state_->optimizer.velocities(); }

void TrainingRehearsal::validate(PictureSize picture) {
  predict_noise(network_of(*state_->model), picture, validation_protocol(state_->config));
}

std::string part_of(const std::string& path) {
  const std::string first = path.substr(0, path.find('.'));
  if (first == "layer0") return "stem";
  return first.empty() ? "other" : first;
}

const layers::Module& TrainingRehearsal::network() const { return *state_->model; }

struct TestRehearsal::State {
  std::unique_ptr<models::SceneParser> model;
  Network network;

  explicit State(const models::NetworkOptions& options)
      : model(models::make_parser(options)), network(network_of(*model)) {
    // A network that was never trained has logits of any size, and softmax gives denormal numbers then, with which
    // processors take many times as long.
    for (const layers::NamedParameter& parameter : model->parameters()) {
      if (models::is_new_layer(parameter.name)) parameter.variable.value().fill(0.0F);
    }
  }
};

TestRehearsal::TestRehearsal(const Config& config) {
  models::NetworkOptions options = model_options(config);
  options.aux = false;  // used in training only
  state_ = refusing(config, [&] { return std::make_unique<State>(options); });
}

TestRehearsal::~TestRehearsal() = default;

const layers::Module& TestRehearsal::network() const { return *state_->model; }

void TestRehearsal::predict(PictureSize picture, const ProtocolOptions& protocol) const {
  ProtocolOptions of_network = protocol;
  of_network.crf.reset();  // noise is the worst of pictures for it, and says nothing of others
  predict_noise(state_->network, picture, of_network);
}

void check_training_fits(const Config& config) {
  check_fits(rehearse(num_threads(), [&](Rehearsal&) { TrainingRehearsal(config).step(); }), config);
}

std::unique_ptr<StepRehearsal> make_rehearsal(const Config& config, const Shape& x, bool training,
                                              const std::string& weights, models::FileNotes* told) {
  if (weights.empty() && !simulating()) {
    check_fits(rehearse(num_threads(), [&](Rehearsal&) { make_rehearsal(config, x, training)->step(); }), config);
  }
  models::NetworkOptions options = model_options(config);
  std::unique_ptr<models::SceneParser> model;
  if (!weights.empty()) model = models::load_parser(weights, options.backbone.conv, told);
  if (training) return std::make_unique<TrainingRehearsal>(config, std::move(model));
  options.aux = false;  // used in training only
  if (!model) model = refusing(config, [&] { return models::make_parser(options); });
  return std::make_unique<ForwardRehearsal>(std::move(model), x);
}

std::vector<profile::Event> rehearse_step(const Config& config, const Shape& x, bool training) {
  return rehearse(/*threads=*/1,
                  [&](Rehearsal& result) {
                    const auto steps = make_rehearsal(config, x, training);  // whose making is no part of the record
                    record(result, [&] { steps->step(); });
                  })
      .events;
}

Rehearsal rehearse_training(const Config& config, int threads, PictureSize validated) {
  return rehearse(threads, [&](Rehearsal& result) {
    TrainingRehearsal training(config);
    count_numbers(result, training.network());
    training.step();
    record(result, [&] { training.step(); });
    if (ranks::count() > 1) training.gather_velocities();
    if (validated.width == 0) return;
    training.validate(validated);
    training.step();
  });
}

int64_t prediction_bytes(const models::SceneParser& model, int threads, PictureSize picture,
                         const ProtocolOptions& protocol) {
  const double scale = *std::max_element(protocol.scales.begin(), protocol.scales.end());
  const double base = protocol.base_size > 0 ? protocol.base_size : std::max(picture.width, picture.height);
  const int long_side = std::max(1, static_cast<int>(std::nearbyint(base * scale)));
  const PictureSize largest = scaled_size(picture.width, picture.height, long_side);
  const auto pixels = [](PictureSize size) { return int64_t{size.width} * size.height; };

  // The largest scale alone, and no more rows of tiles than there are at once: the others are like them.
  ProtocolOptions one_scale = protocol;
  one_scale.scales = {1};
  one_scale.base_size = 0;
  one_scale.crf.reset();
  PictureSize piece = largest;
  if (protocol.crop_h > 0) {
    const int64_t rows = int64_t{protocol.crop_h} * (protocol.batch + 3);
    piece.height = static_cast<int>(std::min<int64_t>(piece.height, rows));
  }
  const bool resized = protocol.scales.size() > 1 || largest.width != picture.width || largest.height != picture.height;
  const auto arena_of = [&](PictureSize size) {
    return rehearse(threads,
                    [&](Rehearsal&) {
                      Network network = network_of(model);
                      if (resized) network.labels = nullptr;  // the short way, for a picture as it is
                      predict_noise(network, size, one_scale);
                    })
        .arena_bytes;
  };
  // Beyond some size the tensors grow with each side as a line does, and even the noise of a long picture takes a
  // while.
  constexpr int kLong = 4096;
  const auto reckoned = [&](PictureSize size) -> int64_t {
    int PictureSize::*const side = size.width > kLong ? &PictureSize::width : &PictureSize::height;
    if (size.*side <= kLong) return arena_of(size);
    PictureSize half = size, whole = size;
    half.*side = kLong / 2;
    whole.*side = kLong;
    const int64_t at_half = arena_of(half), at_whole = arena_of(whole);
    return at_whole + std::max<int64_t>(at_whole - at_half, 0) * (size.*side - kLong) / (kLong / 2);
  };

  constexpr int64_t kBytes = 16;       // a pixel: the picture, its labels, their colours, the overlay
  constexpr int64_t kFloatBytes = 12;  // a pixel of the picture at another scale
  int64_t bytes = reckoned(piece) + kBytes * pixels(picture);
  if (resized) {
    // Whole maps: the sum, the scale's own, and that resized to the picture.
    const int64_t of_pixel = model.classes() * int64_t{sizeof(float)};
    bytes += kFloatBytes * pixels(largest) + of_pixel * (2 * pixels(picture) + pixels(largest));
  }
  if (protocol.crf) bytes += crf_bytes(pixels(picture), model.classes(), *protocol.crf);
  return bytes;
}

void PredictionMemory::check_fits(const std::string& image, PictureSize picture, const ProtocolOptions& protocol) {
  if (picture.width <= fitting_.width && picture.height <= fitting_.height) return;
  const auto gb = [](int64_t bytes) { return static_cast<double>(bytes) / 1e9; };
  const int64_t needed = prediction_bytes(model_, num_threads(), picture, protocol);
  const MemoryLimit limit = memory_limit();
  const int64_t crf =
      protocol.crf ? crf_bytes(int64_t{picture.width} * picture.height, model_.classes(), *protocol.crf) : 0;
  const std::string remedy =
      needed - crf <= limit.bytes
          ? fmt::format("make the picture smaller, or leave out the CRF, which takes {:.1f} GB of it (TEST.crf false)",
                        gb(crf))
          : "make the picture smaller, cut it into tiles, or give a configuration with one of TEST.scales and a "
            "smaller "
            "TEST.test_h and TEST.test_w";
  check<Refusal>(
      needed <= limit.bytes,
      "{}: {} x {} pixels take about {:.1f} GB of memory by the protocol ({}), and there are {:.1f} GB ({}); "
      "{}",
      image, picture.width, picture.height, gb(needed), protocol_name(protocol), gb(limit.bytes), limit.source, remedy);
  fitting_ = picture;
}

Rehearsal rehearse_test(const Config& config, int threads, PictureSize picture, const ProtocolOptions& protocol) {
  return rehearse(threads, [&](Rehearsal& result) {
    const TestRehearsal test(config);
    count_numbers(result, test.network());
    test.predict(picture, protocol);
    record(result, [&] { test.predict(picture, protocol); });
  });
}

}  // namespace giza::train
