// A network as an ONNX model in memory.
#pragma once

#include "models/onnx/export.h"
#include "models/onnx/onnx.pb.h"

namespace giza::models {

/// What export_onnx writes.
onnx::ModelProto parser_onnx(const SceneParser& model, const OnnxOptions& options);

}  // namespace giza::models
