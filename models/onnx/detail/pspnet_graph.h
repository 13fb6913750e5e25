// PSPNet as an ONNX model in memory.
#pragma once

#include "models/onnx/export.h"
#include "models/onnx/onnx.pb.h"

namespace giza::models {

/// The model as export_onnx describes it, sizes unchecked.
onnx::ModelProto pspnet_onnx(const Pspnet& model, const OnnxOptions& options);

}  // namespace giza::models
