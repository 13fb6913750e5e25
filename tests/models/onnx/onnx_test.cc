// ONNX export: the file read back, its graph checked and run by tests/models/onnx/onnx_interpreter.h.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>

#include "models/onnx/export.h"
#include "models/pspnet.h"
#include "models/weights/infer.h"
#include "models/weights/npy.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tensor/random.h"
#include "tests/models/onnx/onnx_interpreter.h"
#include "tests/support/refusal.h"
#include "tests/support/skip.h"
#include "tests/support/temp_folder.h"

namespace giza::models {
namespace {

/// A tiny network; channels 8 to 64, or 256 with bottlenecks.
PspnetOptions tiny() {
  PspnetOptions options;
  options.backbone.blocks = {1, 1, 2, 1};
  options.backbone.block = BlockKind::basic;
  options.backbone.width = 0.125;
  options.classes = 4;
  return options;
}

#ifdef GIZA_HAVE_PROTOBUF

/// Statistics and affine parameters as if trained, so that folding has something to do.
void stir(const SceneParser& model) {
  uint32_t item = 0;
  const auto fill = [&](const Tensor& tensor, float low, float high) {
    Random random(3, Purpose::test, 0, item++);
    for (int64_t i = 0; i < tensor.numel(); ++i) tensor.data()[i] = random.next_uniform(low, high);
  };
  for (const auto& [name, variable] : model.parameters()) {
    if (variable.value().rank() == 1) fill(variable.value(), name.ends_with("bias") ? -0.3F : 0.5F, 1.0F);
  }
  for (const auto& [name, tensor] : model.buffers()) fill(tensor, name.ends_with("mean") ? -0.5F : 0.5F, 1.5F);
}

onnx::ModelProto exported(const SceneParser& model, const OnnxOptions& options) {
  const TempFolder folder;
  export_onnx(folder.file("net.onnx"), model, options);
  onnx::ModelProto result;
  REQUIRE(result.ParseFromString(read_bytes(folder.file("net.onnx"))));
  return result;
}

Tensor noise(const OnnxOptions& options) {
  Tensor x = Tensor::empty({options.batch, options.height, options.width, 3});
  Random random(5, Purpose::test);
  for (int64_t i = 0; i < x.numel(); ++i) x.data()[i] = random.next_uniform(-2, 2);
  return x;
}

/// Relative L2 error of the graph's logits against the frozen model's.
double error_of(const SceneParser& model, const OnnxOptions& options) {
  const Tensor x = noise(options);
  const NpyArray input = nchw_from_activation(x);
  const onnx::ModelProto onnx = exported(model, options);
  const auto values = run_onnx(onnx.graph(), {input.shape, {input.data.begin(), input.data.end()}});
  const NpyArray want = nchw_from_activation(FrozenParser(model).forward(x).upsampled_logits().value());
  const OnnxTensor& got = values.at("logits");
  REQUIRE(got.shape == want.shape);
  double error = 0, norm = 0;
  for (size_t i = 0; i < got.data.size(); ++i) {
    const auto value = static_cast<double>(want.data[i]);
    error += (got.data[i] - value) * (got.data[i] - value);
    norm += value * value;
  }
  REQUIRE(norm > 0);
  return std::sqrt(error / norm);
}

std::multiset<std::string> operators(const onnx::ModelProto& onnx) {
  std::multiset<std::string> names;
  for (const auto& node : onnx.graph().node()) names.insert(node.op_type());
  return names;
}

#endif

}  // namespace

#ifdef GIZA_HAVE_PROTOBUF

TEST_SUITE_BEGIN("needs Protocol Buffers");

TEST_CASE("onnx: the networks that PSPNet is compared with") {
  const auto check_network = [](const char* arch, Settings settings, OnnxOptions onnx = {.height = 33, .width = 41},
                                bool align_corners = true) {
    CAPTURE(arch);
    NetworkOptions options = tiny().network();
    options.align_corners = align_corners;
    options.arch = arch;
    options.settings = std::move(settings);
    options.backbone.output_stride = find_architecture(arch)->output_stride;
    // VGG16, of few channels: the borders that it puts around a picture are large.
    if (options.settings.contains("backbone")) options.backbone.width = 0.03;
    const auto model = make_parser(options);
    stir(*model);
    // Where weights begin as zero there would be nothing to compare.
    uint32_t item = 100;
    for (const auto& [name, variable] : model->parameters()) {
      if (!is_new_layer(name)) continue;
      Random random(3, Purpose::test, 0, item++);
      for (int64_t i = 0; i < variable.value().numel(); ++i) {
        variable.value().data()[i] += random.next_uniform(-0.05F, 0.1F);
      }
    }
    CHECK(error_of(*model, onnx) <= 2e-6);
  };
  check_network("fcn32s", {});
  check_network("fcn16s", {{"upsample", "learned"}}, {.height = 70, .width = 49, .batch = 2});
  check_network("fcn8s", {{"skip_scale", true}});
  check_network("fcn8s", {{"upsample", "learned"}});
  check_network("dilated", {{"context_layers", 7}});
  check_network("dilated", {{"context", "large"}});
  check_network("aspp", {{"aspp_rates", std::vector<int>{1, 2, 3}}});
  // Layers that are used three times.
  check_network("aspp", {{"aspp_msc", true}}, {.height = 33, .width = 42, .batch = 2});
  check_network("aspp", {{"aspp_msc", true}}, {.height = 34, .width = 47}, /*align_corners=*/false);
  check_network("largefov", {{"fov_rate", 2}});
  check_network("deeplabv3", {}, {.height = 34, .width = 51, .batch = 2});
  check_network("deeplabv3", {{"aspp_project", false}}, {.height = 33, .width = 41});
  check_network("fcn", {}, {.height = 33, .width = 41});
  check_network("parsenet", {});
  check_network("parsenet", {{"fusion", "early"}});
  check_network("segnet", {}, {.height = 35, .width = 26, .batch = 2});
  check_network("segnet", {{"segnet_basic", true}}, {.height = 37, .width = 49});
  check_network("fcn32s", {{"backbone", "vgg16"}});
  check_network("fcn16s", {{"backbone", "vgg16"}}, {.height = 34, .width = 51, .batch = 2});
  check_network("fcn8s", {{"backbone", "vgg16"}, {"upsample", "learned"}, {"skip_scale", true}});
  check_network("largefov", {{"backbone", "vgg16"}}, {.height = 34, .width = 51, .batch = 2});
  check_network("dilated", {{"backbone", "vgg16"}}, {.height = 9, .width = 200});
  check_network("cascade", {{"object_classes", std::vector<int>{0, 2}}});
}

TEST_CASE("onnx: classifiers of whole pictures, whatever windows their pyramid has") {
  const auto check_network = [](const char* arch, Settings settings, OnnxOptions onnx) {
    CAPTURE(arch);
    CAPTURE(onnx.height);
    NetworkOptions options = tiny().network();
    options.arch = arch;
    options.settings = std::move(settings);
    options.dropout = 0.5F;
    const auto model = make_parser(options);
    stir(*model);
    CHECK(error_of(*model, onnx) <= 2e-6);
  };
  check_network("classifier", {}, {.height = 34, .width = 51, .batch = 2});
  check_network("classifier", {}, {.height = 1, .width = 1});
  // Maps of 6 and 8; 9 and 10; 5 and 11.
  check_network("spp", {}, {.height = 48, .width = 64, .batch = 3});
  check_network("spp", {}, {.height = 67, .width = 80, .batch = 2});
  check_network("spp", {{"spp_windows", "adaptive"}}, {.height = 67, .width = 80});
  check_network("spp", {{"spp_windows", "adaptive"}, {"spp_bins", std::vector<int>{7, 4}}},
                {.height = 40, .width = 88});
  check_network("spp", {{"spp_bins", std::vector<int>{4}}}, {.height = 40, .width = 88});
  check_network("spp", {{"spp_bins", std::vector<int>{1}}}, {.height = 33, .width = 33});
}

TEST_CASE("onnx: a classifier's last layer is PyTorch's, its logits are maps of one pixel and not enlarged") {
  NetworkOptions options = tiny().network();
  options.arch = "classifier";
  options.settings.clear();
  const auto model = make_parser(options);
  const onnx::ModelProto onnx = exported(*model, {.height = 64, .width = 32, .batch = 2});
  const std::multiset<std::string> names = operators(onnx);
  CHECK(names.count("Gemm") == 1);
  CHECK(names.count("Resize") == 0);
  std::map<std::string, std::vector<int64_t>> constants;
  for (const auto& each : onnx.graph().initializer()) constants[each.name()] = {each.dims().begin(), each.dims().end()};
  CHECK(constants.at("fc.weight") == std::vector<int64_t>{4, 64});
  CHECK(constants.at("fc.bias") == std::vector<int64_t>{4});
  CHECK(onnx.graph().output(0).name() == "logits");
  CHECK(onnx.doc_string().find("whole pictures") != std::string::npos);
  CHECK(onnx.doc_string().find("logits: 2 x 4 x 1 x 1,") != std::string::npos);
}

TEST_CASE("onnx: logits of the picture's size are not enlarged, and are called so all the same") {
  NetworkOptions options = tiny().network();
  options.arch = "segnet";
  options.settings.clear();
  const onnx::ModelProto onnx = exported(*make_parser(options), {.height = 32, .width = 32});
  CHECK(operators(onnx).count("Resize") == 0);
  const onnx::NodeProto& last = *onnx.graph().node().rbegin();
  CHECK(last.name() == "conv1_1_D");
  CHECK(last.output(0) == "logits");
}

TEST_CASE("onnx: the graph computes what the frozen model does, whatever the options") {
  REQUIRE(onnx_available());
  struct Case {
    const char* name;
    PspnetOptions model = tiny();
    OnnxOptions onnx = {.height = 33, .width = 41};
  };
  std::vector<Case> cases;
  const auto add = [&](const char* name) -> Case& { return cases.emplace_back(Case{.name = name}); };
  add("as it is");
  add("batch, odd size").onnx = {.height = 34, .width = 51, .batch = 2};
  add("even bins").onnx = {.height = 41, .width = 41};
  add("one pixel of features").onnx = {.height = 8, .width = 5};
  add("one pixel").onnx = {.height = 1, .width = 1, .batch = 3};
  add("bottlenecks").model.backbone.block = BlockKind::bottleneck;
  add("plain stem").model.backbone.stem = Stem::plain;
  add("narrow stem").model.backbone.stem_channels = 32;
  add("half dilation").model.backbone.first_block = FirstBlockDilation::half;
  add("stride in the 1x1").model.backbone.stride_in = StrideIn::conv1x1;
  cases.back().model.backbone.block = BlockKind::bottleneck;
  Case& ceil = add("pool sizes rounded up");
  ceil.model.backbone.ceil_pool = true;
  ceil.onnx = {.height = 36, .width = 49};
  add("stride 4").model.backbone.output_stride = 4;
  add("stride 16").model.backbone.output_stride = 16;
  add("stride 32").model.backbone.output_stride = 32;
  add("baseline").model.pyramid = false;
  add("no reduction").model.reduce = false;
  add("bins with a remainder").model.bins = {1, 4, 9};
  add("max").model.pool = PyramidPool::max;
  Case& unreduced = add("max, unreduced, other bins");
  unreduced.model.pool = PyramidPool::max;
  unreduced.model.reduce = false;
  unreduced.model.bins = {2, 7};
  add("half-pixel").model.align_corners = false;
  add("no auxiliary head").model.aux = false;
  for (const Case& one : cases) {
    CAPTURE(one.name);
    const Pspnet model(one.model);
    stir(model);
    CHECK(error_of(model, one.onnx) < 2e-6);
  }
}

TEST_CASE("onnx: bins that divide the map are plain pooling, others are not") {
  const Pspnet model(tiny());
  const std::multiset<std::string> even = operators(exported(model, {.height = 41, .width = 41}));  // a map of 6 x 6
  CHECK(even.count("AveragePool") == 4);
  CHECK(even.count("MatMul") == 0);
  const std::multiset<std::string> uneven = operators(exported(model, {.height = 41, .width = 57}));  // 6 x 8
  CHECK(uneven.count("AveragePool") == 2);                                                            // bins 1 and 2
  CHECK(uneven.count("MatMul") == 4);
  CHECK(uneven.count("BatchNormalization") == 0);
}

TEST_CASE("onnx: what the file says about itself, and semseg's names") {
  const Pspnet model(tiny());
  stir(model);
  const onnx::ModelProto onnx = exported(model, {.height = 33, .width = 17, .batch = 2});
  CHECK(onnx.producer_name() == "giza");
  CHECK(!onnx.producer_version().empty());
  CHECK(onnx.ir_version() == 8);
  REQUIRE(onnx.opset_import_size() == 1);
  CHECK(onnx.opset_import(0).domain().empty());
  CHECK(onnx.opset_import(0).version() == 17);
  std::map<std::string, std::string> metadata;
  for (const auto& entry : onnx.metadata_props()) metadata[entry.key()] = entry.value();
  CHECK(metadata == std::map<std::string, std::string>{{"classes", "4"},
                                                       {"mean", "123.675, 116.28, 103.53"},
                                                       {"std", "58.395, 57.12, 57.375"},
                                                       {kModelKey, options_to_json(model.description())}});
  CHECK(onnx.graph().input(0).name() == "input");
  CHECK(onnx.graph().output(0).name() == "logits");

  // Every convolution but the auxiliary head's, each with its bias; nothing of batch norm is left.
  std::set<std::string> want, got;
  for (const auto& tensor : state_dict(model).tensors) {
    if (tensor.shape.size() != 4 || tensor.name.starts_with("aux.")) continue;
    want.insert(tensor.name);
    want.insert(tensor.name.substr(0, tensor.name.size() - 6) + "bias");
  }
  for (const auto& initializer : onnx.graph().initializer()) {
    if (initializer.name().ends_with(".weight") || initializer.name().ends_with(".bias"))
      got.insert(initializer.name());
  }
  CHECK(got == want);
}

TEST_CASE("onnx: the same bytes each time, whole or not at all") {
  const TempFolder folder;
  const Pspnet model(tiny());
  export_onnx(folder.file("a.onnx"), model, {.height = 33, .width = 33});
  export_onnx(folder.file("b.onnx"), model, {.height = 33, .width = 33});
  CHECK(read_bytes(folder.file("a.onnx")) == read_bytes(folder.file("b.onnx")));
  CHECK_THROWS_AS(export_onnx(folder.file("none/a.onnx"), model, {.height = 33, .width = 33}), Error);
}

TEST_CASE("onnx: sizes and files out of range are refused") {
  const TempFolder folder;
  const Pspnet model(tiny());
  const std::string path = folder.file("net.onnx");
  for (const OnnxOptions& options :
       {OnnxOptions{.height = 0}, OnnxOptions{.width = -1}, OnnxOptions{.batch = 0}, OnnxOptions{.height = 16385},
        OnnxOptions{.width = 16385}, OnnxOptions{.batch = 16385}}) {
    CHECK(contains(message_of<Refusal>([&] { export_onnx(path, model, options); }), "cannot be exported; expected"));
  }
  CHECK(!std::filesystem::exists(path));
}

TEST_SUITE_END();

#else

TEST_CASE("onnx: what is written" * doctest::test_suite("needs Protocol Buffers")) {
  skip_test("built without Protocol Buffers");
}

TEST_CASE("onnx: a build without Protocol Buffers says what to install") {
  const TempFolder folder;
  CHECK(!onnx_available());
  CHECK(contains(message_of<Refusal>([&] { export_onnx(folder.file("net.onnx"), Pspnet(tiny())); }),
                 "install libprotobuf-dev and protobuf-compiler"));
}

#endif

}  // namespace giza::models
