// Runs the few ONNX operators that giza writes, naively and in double precision, from the operators' specification.
#pragma once

#ifdef GIZA_HAVE_PROTOBUF
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/onnx/onnx.pb.h"

namespace giza {

/// A dense tensor; integers are held as doubles.
struct OnnxTensor {
  std::vector<int64_t> shape;
  std::vector<double> data;
};

/// Every value of the graph by name. Fails the running test for a graph that is not valid: a value read before it is
/// made or made twice, a wrong declared shape, an attribute, operator or constant that should not be there.
std::map<std::string, OnnxTensor> run_onnx(const onnx::GraphProto& graph, const OnnxTensor& input);

}  // namespace giza
#endif
