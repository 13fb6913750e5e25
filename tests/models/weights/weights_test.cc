// state_dict, its strict loading, and finding a file's network.
#include <algorithm>

#include "models/pspnet.h"
#include "models/weights/infer.h"
#include "models/weights/naming.h"
#include "models/weights/shapes.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::models {
namespace {

PspnetOptions tiny_options() {
  PspnetOptions options;
  options.backbone.blocks = {1, 2, 1, 1};
  options.backbone.block = BlockKind::basic;
  options.backbone.width = 0.125;
  options.classes = 5;
  options.seed = 1;
  return options;
}

/// All numbers of a model, by name.
std::vector<std::vector<float>> numbers(const Pspnet& model) {
  std::vector<std::vector<float>> all;
  for (const auto& parameter : model.parameters()) all.push_back(parameter.variable.value().to_vector());
  for (const auto& buffer : model.buffers()) all.push_back(buffer.tensor.to_vector());
  return all;
}

WeightTensor* find(WeightFile& file, const std::string& name) { return const_cast<WeightTensor*>(file.find(name)); }

void rename(WeightFile& file, const std::string& from, const std::string& to) { find(file, from)->name = to; }

TEST_CASE("state_dict: PSPNet50 has PyTorch's 370 names, in PyTorch's order and layout") {
  PspnetOptions options;
  options.backbone = ResnetOptions::of_depth(50);
  const Pspnet model(options);
  const WeightFile file = state_dict(model, 7);
  REQUIRE(file.tensors.size() == 370);
  const auto name = [&](size_t i) { return file.tensors[i].name; };
  CHECK(name(0) == "layer0.0.weight");
  CHECK(name(1) == "layer0.1.weight");
  CHECK(name(2) == "layer0.1.bias");
  CHECK(name(3) == "layer0.1.running_mean");
  CHECK(name(4) == "layer0.1.running_var");
  CHECK(name(5) == "layer0.1.num_batches_tracked");
  CHECK(name(6) == "layer0.3.weight");
  CHECK(name(369) == "aux.4.bias");
  CHECK(file.tensors[5].dtype == DType::i64);
  CHECK(file.tensors[5].shape.empty());
  CHECK(file.tensors[5].integers == std::vector<int64_t>{7});
  CHECK(file.find("layer0.0.weight")->shape == std::vector<int64_t>{64, 3, 3, 3});
  CHECK(file.find("layer1.0.downsample.0.weight")->shape == std::vector<int64_t>{256, 128, 1, 1});
  CHECK(file.find("layer4.0.conv2.weight")->shape == std::vector<int64_t>{512, 512, 3, 3});
  CHECK(file.find("ppm.features.3.1.weight")->shape == std::vector<int64_t>{512, 2048, 1, 1});
  CHECK(file.find("ppm.features.3.2.running_var")->shape == std::vector<int64_t>{512});
  CHECK(file.find("cls.0.weight")->shape == std::vector<int64_t>{512, 4096, 3, 3});
  CHECK(file.find("cls.4.weight")->shape == std::vector<int64_t>{150, 512, 1, 1});
  // The authors' model has 49.2 million with the auxiliary head.
  int64_t count = 0;
  for (const auto& parameter : model.parameters()) count += parameter.variable.value().numel();
  CHECK(count == 49'180'908);
}

TEST_CASE("state_dict: weights turn from [K,R,S,C] to [K,C,R,S] and back") {
  Tensor tensor = Tensor::empty({2, 3, 2, 4});
  for (int64_t i = 0; i < tensor.numel(); ++i) tensor.data()[i] = static_cast<float>(i);
  const std::vector<float> data = to_pytorch_layout(tensor);
  for (int64_t k = 0; k < 2; ++k) {
    for (int64_t c = 0; c < 4; ++c) {
      for (int64_t r = 0; r < 3; ++r) {
        for (int64_t s = 0; s < 2; ++s) {
          CHECK(data[static_cast<size_t>(((k * 4 + c) * 3 + r) * 2 + s)] ==
                static_cast<float>(((k * 3 + r) * 2 + s) * 4 + c));
        }
      }
    }
  }
  const Tensor back = Tensor::zeros({2, 3, 2, 4});
  from_pytorch_layout(data, back);
  CHECK(back.to_vector() == tensor.to_vector());
  CHECK_THROWS_AS(from_pytorch_layout({1, 2, 3}, back), ShapeError);
}

TEST_CASE("load_state_dict: another model gets the same numbers; missing num_batches_tracked are fine") {
  PspnetOptions options = tiny_options();
  const Pspnet from(options);
  options.seed = 2;
  const Pspnet to(options), to_too(options);
  REQUIRE(numbers(from) != numbers(to));
  WeightFile file = state_dict(from);
  CHECK(load_state_dict(to, file, "f").empty());
  CHECK(numbers(to) == numbers(from));

  std::erase_if(file.tensors, [](const auto& t) { return t.name.ends_with("num_batches_tracked"); });
  std::reverse(file.tensors.begin(), file.tensors.end());
  load_state_dict(to_too, file, "f");
  CHECK(numbers(to_too) == numbers(from));
}

TEST_CASE("load_state_dict: every fault at once, and nothing changed") {
  const Pspnet model(tiny_options());
  const auto before = numbers(model);
  WeightFile file = state_dict(model);
  for (WeightTensor& tensor : file.tensors) {
    for (float& value : tensor.data) value += 1;
  }
  rename(file, "cls.4.bias", "cls.4.bais");
  rename(file, "layer1.0.bn1.running_var", "stranger");
  find(file, "layer0.0.weight")->shape = {8, 3, 1, 9};
  find(file, "layer2.0.bn1.weight")->shape = {16, 1};
  const std::string text = message_of<Refusal>([&] { load_state_dict(model, file, "file.safetensors"); });
  CHECK(text.starts_with("file.safetensors: "));
  CHECK(contains(text, "2 missing: layer1.0.bn1.running_var, cls.4.bias"));
  CHECK(contains(text, "2 extra: cls.4.bais, stranger"));
  CHECK(contains(text, "2 misshaped: layer0.0.weight [8,3,1,9] instead of [8,3,3,3], layer2.0.bn1.weight"));
  CHECK(numbers(model) == before);
  CHECK_THROWS_AS(load_state_dict(model, {}, "file"), Refusal);
  file.tensors.push_back(file.tensors.front());
  CHECK(contains(message_of<Refusal>([&] { load_state_dict(model, file, "file"); }), "two tensors"));
  // Integers of the right shape are no weights either.
  WeightFile integers = state_dict(model);
  WeightTensor& bias = *find(integers, "cls.4.bias");
  bias.dtype = DType::i64;
  bias.integers.assign(bias.data.size(), 1);
  bias.data.clear();
  CHECK(
      contains(message_of<Refusal>([&] { load_state_dict(model, integers, "file"); }), "1 not of floats: cls.4.bias"));
}

TEST_CASE("load_state_dict: the auxiliary head may be in one of the two only, unless asked otherwise") {
  PspnetOptions options = tiny_options();
  const Pspnet with(options);
  options.aux = false;
  const Pspnet without(options);
  CHECK(load_state_dict(with, state_dict(without), "f").size() == 7);
  CHECK(load_state_dict(without, state_dict(with), "f").empty());
  CHECK_THROWS_AS(load_state_dict(with, state_dict(without), "f", {.aux_optional = false}), Refusal);
  CHECK_THROWS_AS(load_state_dict(without, state_dict(with), "f", {.aux_optional = false}), Refusal);
}

TEST_CASE("load_state_dict: a backbone for a net with other classes; the authors' ImageNet file") {
  PspnetOptions options = tiny_options();
  const Pspnet from(options);
  options.classes = 9;
  options.seed = 2;
  const Pspnet to(options);
  WeightFile file = state_dict(from);
  CHECK_THROWS_AS(load_state_dict(to, file, "f"), Refusal);
  const std::vector<std::string> kept = load_state_dict(to, file, "f", {.backbone_only = true});
  CHECK(kept == std::vector<std::string>{"cls.4.weight", "cls.4.bias", "aux.4.weight", "aux.4.bias"});

  WeightFile imagenet = from_semseg_names(file, Naming::imagenet, "f");
  CHECK(imagenet.find("conv3.weight") != nullptr);
  imagenet.tensors.push_back({"fc.weight", {1, 1}, DType::f32, {0}, {}});
  options.seed = 3;
  const Pspnet other(options);
  CHECK(load_state_dict(other, to_semseg_names(imagenet, "f"), "f", {.backbone_only = true}).size() == 4 * 5 + 14);
  const auto equal = [&](const Pspnet& a, const Pspnet& b, const std::string& name) {
    return state_dict(a).find(name)->data == state_dict(b).find(name)->data;
  };
  CHECK(equal(other, from, "layer0.6.weight"));
  CHECK(equal(other, from, "layer4.0.conv2.weight"));
  CHECK(!equal(other, from, "cls.0.weight"));
}

void check_same(const PspnetOptions& a, const PspnetOptions& b) {
  CHECK(options_to_json(a.network()) == options_to_json(b.network()));
}

TEST_CASE("options_from_weights: the description in the file") {
  PspnetOptions options = tiny_options();
  options.backbone.first_block = FirstBlockDilation::half;
  options.backbone.output_stride = 16;
  options.bins = {2, 5};
  options.pool = PyramidPool::max;
  options.dropout = 0.25F;
  WeightFile file = state_dict(Pspnet(options));
  file.metadata[kModelKey] = options_to_json(options.network());
  check_same(PspnetOptions(options_from_weights(file, "f")), options);

  for (const char* text : {"", "{", "[]", "1", R"({"blocks":[1,1,1,1]})"}) {
    CHECK_THROWS_AS(options_from_json(text, "f"), Refusal);
  }
  std::string json = options_to_json(options.network());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = json;
    REQUIRE(contains(changed, from));
    changed.replace(changed.find(from), from.size(), to);
    return changed;
  };
  CHECK_THROWS_AS(options_from_json(with("\"max\"", "\"median\""), "f"), Refusal);
  CHECK_THROWS_AS(options_from_json(with("\"classes\":5", "\"classes\":-5"), "f"), Refusal);
  CHECK_THROWS_AS(options_from_json(with("\"classes\":5", "\"classes\":5.5"), "f"), Refusal);
  CHECK_THROWS_AS(options_from_json(with("\"classes\":5", "\"classes\":5e55"), "f"), Refusal);
  CHECK_THROWS_AS(options_from_json(with("\"classes\":5", "\"classes\":5,\"groups\":2"), "f"), Refusal);
  CHECK_THROWS_AS(options_from_json(with("[2,5]", "[2,0]"), "f"), Refusal);
  CHECK_THROWS_AS(options_from_json(with("\"width\":0.125", "\"width\":1e9"), "f"), Refusal);
  // A few bytes must not make us build terabytes.
  file.metadata[kModelKey] = with("\"width\":0.125", "\"width\":16");
  CHECK(contains(message_of<Refusal>([&] { options_from_weights(file, "f"); }), "cut off"));
}

