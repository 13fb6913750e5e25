// What the tests of configurations share: semseg's files, and the message that a refused text ends in.
#pragma once

#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "train/config/config.h"

namespace giza::train {

/// The path of a file in tests/golden.
inline std::string golden(const std::string& name) { return std::string(GIZA_SOURCE_DIR) + "/tests/golden/" + name; }

/// The message of the refusal that parsing ends in, as of a file f.yaml; empty if there is none.
inline std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse_config(text, "f.yaml", overrides);
  } catch (const Refusal& error) {
    return error.what();
  }
  return "";
}

}  // namespace giza::train
