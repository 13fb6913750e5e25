// The attributes of an ONNX node, and zeros to fill.
#pragma once

#include "tests/models/onnx/onnx_interpreter.h"

#ifdef GIZA_HAVE_PROTOBUF
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

namespace giza {

inline int64_t volume(const std::vector<int64_t>& shape) {
  int64_t numel = 1;
  for (const int64_t size : shape) numel *= size;
  return numel;
}

inline OnnxTensor zeros(const std::vector<int64_t>& shape) {
  return {shape, std::vector<double>(static_cast<size_t>(volume(shape)))};
}

/// The attributes of a node; each must be asked for.
class OnnxAttributes {
 public:
  explicit OnnxAttributes(const onnx::NodeProto& node) {
    for (const onnx::AttributeProto& attribute : node.attribute()) attributes_[attribute.name()] = attribute;
  }
  ~OnnxAttributes() { CHECK(attributes_.empty()); }
  OnnxAttributes(const OnnxAttributes&) = delete;
  OnnxAttributes& operator=(const OnnxAttributes&) = delete;

  std::vector<int64_t> ints(const std::string& name, std::vector<int64_t> otherwise = {}) {
    if (!attributes_.contains(name)) return otherwise;
    const onnx::AttributeProto attribute = take(name, onnx::AttributeProto::INTS);
    return {attribute.ints().begin(), attribute.ints().end()};
  }
  int64_t integer(const std::string& name) { return take(name, onnx::AttributeProto::INT).i(); }
  int64_t integer(const std::string& name, int64_t otherwise) {
    return attributes_.contains(name) ? integer(name) : otherwise;
  }
  std::string text(const std::string& name) { return take(name, onnx::AttributeProto::STRING).s(); }

 private:
  onnx::AttributeProto take(const std::string& name, onnx::AttributeProto::AttributeType type) {
    REQUIRE_MESSAGE(attributes_.contains(name), name);
    onnx::AttributeProto attribute = attributes_.at(name);
    attributes_.erase(name);
    CHECK(attribute.type() == type);
    return attribute;
  }
  std::map<std::string, onnx::AttributeProto> attributes_;
};

}  // namespace giza
#endif
