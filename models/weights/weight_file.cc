// Files of weights of any format.
#include "models/weights/weight_file.h"

#include <algorithm>
#include <filesystem>

#include "models/weights/safetensors.h"
#include "tensor/check.h"

namespace giza::models {

const WeightTensor* WeightFile::find(std::string_view name) const {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const WeightTensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

WeightFile read_weights(const std::string& path) { return read_safetensors(path); }

void write_weights(const std::string& path, const WeightFile& file) {
  const std::string extension = std::filesystem::path(path).extension().string();
  check<Refusal>(extension == ".safetensors",
                 "{}: weights are not written as \"{}\", expected a name that ends in .safetensors", path, extension);
  write_safetensors(path, file);
}

}  // namespace giza::models
