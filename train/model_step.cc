// One step of a whole network on random pictures.
#include "train/model_step.h"

#include <memory>
#include <utility>

#include "models/scene_parser.h"
#include "models/weights/infer.h"
#include "tensor/base/check.h"
#include "tensor/random.h"
#include "train/config/parts.h"
#include "train/cost/rehearsal.h"
#include "train/optim/sgd.h"

namespace giza::train {
namespace {

Tensor random_pictures(const Shape& shape, uint64_t seed) {
  Tensor x = Tensor::activation(shape);
  Random random(seed, Purpose::test);
  for (int64_t row = 0; row < x.rows(); ++row) {
    for (int64_t c = 0; c < 3; ++c) x.row(row)[c] = random.next_normal();
  }
  return x;
}

Labels random_labels(const ModelStepOptions& options, int64_t classes) {
  Labels labels(options.batch, options.size, options.size);
  Random random(options.seed, Purpose::test, 1);
  for (int32_t& value : labels.values) {
    value = static_cast<int32_t>(random.next_below(static_cast<uint32_t>(classes)));
  }
  return labels;
}

std::shared_ptr<models::SceneParser> make_model(const ModelStepOptions& options) {
  if (!options.weights.empty()) return models::load_parser(options.weights, options.conv);
  models::NetworkOptions model;
  model.backbone = models::ResnetOptions::of_depth(options.depth);
  model.backbone.width = options.width;
  model.backbone.conv = options.conv;
  model.classes = options.classes;
  model.seed = options.seed;
  return models::make_parser(model);
}

std::function<void()> inference_step(std::shared_ptr<models::SceneParser> model, const Tensor& x) {
  const auto frozen = std::make_shared<models::FrozenParser>(*model);
  return [model = std::move(model), frozen, x] { frozen->forward(x).upsampled_logits(); };
}

}  // namespace

std::function<void()> make_model_step(const ModelStepOptions& options) {
  const std::shared_ptr<models::SceneParser> model = make_model(options);
  const autograd::Variable x(random_pictures({options.batch, options.size, options.size, 3}, options.seed));
  if (!options.training) return inference_step(model, x.value());
  const auto labels = std::make_shared<Labels>(random_labels(options, model->classes()));
  const auto optimizer = std::make_shared<Sgd>(model->parameter_groups(/*new_layer_factor=*/10), SgdConfig{});
  const auto iteration = std::make_shared<uint32_t>(0);
  return [model, x, labels, optimizer, iteration, recompute = options.recompute] {
    optimizer->zero_grad();
    const auto out =
        model->forward(x, {.training = true, .seed = 0, .iteration = (*iteration)++, .recompute = recompute});
    autograd::backward(model->loss(out, *labels).total);
    optimizer->step(0.01);
  };
}

std::function<void()> make_model_step(const Config& config, bool training) {
  if (training) {
    const auto rehearsal = std::make_shared<TrainingRehearsal>(config);
    return [rehearsal] { rehearsal->step(); };
  }
  models::NetworkOptions options = model_options(config);
  options.aux = false;  // used in training only
  std::shared_ptr<models::SceneParser> model = refusing(config, [&] { return models::make_parser(options); });
  return inference_step(std::move(model),
                        random_pictures({1, config.test.test_h, config.test.test_w, 3}, options.seed));
}

}  // namespace giza::train
