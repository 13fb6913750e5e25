// The test protocol as options.
#include "train/config/protocol.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "tensor/base/check.h"

namespace giza::train {

void ProtocolOptions::validate() const {
  check<Refusal>(base_size >= 0 && crop_h >= 0 && crop_w >= 0 && (crop_h == 0) == (crop_w == 0),
                 "test protocol: base size {}, crop {} x {}; expected sizes above 0, or both 0 for whole pictures",
                 base_size, crop_h, crop_w);
  check<Refusal>(
      !scales.empty() && std::all_of(scales.begin(), scales.end(), [](double s) { return s > 0 && s <= 100; }),
      "test protocol: scales [{}], expected one or more above 0", fmt::join(scales, ", "));
  check<Refusal>(stride_rate > 0 && stride_rate <= 1, "test protocol: stride rate {}, expected in (0, 1]", stride_rate);
  check<Refusal>(batch >= 1, "test protocol: {} tiles at a time, expected at least 1", batch);
  if (crf) crf->validate();
}

std::string protocol_name(const ProtocolOptions& options) {
  const bool single = options.scales.size() == 1 && options.scales[0] == 1.0;
  std::string name = single ? "single-scale" : fmt::format("scales {}", fmt::join(options.scales, ", "));
  name += options.base_size > 0 ? fmt::format(", long side {}", options.base_size) : ", picture's own size";
  name += options.crop_h > 0
              ? fmt::format(", tiles {}x{} at stride rate {:.3f}", options.crop_h, options.crop_w, options.stride_rate)
              : ", whole picture";
  if (Normalization{options.mean, options.std} != Normalization{}) {
    name +=
        fmt::format(", RGB minus ({}) divided by ({})", fmt::join(options.mean, ", "), fmt::join(options.std, ", "));
  }
  name += options.mirror ? ", mirrored" : ", not mirrored";
  return options.crf ? fmt::format("{}, {}", name, crf_name(*options.crf)) : name;
}

}  // namespace giza::train
