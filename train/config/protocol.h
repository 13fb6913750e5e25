// The test protocol as options.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/config/crf_options.h"
#include "train/data/transforms.h"

namespace giza::train {

/// How a picture is turned into probabilities (the authors' test code, "semseg").
struct ProtocolOptions {
  int base_size = 512;             ///< long side at scale 1; 0: the picture's own
  int crop_h = 473, crop_w = 473;  ///< the tile; 0, 0: one tile, the whole scaled picture
  std::vector<double> scales = {1.0};
  bool mirror = true;            ///< average each tile with its mirrored self
  double stride_rate = 2.0 / 3;  ///< tiles step by ceil(crop * stride_rate)
  int batch = 4;                 ///< tiles that run together; no part of the result
  Rgb mean = kImageNetMean;
  Rgb std = kImageNetStd;
  std::optional<CrfOptions> crf = {};  ///< on the averaged probabilities, with the picture as it is

  /// Throws Refusal for values that make no sense.
  void validate() const;
};

/// Exactly what was done, in words: "single-scale, long side 512, tiles 473x473 at stride rate 0.667, mirrored"; with
/// crf_name behind it where there is a CRF.
std::string protocol_name(const ProtocolOptions& options);

}  // namespace giza::train
