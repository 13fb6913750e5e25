// Files of weights of any format.
#include "models/weights/weight_file.h"

#include <algorithm>
#include <filesystem>

#include "models/weights/pth.h"
#include "models/weights/safetensors.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"

namespace giza::models {

const WeightTensor* WeightFile::find(std::string_view name) const {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const WeightTensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

WeightFile read_weights(const std::string& path) {
  std::string first;
  {
    const InputFile file(path, "a file of weights (.safetensors or .pth)");
    first = file.read_at(0, std::min<uint64_t>(file.size(), 4));
  }
  return is_pth(first) ? read_pth(path) : read_safetensors(path);
}

void write_weights(const std::string& path, const WeightFile& file) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension == ".pth" || extension == ".pt") return write_pth(path, file);
  check<Refusal>(extension == ".safetensors",
                 "{}: weights are not written as \"{}\", expected a name that ends in .safetensors, .pth or .pt", path,
                 extension);
  write_safetensors(path, file);
}

}  // namespace giza::models
