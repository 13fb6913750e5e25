// What stands around a network in a file: wrappers' prefixes, losses, counters, averages, other types, faulty numbers.
#include "models/weights/surroundings.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "models/pspnet.h"
#include "models/weights/checksum.h"
#include "models/weights/infer.h"
#include "models/weights/naming.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::models {
namespace {

PspnetOptions tiny(Stem stem = Stem::deep) {
  PspnetOptions options;
  options.backbone.blocks = {1, 1, 1, 1};
  options.backbone.block = BlockKind::basic;
  options.backbone.stem = stem;
  options.backbone.width = 0.125;
  options.classes = 3;
  return options;
}

WeightFile whole() { return state_dict(Pspnet(tiny())); }

WeightFile prefixed(const std::string& prefix, WeightFile file = whole()) {
  for (WeightTensor& tensor : file.tensors) tensor.name = prefix + tensor.name;
  return file;
}

WeightTensor floats(const std::string& name, std::vector<float> data) {
  return {name, {static_cast<int64_t>(data.size())}, DType::f32, std::move(data), {}};
}
WeightTensor counter(const std::string& name) { return {name, {}, DType::i64, {}, {7}}; }

/// The file must come out as the network alone, and its notes must contain these words.
void check_whole(WeightFile file, const std::vector<std::string>& notes) {
  const WeightFile expected = whole();
  const WeightFile read = to_semseg_names(std::move(file), "f");
  REQUIRE(read.tensors.size() == expected.tensors.size());
  for (size_t i = 0; i < expected.tensors.size(); ++i) {
    CHECK(read.tensors[i].name == expected.tensors[i].name);
    CHECK(read.tensors[i].data == expected.tensors[i].data);
  }
  std::string told;
  for (const std::string& note : read.notes) told += note + "\n";
  CAPTURE(told);
  CHECK(read.notes.size() == notes.size());
  for (const std::string& note : notes) CHECK(contains(told, note));
}

TEST_CASE("surroundings: parts of a network with prefixes of their own") {
  WeightFile file = whole();
  for (WeightTensor& tensor : file.tensors) {
    tensor.name = (tensor.name.starts_with("layer") ? "net.body." : "net.head.") + tensor.name;
  }
  check_whole(file, {"the prefix \"net.body.\" of the names is taken off", "the prefix \"net.head.\" of the names"});
  // Every second tensor below a wrapper.
  file = whole();
  for (size_t i = 0; i < file.tensors.size(); i += 2) file.tensors[i].name = "module." + file.tensors[i].name;
  CHECK(to_semseg_names(file, "f").tensors.size() == whole().tensors.size());
}

TEST_CASE("surroundings: two networks in a file are refused by name") {
  for (const char* other : {"encoder_k.", ""}) {
    WeightFile file = prefixed("encoder_q.");
    for (WeightTensor& tensor : prefixed(other).tensors) file.tensors.push_back(tensor);
    const std::string text = message_of<Refusal>([&] { to_semseg_names(file, "f"); });
    CAPTURE(text);
    CHECK(contains(text, "f: holds a second network below \"encoder_"));
    CHECK(contains(text, "save one of them alone"));
  }
}

TEST_CASE("surroundings: any prefix that the network's tensors share is taken off and told") {
  check_whole(whole(), {});
  for (const char* prefix : {"module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "student.",
                             "ema.module.", "a.b.c.", "net.module.model._orig_mod.", "model_with_loss.model.",
                             "criterion.net.", "module.backbone.0.", "backbone.body.",
                             // As heads are called, or parts of trunks.
                             "classifier.", "object.", "features.", "stem.", "aux.", "module.classifier."}) {
    CAPTURE(prefix);
    check_whole(prefixed(prefix), {"the prefix \"" + std::string(prefix) + "\""});
  }
  // SegNet-Basic, whose names are like no other's.
  NetworkOptions basic = tiny().network();
  basic.arch = "segnet";
  basic.settings = {{"segnet_basic", true}};
  const WeightFile segnet = state_dict(*make_parser(basic));
  for (const char* prefix : {"module.", "net.module."}) {
    const WeightFile read = to_semseg_names(prefixed(prefix, segnet), "f");
    for (const WeightTensor& tensor : segnet.tensors) CHECK(read.find(tensor.name) != nullptr);
  }
  // Around the names of others.
  for (const Naming naming : {Naming::mmseg, Naming::imagenet, Naming::timm}) {
    const WeightFile theirs = prefixed("module.model.", from_semseg_names(whole(), naming, "f"));
    CHECK(original_naming(to_semseg_names(theirs, "f")) == naming);
    CHECK(to_semseg_names(theirs, "f").find("layer0.6.weight")->data == whole().find("layer0.6.weight")->data);
  }
}

TEST_CASE("surroundings: wrappers around parts of a network are taken out of the names and told") {
  for (const char* wrapper : {"_orig_mod.", "_checkpoint_wrapped_module.", "_fsdp_wrapped_module._orig_mod."}) {
    CAPTURE(wrapper);
    WeightFile file = prefixed("module.");
    for (WeightTensor& tensor : file.tensors) {
      const size_t at = tensor.name.find("layer1.");
      if (at != std::string::npos) tensor.name.insert(at + 7, wrapper);
    }
    check_whole(file,
                std::string(wrapper).find("fsdp") == std::string::npos
                    ? std::vector<std::string>{"\"module.\"", "\"" + std::string(wrapper) + "\" is taken out of"}
                    : std::vector<std::string>{"\"module.\"", "\"_orig_mod.\" is", "\"_fsdp_wrapped_module.\" is"});
  }
}

TEST_CASE("surroundings: losses, counters and averages are left out and told") {
  WeightFile file = prefixed("module.");
  file.tensors.push_back(floats("module.criterion.weight", {1, 2, 3}));
  file.tensors.insert(file.tensors.begin(), counter("n_averaged"));
  check_whole(file,
              {"1 left out, of a loss or metric: module.criterion.weight", "counters: n_averaged", "\"module.\""});
  file = whole();
  for (const char* name : {"loss.weight", "decode_head.loss_decode.class_weight", "criterion.0.pos_weight",
                           "val_metric.confmat", "cls.class_weight", "cross_entropy.weight"}) {
    file.tensors.push_back(floats(name, {1}));
  }
  file.tensors.push_back({"seen", {1}, DType::u8, {}, {1}});
  check_whole(file, {"6 left out, of a loss or metric", "1 left out, counters: seen"});
  for (const char* average : {"ema.", "ema_model.module.", "model_ema.", "teacher."}) {
    WeightFile two = prefixed(average);
    for (const WeightTensor& tensor : prefixed("model.").tensors) two.tensors.push_back(tensor);
    two.tensors.push_back(floats(std::string(average) + "decay", {0.999F}));
    CAPTURE(average);
    check_whole(two, {"an average of the weights", "\"model.\""});
  }
  // mmcv's copies under names without dots, thop's counts at every layer, losses by other names.
  file = whole();
  for (const WeightTensor& tensor : whole().tensors) {
    WeightTensor copy = tensor;
    std::replace(copy.name.begin(), copy.name.end(), '.', '_');
    copy.name = "ema_" + copy.name;
    file.tensors.push_back(copy);
  }
  check_whole(file, {"an average of the weights beside them: ema_layer0_0_weight"});
  file = whole();
  for (const char* name : {"total_ops", "layer0.0.total_ops", "cls.0.total_params"}) {
    file.tensors.push_back(floats(name, {1}));
  }
  for (const char* name : {"CrossEntropyLoss.weight", "lossFunction.weight", "val_miou.confmat", "nll.weight"}) {
    file.tensors.push_back(floats(name, {1}));
  }
  check_whole(file,
              {"4 left out, of a loss", "3 left out, counters: total_ops, layer0.0.total_ops, cls.0.total_params"});
  // What may be a part of another network is not left out in silence.
  file = whole();
  file.tensors.push_back(floats("gate.weight", {1}));
  const Pspnet model(tiny());
  CHECK(contains(message_of<Refusal>([&] { load_state_dict(model, to_semseg_names(file, "f"), "f"); }),
                 "1 extra: gate.weight"));
  CHECK(contains(message_of<Refusal>([&] {
                   to_semseg_names({{floats("gate.weight", {1})}, {}}, "FILE");
                 }),
                 "FILE: none of its 1 tensors has a name"));
}

TEST_CASE("surroundings: backbones with and without \"backbone.\", with their classifier") {
  WeightFile backbone = whole();
  std::erase_if(backbone.tensors, [](const WeightTensor& tensor) { return is_new_layer(tensor.name); });
  for (const char* prefix : {"backbone.", ""}) {
    WeightFile theirs = from_semseg_names(backbone, Naming::mmseg, "f");
    for (WeightTensor& tensor : theirs.tensors) {
      tensor.name = prefix + tensor.name.substr(std::string("backbone.").size());
    }
    for (const char* classifier : {"fc.weight", "head.fc.weight"}) {
      WeightFile with = theirs;
      with.tensors.push_back(floats(classifier, {1}));
      const WeightFile read = to_semseg_names(with, "f");
      CHECK(original_naming(read) == Naming::mmseg);
      CHECK(read.tensors.size() == backbone.tensors.size());
      CHECK(contains(read.notes.back(), classifier));
      check_backbone(read, "f");
    }
  }
}

TEST_CASE("surroundings: a backbone of semseg, timm or the authors' ImageNet files below \"backbone.\"") {
  WeightFile backbone = whole();
  std::erase_if(backbone.tensors, [](const WeightTensor& tensor) { return is_new_layer(tensor.name); });
  for (const Naming naming : {Naming::semseg, Naming::timm, Naming::imagenet}) {
    CAPTURE(to_string(naming));
    for (const char* prefix : {"backbone.", "module.backbone."}) {
      const WeightFile theirs = prefixed(prefix, from_semseg_names(backbone, naming, "f"));
      const WeightFile read = to_semseg_names(theirs, "f");
      CHECK(original_naming(read) == naming);
      CHECK(contains(read.notes.back(), "\"backbone.\""));
      REQUIRE(read.tensors.size() == backbone.tensors.size());
      for (size_t i = 0; i < backbone.tensors.size(); ++i) CHECK(read.tensors[i].name == backbone.tensors[i].name);
    }
  }
}

TEST_CASE("load_state_dict: the likely cause comes first, the list is bounded") {
  const Pspnet deep(tiny()), plain(tiny(Stem::plain));
  const auto message = [](const Pspnet& model, const WeightFile& file) {
    return message_of<Refusal>([&] { load_state_dict(model, file, "FILE", {.backbone_only = true}); });
  };
  CHECK(contains(message(deep, state_dict(plain)), "FILE: the file has the plain stem"));
  CHECK(contains(message(deep, state_dict(plain)), "set TRAIN.stem plain ("));
  CHECK(contains(message(plain, state_dict(deep)), "set TRAIN.stem deep ("));
  PspnetOptions options = tiny();
  options.backbone.blocks = {3, 4, 6, 3};
  const Pspnet large(options);
  const std::string text = message(deep, state_dict(large));
  CHECK(contains(text,
                 "FILE: the file's ResNet has 3+4+6+3 basic blocks, the model's 1+1+1+1 basic; set TRAIN.layers 34"));
  CHECK(contains(message(large, state_dict(deep)), "set TRAIN.blocks '[1, 1, 1, 1]' and TRAIN.block basic ("));
  PspnetOptions wide = tiny();
  wide.backbone.width *= 2;
  CHECK(contains(message(Pspnet(wide), state_dict(deep)),
                 fmt::format("set TRAIN.width {:.6g} (", tiny().backbone.width)));
  CHECK(contains(text, "and "));
  CHECK(text.size() < 1000);
  options = tiny();
  options.classes = 5;
  CHECK(contains(message_of<Refusal>([&] { load_state_dict(deep, state_dict(Pspnet(options)), "FILE"); }),
                 "FILE: the file's network has 5 classes, the model 3; set DATA.classes (4 misshaped"));
  // Of other heads, too; of another width of them it is not said.
  for (const char* arch : {"fcn8s", "fcn", "largefov", "aspp", "deeplabv3", "parsenet", "dilated", "segnet"}) {
    CAPTURE(arch);
    NetworkOptions ours = tiny().network();
    ours.arch = arch;
    ours.settings = {};
    NetworkOptions theirs = ours;
    if (std::string(arch) == "fcn8s") ours.settings["upsample"] = theirs.settings["upsample"] = "learned";
    theirs.classes = 5;
    CHECK(contains(
        message_of<Refusal>([&] { load_state_dict(*make_parser(ours), state_dict(*make_parser(theirs)), "FILE"); }),
        "FILE: the file's network has 5 classes, the model 3; set DATA.classes ("));
    theirs.classes = 3;
    theirs.head_channels = 24;
    const WeightFile wider = state_dict(*make_parser(theirs));
    try {
      load_state_dict(*make_parser(ours), wider, "FILE");
    } catch (const Refusal& refusal) {
      CHECK(!contains(refusal.what(), "DATA.classes"));
    }
  }
  options = tiny();
  options.backbone.stem_channels = 128;
  CHECK(contains(message(deep, state_dict(Pspnet(options))), "set TRAIN.stem_channels"));
}

TEST_CASE("load_state_dict: numbers that no sound network has are refused, and the model is unchanged") {
  const Pspnet model(tiny());
  const WeightFile before = state_dict(model);
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const auto message = [&](const std::string& name, float value) {
    WeightFile file = whole();
    const auto tensor =
        std::find_if(file.tensors.begin(), file.tensors.end(), [&](const auto& each) { return each.name == name; });
    tensor->data.at(1) = value;
    return message_of<Refusal>([&] { load_state_dict(model, file, "FILE"); });
  };
  CHECK(contains(message("cls.1.running_var", nan), "FILE: 1 tensor has numbers"));
  CHECK(contains(message("cls.1.running_var", nan), "cls.1.running_var[1] is nan"));
  CHECK(contains(message("layer0.0.weight", -infinity), "layer0.0.weight[1] is -inf"));
  CHECK(contains(message("aux.1.running_mean", infinity), "aux.1.running_mean[1] is inf"));
  CHECK(contains(message("cls.1.running_var", -1e-3F), "cls.1.running_var[1] is -0.001"));
  for (size_t i = 0; i < before.tensors.size(); ++i) {
    CHECK(state_dict(model).tensors[i].data == before.tensors[i].data);
  }
  // Momentum is looked at only where it is used.
  WeightFile file = whole();
  file.tensors.push_back(floats("optim.cls.4.bias", {nan}));
  CHECK(load_state_dict(model, file, "FILE").empty());
  CHECK_THROWS_AS(check_numbers(file, "FILE", /*momentum=*/true), Refusal);
}

TEST_CASE("read_weights: the checksum of a checkpoint is compared, whoever reads it") {
  const TempFolder folder;
  WeightFile file = whole();
  file.metadata["giza.model"] = "{}";
  file.metadata[kChecksumKey] = checksum(file);
  const std::string path = folder.file("w.safetensors");
  write_safetensors(path, file);
  CHECK(read_weights(path).tensors.size() == file.tensors.size());
  const std::string bytes = read_bytes(path);
  for (const size_t from_end : {1U, 1000U, 5000U}) {
    std::string flipped = bytes;
    flipped[flipped.size() - from_end] ^= 4;
    write_bytes(path, flipped);
    CHECK(contains(message_of<Refusal>([&] { read_weights(path); }), path + ": the checksum"));
    CHECK_THROWS_AS(load_parser(path), Refusal);
  }
  // One bit of the checksum's own key, in a checkpoint.
  file.metadata["giza.iteration"] = "4";
  file.metadata[kChecksumKey] = checksum(file);
  write_safetensors(path, file);
  CHECK(read_weights(path).tensors.size() == file.tensors.size());
  std::string hidden = read_bytes(path);
  hidden[hidden.find("giza.checksum") + 7] ^= 1;
  write_bytes(path, hidden);
  CHECK(contains(message_of<Refusal>([&] { read_weights(path); }), "a checkpoint without its checksum"));
}

TEST_CASE("load_state_dict: all of the auxiliary head may be missing, but not a part of it") {
  const Pspnet model(tiny());
  WeightFile file = whole();
  std::erase_if(file.tensors, [](const WeightTensor& tensor) { return tensor.name == "aux.4.bias"; });
  CHECK(contains(message_of<Refusal>([&] { load_state_dict(model, file, "f"); }), "1 missing: aux.4.bias"));
  std::erase_if(file.tensors, [](const WeightTensor& tensor) { return tensor.name.starts_with("aux."); });
  load_state_dict(model, file, "f");
}

TEST_CASE("write_weights: whatever the type in the file, float32 and int64 are written") {
  const TempFolder folder;
  WeightFile file;
  file.tensors.push_back({"half", {2}, DType::f16, {0.5F, -1}, {}});
  file.tensors.push_back({"brain", {1}, DType::bf16, {2}, {}});
  file.tensors.push_back({"double", {1}, DType::f64, {3}, {}});
  file.tensors.push_back({"byte", {}, DType::u8, {}, {255}});
  file.tensors.push_back({"int", {1}, DType::i32, {}, {-5}});
  for (const char* name : {"w.safetensors", "w.pth"}) {
    write_weights(folder.file(name), file);
    const WeightFile back = read_weights(folder.file(name));
    REQUIRE(back.tensors.size() == file.tensors.size());
    for (size_t i = 0; i < file.tensors.size(); ++i) {
      CHECK(back.tensors[i].dtype == held_type(file.tensors[i].dtype));
      CHECK(back.tensors[i].data == file.tensors[i].data);
      CHECK(back.tensors[i].integers == file.tensors[i].integers);
    }
  }
}

}  // namespace
}  // namespace giza::models
