// ONNX export: a frozen network of one input size as a graph of plain operators (docs/onnx.md).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "models/scene_parser.h"

namespace giza::models {

struct OnnxOptions {
  int64_t height = 473, width = 473;  ///< of the input; a graph has one size
  int64_t batch = 1;
  /// What the input is normalised with, for the description in the file: (RGB - mean) / std. Not part of the graph.
  std::array<double, 3> mean = {123.675, 116.28, 103.53};
  std::array<double, 3> std = {58.395, 57.12, 57.375};
  std::map<std::string, std::string> metadata = {};  ///< entries of the file's metadata beside giza's own
};

/// False where giza was built without Protocol Buffers.
bool onnx_available();

/// Writes `model` as FrozenParser computes it, batch norm folded into the convolutions, in operator set 17:
/// "input" [N,3,H,W] float32 -> "logits" [N,classes,H,W]. Initializers have semseg's names, the convolutions a ".bias"
/// beside their ".weight". The metadata has "classes", "mean", "std" and kModelKey (models/weights/infer.h).
/// The same model and options give the same bytes. The file is written whole or not at all.
/// Throws Refusal "PATH: ..." without onnx_available(), for sizes or a batch below 1 or above 16384, and for a file
/// above the 2 GB that the format allows; Error when writing fails.
void export_onnx(const std::string& path, const SceneParser& model, const OnnxOptions& options = {});

}  // namespace giza::models