TEST_CASE("options_from_json: the description in files from before there were architectures") {
  const std::string old =
      R"({"aux":false,"aux_channels":0,"bins":[1,2],"block":"basic","blocks":[1,1,2,1],"bn_momentum":0.1,"classes":7,)"
      R"("dropout":0.10000000149011612,"first_block":"full","head_channels":16,"output_stride":4,"pool":"max","pyramid":PYRAMID,)"
      R"("reduce":false,"stem":"deep","width":0.25})";
  const auto read = [&](const std::string& pyramid) {
    return options_from_json(std::string(old).replace(old.find("PYRAMID"), 7, pyramid), "f");
  };
  const PspnetOptions options(read("true"));
  CHECK(options.pyramid);
  CHECK(options.bins == std::vector<int64_t>{1, 2});
  CHECK(options.pool == PyramidPool::max);
  CHECK_FALSE(options.reduce);
  CHECK(options.classes == 7);
  CHECK(read("false").arch == "baseline");
  CHECK_THROWS_AS(read("3"), Refusal);
  CHECK(contains(message_of<Refusal>([&] { options_from_json(R"({"arch":"no such"})", "f"); }), "unknown"));
}

TEST_CASE("options_from_weights: told by names and shapes") {
  PspnetOptions options = tiny_options();
  options.head_channels = 16;
  options.aux_channels = 8;
  const auto inferred = [](const PspnetOptions& o) {
    return PspnetOptions(options_from_weights(state_dict(Pspnet(o)), "f"));
  };
  check_same(inferred(options), options);
  options.aux = false;
  options.aux_channels = 0;
  check_same(inferred(options), options);
  options.reduce = false;
  check_same(inferred(options), options);
  // One bin without reduction looks like the paper's pyramid whose tensors are missing, and is taken for that.
  options.bins = {1};
  CHECK(inferred(options).reduce);
  options.reduce = true;
  check_same(inferred(options), options);
  options.bins = {1, 2, 3};
  CHECK(contains(message_of<Refusal>([&] { inferred(options); }), "3 bins"));
  options.bins = {1, 2, 3, 6};
  options.pyramid = false;
  options.reduce = false;
  check_same(inferred(options), options);
  options.backbone.stem = Stem::plain;
  options.backbone.block = BlockKind::bottleneck;
  options.backbone.width = 0.25;
  check_same(inferred(options), options);

  WeightFile file;
  file.tensors.push_back({"layer0.0.weight", {1}, DType::f32, {0}, {}});
  CHECK(contains(message_of<Refusal>([&] { options_from_weights(file, "f"); }), "expected the weights of a PSPNet"));
}

