// The stored picture files of all kinds (tests/golden/make_picture_variants.py).
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "tensor/base/file.h"

namespace giza {

class PictureVariants {
 public:
  PictureVariants() : files_(read_file(kPath + ".bin", size_t{1} << 22)) {
    std::ifstream json(kPath + ".json");
    entries_ = nlohmann::json::parse(json);
  }

  const nlohmann::json& entries() const { return entries_; }
  std::span<const uint8_t> bytes(const nlohmann::json& entry) const {
    return std::span(files_).subspan(entry.at("begin"), entry.at("size"));
  }
  /// Writes the file of this name to `path`.
  void write(const std::string& name, const std::string& path) const {
    for (const auto& entry : entries_) {
      if (entry.at("name") == name) return write_file(path, bytes(entry), OutputFile::Durability::unsynced);
    }
    FAIL("no picture variant " << name);
  }

 private:
  inline static const std::string kPath = GIZA_SOURCE_DIR "/tests/golden/picture_variants";
  std::vector<uint8_t> files_;
  nlohmann::json entries_;
};

}  // namespace giza
