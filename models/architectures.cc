// The factory: one row for each network.
#include <array>

#include "models/pspnet.h"

namespace giza::models {

std::span<const Architecture> architectures() {
  static const std::array rows = {pspnet_architecture(), baseline_architecture()};
  return rows;
}

}  // namespace giza::models
