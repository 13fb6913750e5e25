// The checksum that giza's checkpoints carry.
#include "models/weights/checksum.h"

#include <bit>
#include <string_view>

#include "tensor/base/check.h"
#include "tensor/base/hash.h"

namespace giza::models {

std::string checksum(const WeightFile& file) {
  Fnv1a hash;
  const auto add_text = [&](std::string_view text) {
    hash.add_word(text.size());
    hash.add_bytes(text);
  };
  for (const auto& [key, value] : file.metadata) {
    if (key == kChecksumKey) continue;
    add_text(key);
    add_text(value);
  }
  for (const WeightTensor& tensor : file.tensors) {
    add_text(tensor.name);
    for (const int64_t size : tensor.shape) hash.add_word(static_cast<uint64_t>(size));
    for (const int64_t value : tensor.integers) hash.add_word(static_cast<uint64_t>(value));
    for (const float value : tensor.data) hash.add_word(std::bit_cast<uint32_t>(value));
  }
  return fmt::format("{:016x}", hash.value());
}

void check_checksum(const WeightFile& file, const std::string& place) {
  const auto told = file.metadata.find(kChecksumKey);
  check<Refusal>(told != file.metadata.end() || !file.metadata.contains(kCheckpointKey),
                 "{}: a checkpoint without its checksum: the file is corrupt, or another program changed it; use an "
                 "older checkpoint, or copy it again",
                 place);
  check<Refusal>(
      told == file.metadata.end() || told->second == checksum(file),
      "{}: the checksum does not fit the contents: the file is corrupt, or another program changed it; use an "
      "older checkpoint, or copy it again",
      place);
}

}  // namespace giza::models
