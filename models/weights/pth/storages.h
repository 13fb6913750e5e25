// From the storages of a .pth to dense tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/weights/pth/objects.h"
#include "models/weights/weight_file.h"
#include "tensor/base/file.h"

namespace giza::models {

/// Where the numbers of a storage stand in the file, and their checksum where the form has one.
struct StoragePlace {
  uint64_t offset = 0;
  std::optional<uint32_t> crc;
  bool big_endian = false;  ///< the bytes of each number in reverse
};

/// Reads each storage that a weight uses, once, and copies its views out. Beside the result, memory holds one storage.
/// places[i] is that of objects.storages[i]. Throws Refusal for a wrong checksum or what cannot be read.
std::vector<WeightTensor> read_pth_tensors(const InputFile& file, const PthObjects& objects,
                                           const std::vector<StoragePlace>& places);

/// What a reader says where a file goes on behind what torch.save wrote, fit for WeightFile::notes.
std::string bytes_behind_note(uint64_t bytes);

}  // namespace giza::models
