// The ONNX operators that slide a window: convolutions and poolings.
#pragma once

#include "tests/models/onnx/onnx_attributes.h"

#ifdef GIZA_HAVE_PROTOBUF

namespace giza {

OnnxTensor conv(const OnnxTensor& x, const OnnxTensor& w, const OnnxTensor& bias, OnnxAttributes& attributes);
OnnxTensor conv_transpose(const OnnxTensor& x, const OnnxTensor& w, OnnxAttributes& attributes);
/// Means or maxima of windows; of maxima, `places` gets their indices in all of x.
OnnxTensor pool(const OnnxTensor& x, bool max, OnnxAttributes& attributes, OnnxTensor* places);
/// x at the places that pool told, 0 elsewhere.
OnnxTensor unpool(const OnnxTensor& x, const OnnxTensor& places, const OnnxTensor& size, OnnxAttributes& attributes);

}  // namespace giza
#endif
