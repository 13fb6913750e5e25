// The names of other libraries, both ways. Their names stand here as these libraries spell them.
#include "models/weights/naming.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "models/pspnet.h"
#include "models/weights/infer.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tests/support/refusal.h"

namespace giza::models {
namespace {

PspnetOptions tiny(Stem stem = Stem::deep) {
  PspnetOptions options;
  options.backbone.blocks = {1, 1, 1, 1};
  options.backbone.stem = stem;
  options.backbone.width = 0.125;
  options.classes = 3;
  return options;
}

std::vector<std::string> names(const WeightFile& file) {
  std::vector<std::string> list;
  for (const WeightTensor& tensor : file.tensors) list.push_back(tensor.name);
  return list;
}

TEST_CASE("naming: the table of docs/weights.md, name by name") {
  const WeightFile deep = state_dict(Pspnet(tiny()));
  const WeightFile mmseg = from_semseg_names(deep, Naming::mmseg, "f");
  for (const char* name :
       {"backbone.stem.0.weight", "backbone.stem.1.running_mean", "backbone.stem.1.num_batches_tracked",
        "backbone.stem.3.weight", "backbone.stem.7.bias", "backbone.layer1.0.conv1.weight",
        "backbone.layer4.0.downsample.1.running_var", "decode_head.psp_modules.0.1.conv.weight",
        "decode_head.psp_modules.3.1.bn.weight", "decode_head.bottleneck.conv.weight",
        "decode_head.bottleneck.bn.running_var", "decode_head.conv_seg.weight", "decode_head.conv_seg.bias",
        "auxiliary_head.convs.0.conv.weight", "auxiliary_head.convs.0.bn.bias", "auxiliary_head.conv_seg.weight"}) {
    CAPTURE(name);
    CHECK(mmseg.find(name) != nullptr);
  }
  CHECK(mmseg.tensors.size() == deep.tensors.size());
  CHECK(naming_of(mmseg) == Naming::mmseg);

  const WeightFile plain = state_dict(Pspnet(tiny(Stem::plain)));
  std::vector<std::string> dropped;
  const WeightFile resnet = from_semseg_names(plain, Naming::torchvision, "f", &dropped);
  for (const char* name :
       {"conv1.weight", "bn1.running_mean", "layer1.0.conv3.weight", "layer2.0.downsample.0.weight"}) {
    CAPTURE(name);
    CHECK(resnet.find(name) != nullptr);
  }
  CHECK(resnet.tensors.size() + dropped.size() == plain.tensors.size());
  CHECK(std::all_of(dropped.begin(), dropped.end(), [](const std::string& name) {
    return name.starts_with("ppm.") || name.starts_with("cls.") || name.starts_with("aux.");
  }));
  CHECK(naming_of(resnet) == Naming::torchvision);
  CHECK(from_semseg_names(plain, Naming::mmseg, "f").find("backbone.conv1.weight") != nullptr);
}

TEST_CASE("naming: there and back gives the same names, numbers and order, with DataParallel's prefix too") {
  for (const Stem stem : {Stem::deep, Stem::plain}) {
    for (const bool pyramid : {true, false}) {
      PspnetOptions options = tiny(stem);
      options.pyramid = pyramid;
      const WeightFile file = state_dict(Pspnet(options));
      WeightFile theirs = from_semseg_names(file, Naming::mmseg, "f");
      for (WeightTensor& tensor : theirs.tensors) tensor.name = "module." + tensor.name;
      const WeightFile back = to_semseg_names(theirs, "f");
      CHECK(names(back) == names(file));
      CHECK(std::equal(back.tensors.begin(), back.tensors.end(), file.tensors.begin(),
                       [](const auto& a, const auto& b) { return a.data == b.data && a.shape == b.shape; }));
      CHECK(back.metadata.at(kNamingKey) == "mmseg");
    }
  }
}

TEST_CASE("naming: mmsegmentation's network is another where its file cannot say so") {
  PspnetOptions options = tiny();
  options.backbone.stem_channels = 32;
  options.backbone.width = 0.5;
  const WeightFile theirs = from_semseg_names(state_dict(Pspnet(options)), Naming::mmseg, "f");
  const PspnetOptions read(options_from_weights(to_semseg_names(theirs, "f"), "f"));
  CHECK(read.backbone.stem_channels == 32);
  CHECK(read.backbone.first_block == FirstBlockDilation::half);
  CHECK_FALSE(read.align_corners);
  const std::string json = options_to_json(read.network());
  CHECK(options_to_json(options_from_json(json, "f")) == json);
  // The authors' own names mean the authors' own ways.
  const NetworkOptions own = options_from_weights(state_dict(Pspnet(tiny())), "f");
  CHECK(own.backbone.stem_channels == 64);
  CHECK(own.backbone.first_block == FirstBlockDilation::full);
  CHECK(own.align_corners);
}

NetworkOptions tiny_network(const char* arch, Settings settings, Stem stem = Stem::plain) {
  NetworkOptions options;
  static_cast<ParserOptions&>(options) = tiny(stem);
  options.arch = arch;
  options.settings = std::move(settings);
  options.backbone.first_block = FirstBlockDilation::half;
  options.align_corners = false;
  return options;
}

/// Names as the library spells them, and there and back the same network and numbers.
void check_both_ways(const NetworkOptions& options, Naming naming, const std::vector<const char*>& spelled) {
  const std::unique_ptr<SceneParser> model = make_parser(options);
  const WeightFile file = state_dict(*model);
  const WeightFile theirs = from_semseg_names(file, naming, "f");
  if (naming != Naming::deeplab) CHECK(naming_of(theirs) == naming);  // whose "base." is taken off first
  CHECK(theirs.tensors.size() == file.tensors.size());
  for (const char* name : spelled) {
    CAPTURE(name);
    CHECK(theirs.find(name) != nullptr);
  }
  WeightFile wrapped = theirs;
  for (WeightTensor& tensor : wrapped.tensors) tensor.name = "module." + tensor.name;
  const WeightFile back = to_semseg_names(wrapped, "f");
  CHECK(names(back) == names(file));
  for (size_t i = 0; i < file.tensors.size(); ++i) CHECK(back.tensors[i].data == file.tensors[i].data);
  // Nothing but the names tells which network it is.
  CHECK(options_to_json(options_from_weights(back, "f")) == options_to_json([&] {
          NetworkOptions told = model->description();
          if (options.arch == "baseline" || options.arch == "fcn") told.head_channels = told.head();
          if (told.aux) told.aux_channels = told.auxiliary_head();
          return told;
        }()));
}

TEST_CASE("naming: torchvision's segmentation networks, both ways") {
  check_both_ways(tiny_network("baseline", {{"ppm_reduce", false}}), Naming::torchvision_segmentation,
                  {"backbone.conv1.weight", "backbone.bn1.running_var", "backbone.layer4.0.downsample.1.bias",
                   "classifier.0.weight", "classifier.1.running_mean", "classifier.4.bias", "aux_classifier.0.weight",
                   "aux_classifier.1.num_batches_tracked", "aux_classifier.4.weight"});
  check_both_ways(tiny_network("deeplabv3", {{"aspp_channels", 32}}), Naming::torchvision_segmentation,
                  {"classifier.0.convs.0.0.weight", "classifier.0.convs.0.1.bias", "classifier.0.convs.3.0.weight",
                   "classifier.0.convs.4.1.weight", "classifier.0.convs.4.2.running_mean",
                   "classifier.0.project.0.weight", "classifier.0.project.1.weight", "classifier.1.weight",
                   "classifier.2.running_var", "classifier.4.weight", "aux_classifier.4.bias"});
  const auto refusal = [](const NetworkOptions& options) {
    const WeightFile file = state_dict(*make_parser(options));
    return message_of<Refusal>([&] { from_semseg_names(file, Naming::torchvision_segmentation, "f"); });
  };
  CHECK(contains(refusal(tiny_network("baseline", {}, Stem::deep)), "f: has the deep stem"));
  CHECK(contains(refusal(tiny_network("psp", {})), "ppm.features.0.1.weight"));
  CHECK(contains(refusal(tiny_network("deeplabv3", {{"aspp_project", false}})), "three rates and a projection"));
  CHECK(contains(refusal(tiny_network("deeplabv3", {{"aspp_rates", std::vector<int>{2, 4}}})), "three rates"));
}

TEST_CASE("naming: mmsegmentation's FCN and ASPP heads, both ways; the mean of the map stands in front there") {
  check_both_ways(tiny_network("fcn", {}), Naming::mmseg,
                  {"decode_head.convs.0.conv.weight", "decode_head.convs.1.bn.running_mean",
                   "decode_head.conv_cat.conv.weight", "decode_head.conv_cat.bn.weight", "decode_head.conv_seg.bias",
                   "auxiliary_head.convs.0.conv.weight", "auxiliary_head.convs.0.bn.bias"});
  const NetworkOptions deeplab =
      tiny_network("deeplabv3", {{"aspp_channels", 64}, {"aspp_project", false}}, Stem::deep);
  check_both_ways(
      deeplab, Naming::mmseg,
      {"backbone.stem.0.weight", "decode_head.image_pool.1.conv.weight", "decode_head.image_pool.1.bn.bias",
       "decode_head.aspp_modules.0.conv.weight", "decode_head.aspp_modules.3.bn.running_var",
       "decode_head.bottleneck.conv.weight", "decode_head.bottleneck.bn.weight", "decode_head.conv_seg.weight"});
  const WeightFile ours = state_dict(*make_parser(deeplab));
  const std::vector<float>& before = ours.find("classifier.1.weight")->data;
  const WeightFile theirs = from_semseg_names(ours, Naming::mmseg, "f");
  const std::vector<float>& after = theirs.find("decode_head.bottleneck.conv.weight")->data;
  const size_t block = 64 * 9;  // of each branch's 64 channels
  for (size_t i = 0; i < before.size(); ++i) {
    const size_t filter = i / (5 * block) * 5 * block, within = i % (5 * block);
    CHECK(after[i] == before[filter + (within + 4 * block) % (5 * block)]);
  }
}

TEST_CASE("naming: kazuto1011's DeepLab v2, both ways, with and without its outer class's prefix") {
  NetworkOptions options = tiny_network("aspp", {});
  options.backbone.first_block = FirstBlockDilation::full;
  options.backbone.stride_in = StrideIn::conv1x1;
  options.backbone.ceil_pool = true;
  options.backbone.blocks = {1, 2, 1, 1};
  options.aux = false;
  check_both_ways(
      options, Naming::deeplab,
      {"base.layer1.conv1.conv.weight", "base.layer1.conv1.bn.running_mean", "base.layer2.block1.reduce.conv.weight",
       "base.layer2.block1.shortcut.bn.weight", "base.layer3.block2.conv3x3.bn.bias",
       "base.layer5.block1.increase.conv.weight", "base.aspp.c0.weight", "base.aspp.c3.bias"});
  const WeightFile ours = state_dict(*make_parser(options));
  WeightFile file = from_semseg_names(ours, Naming::deeplab, "f");
  // They feed BGR, less a mean: giza's first convolution takes RGB.
  const std::vector<float>& rgb = ours.find("layer0.0.weight")->data;
  const std::vector<float>& bgr = file.find("base.layer1.conv1.conv.weight")->data;
  CHECK(std::equal(rgb.begin(), rgb.begin() + 49, bgr.begin() + 98));
  CHECK(std::equal(bgr.begin(), bgr.begin() + 49, rgb.begin() + 98));
  CHECK(std::equal(rgb.begin() + 49, rgb.begin() + 98, bgr.begin() + 49));
  CHECK(contains(file.notes.back(), "changed to take BGR"));
  CHECK(contains(file.notes.back(), "their own mean"));
  const WeightFile read_back = to_semseg_names(file, "f");
  CHECK(read_back.metadata.at(kNormalizationKey) == R"({"mean":[122.675,116.669,104.008],"std":[1.0,1.0,1.0]})");
  CHECK(contains(read_back.notes.back(), "changed to take RGB"));
  CHECK_FALSE(contains(from_semseg_names(read_back, Naming::deeplab, "f").notes.back(), "their own mean"));
  // giza's own file under these names tells itself what its pictures become.
  for (const char* key : {kModelKey, kOriginKey}) {
    WeightFile own = file;
    own.metadata[key] = "{}";
    CHECK_FALSE(to_semseg_names(own, "f").metadata.contains(kNormalizationKey));
  }
  for (WeightTensor& tensor : file.tensors) tensor.name.erase(0, 5);
  CHECK(naming_of(file) == Naming::deeplab);
  CHECK(to_semseg_names(file, "f").find("layer2.1.conv2.weight") != nullptr);
  const auto read = [](const char* name) {
    const WeightFile one{{{"layer1.conv1.conv.weight", {1}, DType::f32, {1}, {}}, {name, {1}, DType::f32, {1}, {}}},
                         {}};
    return to_semseg_names(one, "f").tensors[1].name;
  };
  CHECK(read("layer3.block4.conv3x3.conv.weight") == "layer2.3.conv2.weight");
  CHECK(read("layer2.block1.proj.bn.bias") == "layer1.0.downsample.1.bias");
  CHECK(read("aspp.stages.c2.bias") == "aspp.c2.bias");
  CHECK(read("layer3.block0.reduce.conv.weight") == "layer3.block0.reduce.conv.weight");
  CHECK(contains(message_of<Refusal>([] {
                   from_semseg_names(state_dict(*make_parser(tiny_network("aspp", {}, Stem::deep))), Naming::deeplab,
                                     "f");
                 }),
                 "f: has the deep stem"));
  NetworkOptions basic = tiny_network("aspp", {});
  basic.backbone.block = BlockKind::basic;
  CHECK(contains(message_of<Refusal>([&] { from_semseg_names(state_dict(*make_parser(basic)), Naming::deeplab, "f"); }),
                 "f: has blocks of two convolutions; expected bottlenecks"));
}

TEST_CASE("naming: torchvision's VGG16 begins the networks on VGG16, its fully connected layers as convolutions") {
  NetworkOptions options;
  options.arch = "fcn32s";
  options.backbone.width = 0.125;
  options.classes = 3;
  options.aux = false;
  options.settings = {{"backbone", "vgg16"}};
  const std::unique_ptr<SceneParser> model = make_parser(options);
  const char* layers[] = {"conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv4_1",
                          "conv4_2", "conv4_3", "conv5_1", "conv5_2", "conv5_3", "fc6",     "fc7"};
  const char* theirs[] = {"features.0",  "features.2",  "features.5",  "features.7",   "features.10",
                          "features.12", "features.14", "features.17", "features.19",  "features.21",
                          "features.24", "features.26", "features.28", "classifier.0", "classifier.3"};
  const WeightFile ours = state_dict(*model);
  WeightFile file;
  for (size_t i = 0; i < std::size(layers); ++i) {
    for (const char* part : {".weight", ".bias"}) {
      const WeightTensor* tensor = ours.find(std::string(layers[i]) + part);
      REQUIRE(tensor != nullptr);
      WeightTensor copy = *tensor;
      copy.name = std::string(theirs[i]) + part;
      if (i >= 13 && copy.shape.size() == 4)
        copy.shape = {copy.shape[0], copy.shape[1] * copy.shape[2] * copy.shape[3]};
      for (float& value : copy.data) value += 1;
      file.tensors.push_back(copy);
    }
  }
  file.tensors.push_back({"classifier.6.weight", {1, 1}, DType::f32, {1}, {}});
  const WeightFile read = to_semseg_names(file, "f");
  CHECK(original_naming(read) == Naming::torchvision_vgg16);
  CHECK(contains(read.notes.back(), "classifier.6.weight"));
  const std::vector<std::string> kept = load_state_dict(*model, read, "f", {.backbone_only = true});
  for (const std::string& name : kept) CHECK(name.find("score") != std::string::npos);
  const WeightFile loaded = state_dict(*model);
  for (const char* name : {"conv1_1.weight", "conv5_3.bias", "fc6.weight", "fc7.weight"}) {
    CAPTURE(name);
    CHECK(loaded.find(name)->data[0] == ours.find(name)->data[0] + 1);
  }
  CHECK(contains(message_of<Refusal>([&] { from_semseg_names(read, Naming::torchvision_vgg16, "f"); }), "read only"));
}

TEST_CASE("naming: of torchvision's VGGs 16 alone is read, and begins a training alone") {
  const auto vgg = [](std::initializer_list<int> convolutions, bool batch_norm) {
    WeightFile file;
    for (const int i : convolutions) {
      file.tensors.push_back({fmt::format("features.{}.weight", i), {1, 1, 1, 1}, DType::f32, {1}, {}});
      if (batch_norm)
        file.tensors.push_back({fmt::format("features.{}.running_mean", i + 1), {1}, DType::f32, {1}, {}});
    }
    file.tensors.push_back({"classifier.0.weight", {1, 1}, DType::f32, {1}, {}});
    return file;
  };
  const auto refused = [](const WeightFile& file) { return message_of<Refusal>([&] { to_semseg_names(file, "f"); }); };
  CHECK(contains(refused(vgg({0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40}, true)), "reads vgg16 alone"));
  CHECK(
      contains(refused(vgg({0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34}, false)), "reads vgg16 alone"));
  const WeightFile sixteen = to_semseg_names(vgg({0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28}, false), "f");
  CHECK(contains(message_of<Refusal>([&] { options_from_weights(sixteen, "f"); }), "TRAIN.backbone vgg16"));
  CHECK(contains(message_of<Refusal>([&] { check_backbone(sixteen, "f"); }), "TRAIN.backbone vgg16"));
}

TEST_CASE("naming: weights for options of another origin: which differ is told") {
  const auto note = [](Naming naming, NetworkOptions options) {
    WeightFile file;
    file.metadata[kNamingKey] = to_string(naming);
    return naming_note(file, options);
  };
  CHECK(note(Naming::semseg, {}).empty());
  CHECK(contains(note(Naming::mmseg, {}),
                 "mmseg, whose networks go with TRAIN.align_corners false and "
                 "TRAIN.first_block_dilation half"));
  CHECK(contains(note(Naming::caffe, {}), "TRAIN.stride_in 1x1 and TRAIN.ceil_pool true"));
  CHECK(note(Naming::mmseg, tiny_network("baseline", {})).empty());
  // A backbone that giza wrote under other names.
  WeightFile file = from_semseg_names(state_dict(Pspnet(tiny(Stem::plain))), Naming::torchvision, "f");
  file.metadata[kOriginKey] = "caffe";
  const WeightFile read = to_semseg_names(file, "f");
  CHECK(origin_of(read) == Naming::caffe);
  CHECK(contains(naming_note(read, {}), "is a backbone of caffe, whose networks go with TRAIN.stride_in 1x1"));
  file.metadata[kOriginKey] = "nobody";
  CHECK(origin_of(to_semseg_names(file, "f")) == Naming::torchvision);
}

TEST_CASE("naming: a name is a path, not the beginning of one") {
  WeightFile file = from_semseg_names(state_dict(Pspnet(tiny(Stem::plain))), Naming::mmseg, "f");
  WeightTensor other = file.tensors.front();
  other.name = "backbone.conv1x.weight";
  file.tensors.push_back(other);
  CHECK(to_semseg_names(file, "f").tensors.back().name == "backbone.conv1x.weight");
}

TEST_CASE("naming: heads alone tell whose they are, and a classifier below the backbone is left out") {
  for (const char* head : {"decode_head.conv_seg.weight", "auxiliary_head.conv_seg.weight"}) {
    CAPTURE(head);
    CHECK(naming_of({{{head, {1}, DType::f32, {1}, {}}}, {}}) == Naming::mmseg);
  }
  WeightFile file = from_semseg_names(state_dict(Pspnet(tiny())), Naming::mmseg, "f");
  const size_t tensors = file.tensors.size();
  file.tensors.push_back({"backbone.fc.weight", {1}, DType::f32, {1}, {}});
  const WeightFile read = to_semseg_names(file, "f");
  CHECK(read.tensors.size() == tensors);
  CHECK(contains(read.notes.back(), "backbone.fc.weight"));
}

TEST_CASE("naming: a head that others' networks have not is not written under their names") {
  NetworkOptions options = tiny(Stem::plain).network();
  options.settings = {{"ppm_reduce", false}, {"bins", std::vector<int>{1}}};  // the pyramid has no tensors
  const WeightFile file = state_dict(*make_parser(options));
  for (const Naming naming : {Naming::mmseg, Naming::torchvision_segmentation}) {
    CHECK(contains(message_of<Refusal>([&] { from_semseg_names(file, naming, "f"); }), "has no such network"));
  }
  // An auxiliary head has no name in some: the remedy is named.
  options.arch = "aspp";
  options.settings = {};
  options.aux = true;
  CHECK(
      contains(message_of<Refusal>([&] { from_semseg_names(state_dict(*make_parser(options)), Naming::deeplab, "f"); }),
               "TRAIN.aux_weight 0"));
}

TEST_CASE("naming: what has no name is refused, all at once") {
  WeightFile file = state_dict(Pspnet(tiny(Stem::plain)));
  file.tensors.push_back({"extra.one", {1}, DType::f32, {0}, {}});
  file.tensors.push_back({"extra.two", {1}, DType::f32, {0}, {}});
  const std::string message = message_of<Refusal>([&] { from_semseg_names(file, Naming::torchvision, "FILE"); });
  CHECK(message.starts_with("FILE: 2 tensors"));
  CHECK(contains(message, "extra.one, extra.two"));
  CHECK(
      contains(message_of<Refusal>([&] { from_semseg_names(state_dict(Pspnet(tiny())), Naming::torchvision, "FILE"); }),
               "deep stem"));
  CHECK(contains(message_of<Refusal>([&] { from_semseg_names(file, Naming::imagenet, "FILE"); }), "plain stem"));
  CHECK(contains(message_of<Refusal>([] { parse_naming("keras"); }), "semseg, torchvision, "));

  WeightFile twins = from_semseg_names(state_dict(Pspnet(tiny())), Naming::mmseg, "f");
  twins.tensors.push_back({"backbone.conv1.weight", {1}, DType::f32, {0}, {}});
  CHECK(contains(message_of<Refusal>([&] { to_semseg_names(twins, "FILE"); }), "layer0.0.weight"));
}

}  // namespace
}  // namespace giza::models
