// giza convert: weights between formats and names.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "models/onnx/export.h"
#include "models/weights/infer.h"
#include "models/weights/names.h"
#include "models/weights/naming.h"
#include "models/weights/safetensors.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"
#include "train/config/card.h"

namespace giza::cli {
namespace {

using models::Naming;
using models::WeightFile;
using models::WeightTensor;

/// The whole network that a file with semseg's names holds, its tensors checked one by one; null for a backbone alone,
/// which is checked likewise.
std::unique_ptr<models::SceneParser> whole_network(const WeightFile& file, const std::string& place) {
  const bool heads = std::any_of(file.tensors.begin(), file.tensors.end(),
                                 [](const WeightTensor& tensor) { return models::is_new_layer(tensor.name); });
  if (!heads) {
    models::check_backbone(file, place);
    return nullptr;
  }
  return models::build_parser(models::options_from_weights(file, place), file, place);
}

std::vector<std::string> without_momentum(WeightFile& file) {
  std::vector<std::string> dropped;
  std::erase_if(file.tensors, [&](const WeightTensor& tensor) {
    if (!tensor.name.starts_with(models::kMomentumPrefix)) return false;
    dropped.push_back(tensor.name);
    return true;
  });
  // A checkpoint's own entries (counters, checksum) are of a run that goes on, which these weights no longer do.
  std::erase_if(file.metadata, [](const auto& entry) {
    const bool card = std::count(std::begin(train::kCardKeys), std::end(train::kCardKeys), entry.first) > 0;
    return entry.first.starts_with("giza.") && entry.first != models::kModelKey && entry.first != models::kToldByKey &&
           entry.first != models::kOriginKey && !card;
  });
  return dropped;
}

/// Tells what was left out beyond file.notes.
void note_dropped(const std::vector<std::string>& names, const char* why, WeightFile* file) {
  if (names.empty()) return;
  file->notes.push_back(fmt::format("{} left out, {}: {}", names.size(), why, models::name_list(names)));
}

/// Tells which tensors have numbers that round to 0 in half precision, whose smallest is 2^-24.
void note_lost_in_half(WeightFile* file) {
  int64_t numbers = 0;
  std::vector<std::string> names;
  for (const WeightTensor& tensor : file->tensors) {
    const int64_t lost = std::count_if(tensor.data.begin(), tensor.data.end(),
                                       [](float value) { return value != 0 && std::abs(value) <= 0x1p-25F; });
    if (lost > 0) names.push_back(tensor.name);
    numbers += lost;
  }
  if (names.empty()) return;
  file->notes.push_back(
      fmt::format("{} too small for half precision, 0 now: {}", counted(numbers, "number"), models::name_list(names)));
}

class ConvertCommand : public Command {
 public:
  ConvertCommand()
      : Command("convert", "weights between .pth, .safetensors, other libraries' names, ONNX",
                R"(IN is a .pth of PyTorch or a .safetensors file, of one of giza's networks or a ResNet, under the
names of semseg, torchvision, timm, mmsegmentation or kazuto1011's DeepLab, which are recognised;
what stands around the network (prefixes of wrappers, optimiser, losses, counters, averages) is
left out and named. Or it is a .caffemodel of PSPNet's authors, of a ResNet or of DeepLab v2. OUT
ends in .pth, .safetensors or .onnx. Without --naming the names stay, Caffe's apart, which become
semseg's. A file that is no whole network, tensor by tensor, is refused with what is missing, extra
or misshaped, and nothing is written.

  giza convert train_epoch_100.pth psp.safetensors
  giza convert exp/last.safetensors psp.pth --naming mmseg
  giza convert pspnet50_ADE20K.caffemodel psp50.safetensors
  giza convert exp/last.safetensors psp.onnx --size 473x473)") {}

  void declare(CLI::App& app) override {
    app.add_option("in", in_, "weights to read")->required()->type_name("IN");
    app.add_option("out", out_, "file to write: .pth, .safetensors or .onnx")->required()->type_name("OUT");
    app.add_option("--naming", naming_,
                   "names to write: semseg, torchvision, torchvision_segmentation, mmseg, deeplab, imagenet or timm")
        ->type_name("NAME");
    app.add_flag("--half", half_, "numbers in half precision: half the file, three digits (.safetensors)");
    app.add_option("--size", size_, "input of an ONNX graph, default 473x473")->type_name("HxW");
    app.add_option("--batch", batch_, "pictures of an ONNX graph's input, default 1")
        ->type_name("N")
        ->transform(within(1, 1024));
  }

