// What a zip archive is by the names of its records.
#include "models/weights/pth/archive_kind.h"

#include <algorithm>
#include <string_view>

#include "tensor/base/check.h"
#include "tensor/base/text.h"

namespace giza::models {

void check_archive_kind(std::span<const ZipRecord> records, const std::string& path) {
  const auto any = [&](const auto& fits) {
    return std::any_of(records.begin(), records.end(),
                       [&](const ZipRecord& record) { return fits(std::string_view(record.name)); });
  };
  const auto has = [&](std::string_view name) {  // in any folder
    return any([&](std::string_view each) {
      return each.ends_with(name) && (each.size() == name.size() || each[each.size() - name.size() - 1] == '/');
    });
  };
  check<Refusal>(!has("constants.pkl") && !has("bytecode.pkl"),
                 "{}: this is a TorchScript program, expected weights; in Python save its weights alone: "
                 "torch.save(torch.jit.load(FILE).state_dict(), OTHER)",
                 path);
  check<Refusal>(!has("archive_format") && !has("serialized_exported_program.json") && !has("models/model.json"),
                 "{}: this is a program of torch.export (.pt2), expected weights; in Python save its weights alone: "
                 "torch.save(torch.export.load(FILE).state_dict, OTHER)",
                 path);
  if (any([](std::string_view name) { return name.ends_with("/data.pkl"); })) return;
  check<Refusal>(!has("model.weights.h5") && !has("saved_model.pb"),
                 "{}: this is a model of Keras or TensorFlow, expected weights (.safetensors, or .pth of torch.save); "
                 "convert it with its own framework",
                 path);
  const auto is_array = [](std::string_view name) { return name.ends_with(".npy"); };
  check<Refusal>(!any(is_array),
                 "{}: this is an archive of NumPy arrays (.npz), expected weights; in Python: "
                 "torch.save({{name: torch.from_numpy(a) for name, a in numpy.load(FILE).items()}}, OTHER)",
                 path);
  const auto weights = std::find_if(records.begin(), records.end(), [](const ZipRecord& record) {
    const std::string_view name = record.name;
    return name.ends_with(".pth") || name.ends_with(".pt") || name.ends_with(".safetensors") || name.ends_with(".ckpt");
  });
  check<Refusal>(weights == records.end(), "{}: this is a zip archive around {}; unpack it first", path,
                 weights == records.end() ? "" : quotable(weights->name));
  throw Refusal(fmt::format(
      "{}: this is a zip archive of other things (the first: {}): it holds no data.pkl, expected a file as torch.save "
      "writes it",
      path, records.empty() ? "none" : quotable(records.front().name)));
}

}  // namespace giza::models
