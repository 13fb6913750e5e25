// Trains a small PSPNet on synthetic scenes and saves its weights: train WEIGHTS.safetensors [ITERATIONS]
#include <cstdio>
#include <cstdlib>

#include "models/pspnet.h"
#include "models/weights/infer.h"
#include "models/weights/state_dict.h"
#include "train/data/scenes/scenes.h"
#include "train/data/transforms.h"
#include "train/optim/poly_lr.h"
#include "train/optim/sgd.h"

namespace autograd = giza::autograd;
namespace models = giza::models;
namespace train = giza::train;
using giza::Labels;
using giza::Tensor;

constexpr int kWidth = 96, kHeight = 48, kBatch = 8;

/// What one step learns from: pictures [N,H,W,3], normalised as every network here expects it, and a class per pixel.
struct Batch {
  Tensor pictures = Tensor::activation({kBatch, kHeight, kWidth, 3});
  Labels labels{kBatch, kHeight, kWidth};
};

Batch make_batch(uint32_t split, uint32_t first) {
  Batch batch;
  for (int n = 0; n < kBatch; ++n) {
    const train::Scene scene = train::make_scene({.width = kWidth, .height = kHeight}, split, first + n);
    train::FloatImage image = train::to_float(scene.image);
    train::normalize(image, train::kImageNetMean, train::kImageNetStd);
    batch.pictures.batch_slice(n, n + 1).copy_from(Tensor::from({1, kHeight, kWidth, 3}, image.rgb));
    for (int y = 0; y < kHeight; ++y) {
      for (int x = 0; x < kWidth; ++x) batch.labels.at(n, y, x) = scene.labels.at(x, y);
    }
  }
  return batch;
}

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s WEIGHTS.safetensors [ITERATIONS]\n", argv[0]);
    return 2;
  }
  const int iterations = argc > 2 ? std::atoi(argv[2]) : 100;

  models::PspnetOptions options;
  options.backbone = models::ResnetOptions::of_depth(18);
  options.backbone.width = 0.25;  // a quarter of the usual channels
  options.classes = train::kSceneClasses;
  const models::Pspnet net(options);
  train::Sgd sgd(net.parameter_groups(/*new_layer_factor=*/1), {.momentum = 0.9, .weight_decay = 1e-4});

  for (int i = 0; i < iterations; ++i) {
    const Batch batch = make_batch(/*split=*/0, static_cast<uint32_t>(i * kBatch));
    sgd.zero_grad();
    const auto output =
        net.forward(autograd::Variable(batch.pictures), {.training = true, .iteration = static_cast<uint32_t>(i)});
    const models::ParserLoss loss = net.loss(output, batch.labels);
    autograd::backward(loss.total);
    sgd.step(train::poly_lr(0.05, i, iterations, 0.9));
    if (i % 10 == 0 || i + 1 == iterations) std::printf("iteration %d: loss %.3f\n", i, loss.main);
  }

  // Scenes that it has not seen, in evaluation mode: running statistics, no dropout, and no graph.
  const autograd::NoGrad no_grad;
  const Batch batch = make_batch(/*split=*/1, 0);
  const models::ParserLoss test = net.loss(net.forward(autograd::Variable(batch.pictures), {}), batch.labels);
  std::printf("new scenes: %.1f %% of the pixels are right\n",
              100.0 * static_cast<double>(test.right) / static_cast<double>(test.valid));

  models::WeightFile file = models::state_dict(net);
  file.metadata[models::kModelKey] = models::options_to_json(net.description());  // so that predict knows which network it is
  models::write_safetensors(argv[1], file);
}
