// The networks in Caffe's files: names, order and meaning of blobs, and logits by the authors' graph in PyTorch.
#include "models/weights/caffe/pspnet.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/pspnet.h"
#include "models/weights/infer.h"
#include "models/weights/naming.h"
#include "tensor/base/check.h"
#include "tests/models/weights/caffe/caffe_testing.h"
#include "tests/support/refusal.h"

namespace giza::models {
namespace {

/// The whole network of layers, and its logits for the golden's input.
struct Loaded {
  std::unique_ptr<SceneParser> model;
  std::vector<std::string> notes;
};
Loaded load(const std::vector<CaffeLayer>& layers) {
  const TempFolder folder;
  const std::string path = folder.file("w.caffemodel");
  write_bytes(path, encode(layers));
  FileNotes told;
  Loaded loaded{load_parser(path, {.algorithm = ConvAlgorithm::direct}, &told), {}};
  loaded.notes = told.notes;
  CHECK(told.metadata.at(kNormalizationKey).find("123.68,116.779,103.939") != std::string::npos);
  return loaded;
}

Tensor golden_input(int64_t n, int64_t h, int64_t w) {
  Tensor x = Tensor::activation({n, h, w, 3});
  const uint32_t key = crc32("input");
  for (int64_t i = 0; i < n * h * w; ++i) {
    for (int64_t c = 0; c < 3; ++c) {
      const int64_t position = (i / (h * w) * 3 + c) * h * w + i % (h * w);
      x.row(i)[c] = static_cast<float>(mixed(key, static_cast<uint64_t>(position)) * 4);
    }
  }
  return x;
}

std::vector<double> every_7th_logit(const SceneParser& model, const Tensor& x) {
  const Tensor logits = FrozenParser(model).forward(x).upsampled_logits().value();
  const int64_t pixels = x.dim(1) * x.dim(2), classes = model.classes();
  std::vector<double> picked;
  for (int64_t at = 0; at < logits.numel(); at += 7) {
    const int64_t item = at / (classes * pixels), k = at / pixels % classes, pixel = at % pixels;
    picked.push_back(static_cast<double>(logits.row(item * pixels + pixel)[k]));
  }
  return picked;
}

double relative_l2(const std::vector<double>& ours, const std::vector<double>& theirs) {
  REQUIRE(ours.size() == theirs.size());
  double error = 0, norm = 0;
  for (size_t i = 0; i < ours.size(); ++i) {
    error += (ours[i] - theirs[i]) * (ours[i] - theirs[i]);
    norm += theirs[i] * theirs[i];
  }
  return std::sqrt(error / norm);
}

nlohmann::json golden() {
  std::ifstream stream(GIZA_SOURCE_DIR "/tests/golden/caffe_pspnet.json");
  return nlohmann::json::parse(stream);
}

TEST_CASE("caffe: a PSPNet's logits are those of the authors' graph") {
  const nlohmann::json expected = golden();
  const Loaded loaded = load(CaffePspnetLayers({}).layers);
  const NetworkOptions options = loaded.model->description();
  CHECK(options.arch == "psp");
  CHECK(options.backbone.blocks == std::array<int64_t, 4>{2, 1, 2, 1});
  CHECK(options.backbone.stride_in == StrideIn::conv1x1);
  CHECK(options.backbone.first_block == FirstBlockDilation::full);
  CHECK(options.align_corners);
  CHECK(options.classes == 5);
  CHECK(contains(loaded.notes.back(), "a network of Caffe"));
  const Tensor x = golden_input(expected["options"]["batch"], 41, 41);
  CHECK(relative_l2(every_7th_logit(*loaded.model, x), expected["logits_every_7th"].get<std::vector<double>>()) <=
        1e-5);
}

/// The same network with BatchNorm and Scale layers in place of BN, sums over `factor`, and biases before the norm.
std::vector<CaffeLayer> with_scale_layers(const std::vector<CaffeLayer>& layers, float factor, const char* scale_name) {
  std::vector<CaffeLayer> changed;
  for (CaffeLayer layer : layers) {
    if (layer.type != "BN") {
      changed.push_back(layer);
      continue;
    }
    const std::string conv = layer.name.substr(0, layer.name.size() - 3);
    const auto channels = static_cast<int64_t>(layer.blobs[0].numbers.size());
    CaffeBlob bias{{channels}, std::vector<float>(static_cast<size_t>(channels), 0.25F)};
    changed.back().blobs.push_back(bias);
    CaffeBlob mean = layer.blobs[2], variance = layer.blobs[3];
    for (float& value : mean.numbers) value = (value + 0.25F) * factor;
    for (float& value : variance.numbers) value *= factor;
    changed.push_back({layer.name, "BatchNorm", {mean, variance, {{1}, {factor}}}});
    changed.push_back({conv + scale_name, "Scale", {layer.blobs[0], layer.blobs[1]}});
  }
  return changed;
}

TEST_CASE("caffe: BatchNorm beside Scale, and a bias before them, are the same network") {
  const nlohmann::json expected = golden();
  const std::vector<double> logits = expected["logits_every_7th"];
  const Tensor x = golden_input(2, 41, 41);
  for (const char* name : {"/bn/scale", "/scale", "/bn_scale"}) {
    const Loaded loaded = load(with_scale_layers(CaffePspnetLayers({}).layers, 2.5F, name));
    CHECK(relative_l2(every_7th_logit(*loaded.model, x), logits) <= 1e-5);
  }
}

TEST_CASE("caffe: blobs by their meaning: channels of the picture, order of the pyramid, batch norms") {
  const std::vector<CaffeLayer> layers = CaffePspnetLayers({}).layers;
  const auto blob = [&](const std::string& layer, size_t index) {
    const auto found = std::find_if(layers.begin(), layers.end(), [&](const CaffeLayer& l) { return l.name == layer; });
    REQUIRE(found != layers.end());
    return found->blobs[index].numbers;
  };
  const WeightFile file = to_semseg_names(read_caffe(encode(layers)), "f");
  CHECK(original_naming(file) == Naming::caffe);
  const auto numbers = [&](const std::string& name) {
    REQUIRE(file.find(name) != nullptr);
    return file.find(name)->data;
  };
  const std::vector<float> stem = numbers("layer0.0.weight"), bgr = blob("conv1_1_3x3_s2", 0);
  for (size_t i = 0; i < stem.size(); ++i) {
    const size_t channel = i / 9 % 3;
    CHECK(stem[i] == bgr[i - 9 * channel + 9 * (2 - channel)]);
  }
  CHECK(numbers("layer0.7.weight") == blob("conv1_3_3x3/bn", 0));
  CHECK(numbers("layer2.0.bn1.bias") == blob("conv3_1_1x1_reduce/bn", 1));
  CHECK(numbers("layer1.1.bn2.running_mean") == blob("conv2_2_3x3/bn", 2));
  CHECK(numbers("layer1.0.downsample.1.running_var") == blob("conv2_1_1x1_proj/bn", 3));
  CHECK(file.find("layer1.0.bn3.weight")->shape == std::vector<int64_t>{32});
  CHECK(file.find("layer1.0.bn3.num_batches_tracked") != nullptr);
  const char* pools[] = {"conv5_1_pool1_conv", "conv5_1_pool2_conv", "conv5_1_pool3_conv", "conv5_1_pool6_conv"};
  for (int i = 0; i < 4; ++i) {
    CHECK(numbers(fmt::format("ppm.features.{}.1.weight", i)) == blob(pools[i], 0));
    CHECK(numbers(fmt::format("ppm.features.{}.2.running_mean", i)) == blob(std::string(pools[i]) + "/bn", 2));
  }
  // 256 features, then maps of 64 channels: bins 6, 3, 2, 1 in Caffe.
  const std::vector<float> ours = numbers("cls.0.weight"), theirs = blob("conv5_4", 0);
  const size_t from[] = {3, 2, 1, 0};
  for (size_t i = 0; i < ours.size(); ++i) {
    const size_t channel = i / 9 % 512, map = (channel - 256) / 64;
    const size_t place = channel < 256 ? i : i - 9 * 64 * map + 9 * 64 * from[map];
    CHECK(ours[i] == theirs[place]);
  }
  CHECK(numbers("cls.4.bias") == blob("conv6", 1));
  CHECK(numbers("aux.0.weight") == blob("conv4_3", 0));
  CHECK(numbers("aux.4.weight") == blob("conv6_1", 0));
}

TEST_CASE("caffe: He et al.'s names: blocks by letters, or by b1, b2, ...; the classifier is left out") {
  const auto conv_bn = [](std::vector<CaffeLayer>& layers, const std::string& conv, const std::string& rest, int64_t in,
                          int64_t out, int64_t kernel) {
    const auto vector = [&](float value) {
      return CaffeBlob{{out}, std::vector<float>(static_cast<size_t>(out), value)};
    };
    layers.push_back(
        {conv,
         "Convolution",
         {{{out, in, kernel, kernel}, std::vector<float>(static_cast<size_t>(out * in * kernel * kernel), 0.5F)}}});
    layers.push_back({"bn" + rest, "BatchNorm", {vector(2), vector(6), {{1}, {2}}}});
    layers.push_back({"scale" + rest, "Scale", {vector(3), vector(4)}});
  };
  std::vector<CaffeLayer> layers;
  conv_bn(layers, "conv1", "_conv1", 3, 8, 7);
  layers[0].blobs.push_back({{8}, std::vector<float>(8, 0.5F)});
  int64_t channels = 8;
  for (int stage = 2; stage <= 5; ++stage) {
    const std::vector<const char*> blocks = stage == 3 ? std::vector{"a", "b", "c"} : std::vector{"a", "b1", "b2"};
    const int64_t planes = int64_t{8} << (stage - 2);
    for (const char* block : blocks) {
      const std::string name = fmt::format("{}{}_branch", stage, block);
      if (*block == 'a') conv_bn(layers, "res" + name + "1", name + "1", channels, 4 * planes, 1);
      conv_bn(layers, "res" + name + "2a", name + "2a", channels, planes, 1);
      conv_bn(layers, "res" + name + "2b", name + "2b", planes, planes, 3);
      conv_bn(layers, "res" + name + "2c", name + "2c", planes, 4 * planes, 1);
      channels = 4 * planes;
    }
  }
  layers.push_back({"fc1000",
                    "InnerProduct",
                    {{{2, channels}, std::vector<float>(static_cast<size_t>(2 * channels))}, {{2}, {1, 2}}}});
  const WeightFile file = to_semseg_names(read_caffe(encode(layers)), "f");
  CHECK_NOTHROW(check_backbone(file, "f"));
  CHECK(file.find("fc.weight") == nullptr);
  CHECK(contains(file.notes.back(), "a classifier of whole pictures: fc.weight, fc.bias"));
  for (const char* name :
       {"layer0.0.weight", "layer1.2.conv3.weight", "layer2.2.bn2.weight", "layer4.0.downsample.1.bias"}) {
    CAPTURE(name);
    CHECK(file.find(name) != nullptr);
  }
  CHECK(file.find("layer0.1.running_mean")->data[0] == 0.5F);  // 2 / 2 - 0.5
  CHECK(file.find("layer1.0.bn1.running_mean")->data[0] == 1);
  CHECK(file.find("layer1.0.bn1.running_var")->data[0] == 3);
  CHECK(file.find("layer1.0.bn1.weight")->data[0] == 3);
  CHECK(file.find("layer1.0.bn1.bias")->data[0] == 4);
}

TEST_CASE("caffe: what does not fit is refused by layer or by semseg's name") {
  const auto refusal = [](const auto& change) {
    std::vector<CaffeLayer> layers = CaffePspnetLayers({}).layers;
    change(layers);
    const TempFolder folder;
    const std::string path = folder.file("w.caffemodel");
    write_bytes(path, encode(layers));
    const std::string text = message_of<Refusal>([&] { load_parser(path); });
    CHECK(text.starts_with(path + ": "));
    CHECK(text.find('\n') == std::string::npos);
    return text;
  };
  const auto find = [](std::vector<CaffeLayer>& layers, const std::string& name) {
    return std::find_if(layers.begin(), layers.end(), [&](const CaffeLayer& layer) { return layer.name == name; });
  };
  using Layers = std::vector<CaffeLayer>;
  CHECK(contains(refusal([&](Layers& l) { l.erase(find(l, "conv3_1_3x3")); }), "1 missing: layer2.0.conv2.weight"));
  CHECK(contains(refusal([&](Layers& l) { l.erase(find(l, "conv5_1_pool3_conv")); }), "3 of the bins 1, 2, 3 and 6"));
  CHECK(contains(refusal([&](Layers& l) { find(l, "conv3_1_3x3/bn")->blobs.pop_back(); }),
                 "layer conv3_1_3x3/bn: has 3 blobs, expected slope, bias, mean and variance"));
  CHECK(contains(refusal([&](Layers& l) {
                   find(l, "conv3_1_3x3")->blobs.resize(3, {{1}, {1}});
                 }),
                 "layer conv3_1_3x3: has 3 blobs, expected a weight"));
  CHECK(contains(refusal([&](Layers& l) { l.push_back(l.front()); }), "two tensors are named layer0.0.weight"));
  CHECK(contains(refusal([&](Layers& l) {
                   l.push_back({"conv9", "Convolution", {{{1}, {1}}}});
                 }),
                 "1 extra: conv9.blobs.0"));
  CHECK(contains(refusal([&](Layers& l) {
                   find(l, "conv5_4")->blobs[0] = {{16, 3, 1, 1}, std::vector<float>(48)};
                 }),
                 "misshaped"));
  CHECK(contains(refusal([&](Layers& l) { find(l, "conv5_1_pool1_conv")->blobs[0] = {{}, {1}}; }), "misshaped"));
  CHECK(contains(refusal([&](Layers& l) { find(l, "conv2_1_3x3/bn")->blobs[3].numbers[5] = -1; }),
                 "layer1.0.bn2.running_var[5] is -1"));
  CHECK(contains(refusal([&](Layers& l) {
                   l = with_scale_layers(l, 1, "/scale");
                   l.erase(find(l, "conv2_1_3x3/scale"));
                 }),
                 "layer conv2_1_3x3/bn: its Scale layer is missing"));
  CHECK(contains(refusal([](Layers& l) {
                   for (CaffeLayer& layer : l) layer.name = "vgg" + layer.name;
                 }),
                 "has a name of a PSPNet or ResNet"));
  CHECK(contains(message_of<Refusal>([] {
                   from_semseg_names(to_semseg_names(read_caffe(encode(CaffePspnetLayers({}).layers)), "f"),
                                     Naming::caffe, "f");
                 }),
                 "Caffe's names are read only"));
}

}  // namespace
}  // namespace giza::models