  int run(const Common& common) override {
    check_not_input("OUT", out_, {in_});
    check_not_beside_json("OUT", out_, common.json);
    const bool onnx = std::filesystem::path(out_).extension() == ".onnx";
    check<Refusal>(!onnx || naming_.empty(), "--naming {}: an ONNX graph has names of its own, expected none with {}",
                   naming_, out_);
    check<Refusal>(!half_ || std::filesystem::path(out_).extension() == ".safetensors",
                   "--half: {}: expected a .safetensors file, the one kind that halves are written to", out_);
    check<Refusal>(onnx || size_.empty(), "--size {}: {}: expected with a .onnx file, whose input has a size", size_,
                   out_);
    check<Refusal>(onnx || batch_ == 0, "--batch {}: {}: expected with a .onnx file, whose input has a batch", batch_,
                   out_);
    if (size_.empty()) size_ = "473x473";
    if (batch_ == 0) batch_ = 1;
    const auto [height, width] = height_and_width();
    const bool keep = naming_.empty();
    const Naming wanted = keep ? Naming::semseg : models::parse_naming(naming_);

    WeightFile original = models::read_weights(in_);
    std::vector<std::string> nameless;
    const std::vector<std::string> momentum = without_momentum(original);
    WeightFile file = models::to_semseg_names(std::move(original), in_);
    const Naming was = models::original_naming(file), origin = models::origin_of(file);
    const bool read_only = was == Naming::caffe || was == Naming::torchvision_vgg16;
    const Naming naming = !keep ? wanted : read_only ? Naming::semseg : was;
    const auto model = whole_network(file, in_);
    if (model != nullptr && !file.metadata.contains(models::kModelKey)) {
      file.metadata[models::kToldByKey] = models::to_string(was);
    }
    if (model != nullptr) file.metadata[models::kModelKey] = models::options_to_json(model->description());

    const auto normalization = train::normalization_from_metadata(file.metadata, in_);  // or what predict would refuse
    if (onnx) {
      check<Refusal>(model != nullptr, "{}: is a backbone without a head, expected a whole network to export", in_);
      models::OnnxOptions graph{.height = height, .width = width, .batch = batch_};
      for (const char* key : train::kCardKeys) {
        if (const auto entry = file.metadata.find(key); entry != file.metadata.end()) graph.metadata.insert(*entry);
      }
      if (normalization) {
        std::copy_n(normalization->mean.begin(), 3, graph.mean.begin());
        std::copy_n(normalization->std.begin(), 3, graph.std.begin());
      }
      try {
        models::export_onnx(out_, *model, graph);
      } catch (const ShapeError& error) {  // a network that needs larger pictures
        throw Refusal(fmt::format("{}: --size {}: {}", in_, size_, error.what()));
      }
    } else {
      file = models::from_semseg_names(std::move(file), naming, in_, &nameless);
      if (!nameless.empty()) {  // the rest is no whole network
        file.metadata.erase(models::kModelKey);
        file.metadata.erase(models::kToldByKey);
      }
      file.metadata.erase(models::kOriginKey);
      if (!file.metadata.contains(models::kModelKey) && origin != naming) {
        file.metadata[models::kOriginKey] = models::to_string(origin);
      }
      if (half_) {
        note_lost_in_half(&file);
        models::write_safetensors(out_, file, models::DType::f16);
      } else {
        models::write_weights(out_, file);
      }
    }
    note_dropped(momentum, "what only going on with the training needs (momentum, weights of the last step)", &file);
    note_dropped(nameless, "which a ResNet has no names for", &file);
    if (!common.quiet) tell_notes(in_, file.notes);
    int64_t numbers = 0;
    for (const WeightTensor& tensor : file.tensors) {
      numbers += static_cast<int64_t>(tensor.count());
    }
    const std::string names = onnx ? "onnx" : models::to_string(naming);
    if (common.json) {
      print_json({{"output", out_},
                  {"naming_in", models::to_string(was)},
                  {"naming_out", names},
                  {"tensors", file.tensors.size()},
                  {"numbers", numbers},
                  {"whole_network", model != nullptr && nameless.empty()}});
    } else if (onnx) {
      print_result(out_,
                   fmt::format("{}: {}, input {}x3x{}x{}, opset 17", one_line(out_),
                               counted(model->classes(), "class", "classes"), batch_, height, width),
                   common.quiet);
    } else {
      print_result(out_,
                   fmt::format("{}: {}, {:.2f} M numbers, names of {} (were {}'s), {}", one_line(out_),
                               counted(static_cast<int64_t>(file.tensors.size()), "tensor"),
                               static_cast<double>(numbers) / 1e6, names, models::to_string(was),
                               model != nullptr && nameless.empty() ? "a whole network" : "a backbone"),
                   common.quiet);
    }
    return 0;
  }

 private:
  /// Height and width that --size gives, as HxW or as one side.
  std::pair<int, int> height_and_width() const {
    constexpr int kMaxSide = 16384;
    const auto size = parse_size(size_.find('x') == std::string::npos ? size_ + "x" + size_ : size_);
    check<Refusal>(size && std::min(size->first, size->second) >= 1 && std::max(size->first, size->second) <= kMaxSide,
                   "--size {}: not a size, expected HxW such as 473x473, 1 to {} each", size_, kMaxSide);
    return *size;
  }

  std::string in_, out_, naming_;
  std::string size_;
  int batch_ = 0;
  bool half_ = false;
};

}  // namespace

std::unique_ptr<Command> convert_command() { return std::make_unique<ConvertCommand>(); }

}  // namespace giza::cli