TEST_CASE("options_from_weights: a deep stem's channels, whatever the roundings up") {
  for (const double width : {0.07, 0.125, 0.25, 0.3, 0.5, 1.0}) {
    for (const int64_t stem : {16, 32, 40, 64, 100, 128}) {
      CAPTURE(width);
      CAPTURE(stem);
      PspnetOptions options = tiny_options();
      options.aux = false;
      options.backbone.width = width;
      options.backbone.stem_channels = stem;
      const WeightFile file = state_dict(Pspnet(options));
      CHECK_NOTHROW(load_state_dict(*make_parser(options_from_weights(file, "f")), file, "f"));
    }
  }
}

TEST_CASE("options_from_weights: trunks that giza has not are named") {
  PspnetOptions options = tiny_options();
  options.backbone.block = BlockKind::bottleneck;
  options.aux = false;
  const WeightFile file = state_dict(Pspnet(options));
  const auto changed = [&](const char* ending, size_t axis, double factor) {
    WeightFile other = file;
    for (WeightTensor& tensor : other.tensors) {
      if (tensor.name.starts_with("layer") && tensor.name.find(ending) != std::string::npos &&
          axis < tensor.shape.size())
        tensor.shape[axis] = static_cast<int64_t>(static_cast<double>(tensor.shape[axis]) * factor);
    }
    return other;
  };
  const WeightFile grouped = changed(".conv2.weight", 1, 0.25);
  CHECK(contains(message_of<Refusal>([&] { options_from_weights(grouped, "f"); }), "f: a ResNeXt"));
  CHECK(contains(message_of<Refusal>([&] { load_state_dict(Pspnet(options), grouped, "f"); }),
                 "the file's trunk is a ResNeXt"));
  WeightFile wide = file;
  for (WeightTensor& tensor : wide.tensors) {
    for (const char* part : {".conv1.", ".bn1.", ".conv2.", ".bn2."}) {
      if (!tensor.name.starts_with("layer4.") || tensor.shape.empty() || tensor.name.find(part) == std::string::npos)
        continue;
      tensor.shape[0] *= 2;
      if (std::string_view(part) == ".conv2.") tensor.shape[1] *= 2;
    }
  }
  CHECK(contains(message_of<Refusal>([&] { options_from_weights(wide, "f"); }), "f: a wide ResNet"));
}

