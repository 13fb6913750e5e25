// Training and testing without data.
#include "train/cost/rehearsal.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "autograd/variable.h"
#include "models/scene_parser.h"
#include "tensor/base/check.h"
#include "tensor/base/stopwatch.h"
#include "tensor/dry_run.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/softmax.h"
#include "tensor/parallel.h"
#include "train/config/parts.h"
#include "train/optim/sgd.h"

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

int64_t count_parameters(const layers::Module& model) {
  int64_t count = 0;
  for (const layers::NamedParameter& parameter : model.parameters()) count += parameter.variable.value().numel();
  return count;
}

int64_t count_buffers(const layers::Module& model) {
  int64_t count = 0;
  for (const layers::NamedBuffer& buffer : model.buffers()) count += buffer.tensor.numel();
  return count;
}

}  // namespace

struct TrainingRehearsal::State {
  const Config config;
  std::unique_ptr<models::SceneParser> model;
  Sgd optimizer;
  ops::CrossEntropyOptions loss;
  uint32_t iteration = 0;

  explicit State(const Config& given)
      : config(given),
        model(models::make_parser(model_options(given))),
        optimizer(model->parameter_groups(given.train.new_layer_lr),
                  SgdConfig{.momentum = given.train.momentum, .weight_decay = given.train.weight_decay}) {
    loss.ignore_label = given.train.ignore_label;
    if (given.train.class_weights.kind != ClassWeights::Kind::none) {
      loss.class_weights = Tensor::full({given.data.classes}, 1.0F);
    }
  }
};

TrainingRehearsal::TrainingRehearsal(const Config& config)
    : state_(refusing(config, [&] { return std::make_unique<State>(config); })) {}

TrainingRehearsal::~TrainingRehearsal() = default;

void TrainingRehearsal::step() {
  const TrainConfig& train = state_->config.train;
  const Tensor images = Tensor::activation({train.batch_size, train.train_h, train.train_w, 3});
  parallel_ranges(images.rows(), 4096, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t c = 0; c < 3; ++c)
        images.row(row)[c] = static_cast<float>((3 * row + c) * 2654435761 >> 8 & 0xff) / 128 - 1;
    }
  });
  const Labels labels(train.batch_size, train.train_h, train.train_w);
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
  }
  // All of them, as where all is well: here the numbers may be anything.
  for (const layers::NamedParameter& parameter : state_->model->parameters())
    ops::all_finite(parameter.variable.grad());
  optimizer.step(train.base_lr);
}

void TrainingRehearsal::validate(PictureSize picture) {
  predict_noise(network_of(*state_->model), picture, validation_protocol(state_->config));
}

std::string part_of(const std::string& path) {
  const std::string first = path.substr(0, path.find('.'));
  if (first == "layer0") return "stem";
  return first.empty() ? "other" : first;
}

std::vector<TrainingRehearsal::Part> TrainingRehearsal::parts() const {
  std::vector<Part> parts;
  for (const layers::NamedParameter& parameter : state_->model->parameters()) {
    const std::string name = part_of(parameter.name);
    if (parts.empty() || parts.back().name != name) parts.push_back({name, 0});
    parts.back().parameters += parameter.variable.value().numel();
  }
  return parts;
}

int64_t TrainingRehearsal::parameters() const { return count_parameters(*state_->model); }
int64_t TrainingRehearsal::buffers() const { return count_buffers(*state_->model); }

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

int64_t TestRehearsal::parameters() const { return count_parameters(*state_->model); }
int64_t TestRehearsal::buffers() const { return count_buffers(*state_->model); }

void TestRehearsal::predict(PictureSize picture, const ProtocolOptions& protocol) const {
  predict_noise(state_->network, picture, protocol);
}

Rehearsal rehearse(int threads,
                   const std::function<void(const std::function<void(const std::function<void()>&)>& record)>& body) {
  Rehearsal result;
  const DryRun dry(threads);
  body([&](const std::function<void()>& piece) {
    profile::Recording recording;
    result.serial_s = seconds_of(piece);
    result.events = recording.events();
    // Serial work of kernels belongs to their measured times.
    for (const profile::Event& event : result.events) {
      if (event.kind == profile::Event::Kind::kernel) result.serial_s -= static_cast<double>(event.self_ns()) * 1e-9;
    }
  });
  const ArenaStatistics statistics = arena_statistics();
  result.arena_bytes = statistics.high_water;
  result.in_use_peak = statistics.peak;
  return result;
}

std::vector<profile::Event> rehearse_step(const Config& config, const Shape& x, bool training) {
  return rehearse(/*threads=*/1,
                  [&](const auto& record) {
                    if (training) {
                      TrainingRehearsal rehearsal(config);
                      record([&] { rehearsal.step(); });
                      return;
                    }
                    models::NetworkOptions options = model_options(config);
                    options.aux = false;
                    const auto model = refusing(config, [&] { return models::make_parser(options); });
                    const Tensor pictures = Tensor::activation(x);
                    record([&] { (void)models::FrozenParser(*model).forward(pictures); });
                  })
      .events;
}

Rehearsal rehearse_training(const Config& config, int threads, PictureSize validated) {
  int64_t parameters = 0, buffers = 0;
  Rehearsal result = rehearse(threads, [&](const auto& record) {
    TrainingRehearsal training(config);
    parameters = training.parameters();
    buffers = training.buffers();
    training.step();
    record([&] { training.step(); });
    if (validated.width == 0) return;
    training.validate(validated);
    training.step();
  });
  result.parameters = parameters;
  result.buffers = buffers;
  return result;
}

Rehearsal rehearse_test(const Config& config, int threads, PictureSize picture, const ProtocolOptions& protocol) {
  int64_t parameters = 0, buffers = 0;
  Rehearsal result = rehearse(threads, [&](const auto& record) {
    const TestRehearsal test(config);
    parameters = test.parameters();
    buffers = test.buffers();
    test.predict(picture, protocol);
    record([&] { test.predict(picture, protocol); });
  });
  result.parameters = parameters;
  result.buffers = buffers;
  return result;
}

}  // namespace giza::train
