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
  CHECK(contains(message_of<Refusal>([] { parse_naming("keras"); }), "semseg, torchvision, mmseg"));

  WeightFile twins = from_semseg_names(state_dict(Pspnet(tiny())), Naming::mmseg, "f");
  twins.tensors.push_back({"backbone.conv1.weight", {1}, DType::f32, {0}, {}});
  CHECK(contains(message_of<Refusal>([&] { to_semseg_names(twins, "FILE"); }), "layer0.0.weight"));
}

}  // namespace
}  // namespace giza::models