TEST_CASE("options_from_weights: FCN's learned enlargements tell the trunk's stride, and a CascadeNet too little") {
  for (const int64_t stride : {16, 32}) {
    NetworkOptions options = tiny_options().network();
    options.arch = "fcn8s";
    options.settings = {{"upsample", "learned"}};
    options.backbone.output_stride = stride;
    const WeightFile file = state_dict(*make_parser(options));
    CHECK(options_from_weights(file, "f").backbone.output_stride == stride);
    CHECK_NOTHROW(load_state_dict(*make_parser(options), file, "f"));
  }
  NetworkOptions options = tiny_options().network();
  options.arch = "cascade";
  options.settings = {{"object_classes", std::vector<int>{1, 2}}};
  const WeightFile file = state_dict(*make_parser(options));
  CHECK(contains(message_of<Refusal>([&] { options_from_weights(file, "f"); }), "is a CascadeNet"));
}

TEST_CASE("options_from_weights: the width of layers that are not there follows from those that are") {
  const PspnetOptions options = tiny_options();
  WeightFile file = state_dict(Pspnet(options));
  file.metadata.clear();
  for (const char* layer : {"layer4.", "layer3."}) {
    CAPTURE(layer);
    std::erase_if(file.tensors, [&](const WeightTensor& tensor) { return tensor.name.starts_with(layer); });
    CHECK(options_from_weights(file, "f").backbone.width == doctest::Approx(options.backbone.width));
  }
}

