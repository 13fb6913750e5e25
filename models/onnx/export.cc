// ONNX export.
#include "models/onnx/export.h"

#include <climits>

#include "tensor/base/check.h"
#include "tensor/base/file.h"

#ifdef GIZA_HAVE_PROTOBUF
#include "models/onnx/detail/parser_graph.h"
#endif

namespace giza::models {

#ifdef GIZA_HAVE_PROTOBUF

namespace {
constexpr int64_t kMaxSide = 16384, kMaxBatch = 16384;
}

bool onnx_available() { return true; }

void export_onnx(const std::string& path, const SceneParser& model, const OnnxOptions& options) {
  const auto in_range = [](int64_t value, int64_t most) { return value >= 1 && value <= most; };
  check<Refusal>(
      in_range(options.height, kMaxSide) && in_range(options.width, kMaxSide) && in_range(options.batch, kMaxBatch),
      "{}: a batch of {} inputs of {} x {} cannot be exported; expected a height, width and batch of 1 to {}", path,
      options.batch, options.height, options.width, kMaxSide);
  const auto check_size = [&](size_t bytes) {
    check<Refusal>(bytes <= size_t{INT_MAX},
                   "{}: the model would take {} bytes, an ONNX file at most {}; export a narrower or shallower network",
                   path, bytes, INT_MAX);
  };
  // Before anything is copied; the graph itself adds little.
  size_t bytes = 0;
  for (const auto& parameter : model.parameters()) {
    if (!is_auxiliary(parameter.name)) bytes += static_cast<size_t>(parameter.variable.value().numel()) * 4;
  }
  check_size(bytes);
  std::string encoded;
  {
    const onnx::ModelProto onnx = parser_onnx(model, options);
    check_size(onnx.ByteSizeLong());
    check<Error>(onnx.SerializeToString(&encoded), "{}: the model cannot be encoded", path);
  }
  write_file(path, encoded);
}

#else

bool onnx_available() { return false; }

void export_onnx(const std::string& path, const SceneParser& /*model*/, const OnnxOptions& /*options*/) {
  throw Refusal(path +
                ": this build cannot write ONNX files; install libprotobuf-dev and protobuf-compiler and build again");
}

#endif

}  // namespace giza::models
