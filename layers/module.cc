// Collecting the named state of a tree of modules.
#include "layers/module.h"

#include "tensor/base/check.h"
#include "tensor/ops/elementwise.h"

namespace giza::layers {

Variable Module::add_parameter(std::string name, Tensor value) {
  entries_.push_back({std::move(name), Variable(std::move(value), true), Tensor(), nullptr});
  return entries_.back().parameter;
}

Tensor Module::add_buffer(std::string name, Tensor value) {
  entries_.push_back({std::move(name), Variable(), std::move(value), nullptr});
  return entries_.back().buffer;
}

void Module::add_child(std::string name, Module& child) {
  child.prepend_path(path_.empty() ? name : path_ + "." + name);
  entries_.push_back({std::move(name), Variable(), Tensor(), &child});
}

void Module::prepend_path(const std::string& prefix) {
  path_ = path_.empty() ? prefix : prefix + "." + path_;
  for (const Entry& entry : entries_) {
    if (entry.child != nullptr) entry.child->prepend_path(prefix);
  }
}

std::vector<NamedParameter> Module::parameters() const {
  std::vector<NamedParameter> list;
  collect("", &list, nullptr);
  return list;
}

std::vector<NamedBuffer> Module::buffers() const {
  std::vector<NamedBuffer> list;
  collect("", nullptr, &list);
  return list;
}

std::string Module::first_non_finite() const {
  for (const NamedParameter& parameter : parameters()) {
    if (!ops::all_finite(parameter.variable.value())) return parameter.name;
  }
  return first_non_finite_buffer();
}

std::string Module::first_non_finite_buffer() const {
  for (const NamedBuffer& buffer : buffers()) {
    if (!ops::all_finite(buffer.tensor)) return buffer.name;
  }
  return {};
}

void Module::collect(const std::string& prefix, std::vector<NamedParameter>* parameters,
                     std::vector<NamedBuffer>* buffers) const {
  for (const Entry& entry : entries_) {
    const std::string name = prefix + entry.name;
    if (entry.child != nullptr) {
      entry.child->collect(name + ".", parameters, buffers);
    } else if (entry.parameter.defined()) {
      if (parameters != nullptr) parameters->push_back({name, entry.parameter});
    } else if (buffers != nullptr) {
      buffers->push_back({name, entry.buffer});
    }
  }
}

}  // namespace giza::layers