TEST_CASE("options_from_weights: most of a layer's tensors decide on its channels") {
  WeightFile file;
  file.tensors = {{"a.weight", {8, 3, 1, 1}, DType::f32, std::vector<float>(24), {}},
                  {"a.bias", {8}, DType::f32, std::vector<float>(8), {}},
                  {"b.weight", {5}, DType::f32, std::vector<float>(5), {}}};
  CHECK(TensorShapes(file).channels({"a", "b"}) == 8);
  CHECK(TensorShapes(file).channels({"b"}) == 5);
  CHECK(TensorShapes(file).channels({"c"}) == 0);
}

TEST_CASE("options_from_weights: a file with faults is taken for the network that it nearly is") {
  PspnetOptions options = tiny_options();
  options.bins = {1, 2, 3, 6};
  options.pool = PyramidPool::average;
  options.reduce = true;
  const Pspnet model(options);
  const WeightFile whole = state_dict(model);
  // The options that the faulty file tells build a network whose names tell the faults, and only these.
  const auto faults = [&](const std::function<void(WeightFile&)>& damage) {
    WeightFile file = whole;
    file.metadata.clear();
    damage(file);
    return message_of<Refusal>([&] { load_state_dict(*make_parser(options_from_weights(file, "f")), file, "f"); });
  };
  const auto tensor = [](WeightFile& file, const std::string& name) {
    return std::find_if(file.tensors.begin(), file.tensors.end(), [&](const auto& t) { return t.name == name; });
  };
  const auto erase = [&](const std::string& prefix) {
    return [=](WeightFile& file) {
      std::erase_if(file.tensors, [&](const auto& t) { return t.name.starts_with(prefix); });
    };
  };
  CHECK(contains(faults(erase("cls.4.weight")), "(1 missing: cls.4.weight)"));
  CHECK(contains(faults(erase("ppm.features.3.")), "(5 missing: ppm.features.3.1.weight"));
  CHECK(contains(faults(erase("ppm.")), "(20 missing: ppm.features.0.1.weight"));
  CHECK(contains(faults(erase("layer4.0.conv1.weight")), "(1 missing: layer4.0.conv1.weight)"));
  CHECK(contains(faults(erase("layer3.")), "missing: layer3.0.conv1.weight"));
  for (const char* name :
       {"layer4.0.conv1.weight", "cls.4.weight", "cls.0.weight", "aux.0.weight", "layer0.0.weight"}) {
    CAPTURE(name);
    const std::string message = faults([&](WeightFile& file) {
      tensor(file, name)->shape = {3, 3};
      tensor(file, name)->data.resize(9);
    });
    CHECK(contains(message, "(1 misshaped: " + std::string(name) + " [3,3]"));
  }
  const std::string integer = faults([&](WeightFile& file) {
    WeightTensor& bias = *tensor(file, "cls.4.bias");
    bias.dtype = DType::i64;
    bias.integers.assign(bias.data.size(), 0);
    bias.data.clear();
  });
  CHECK(contains(integer, "(1 not of floats: cls.4.bias int64"));
}

TEST_CASE("load_parser: a file on disk becomes its network") {
  const TempFolder folder;
  const PspnetOptions options = tiny_options();
  const Pspnet model(options);
  WeightFile file = state_dict(model);
  file.metadata[kModelKey] = options_to_json(options.network());
  // A checkpoint's momentum is no part of the network.
  file.tensors.push_back({"optim.cls.4.bias", {5}, DType::f32, std::vector<float>(5), {}});
  write_safetensors(folder.file("w.safetensors"), file);
  const std::unique_ptr<SceneParser> loaded = load_parser(folder.file("w.safetensors"));
  CHECK(!loaded->description().aux);
  CHECK(state_dict(*loaded).find("cls.4.weight")->data == file.find("cls.4.weight")->data);
}

}  // namespace
}  // namespace giza::models
