// Temporary arrays of ops, in the arena.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include "tensor/storage.h"

namespace giza::ops {

/// `count` values of T, contents undefined, 64-byte aligned, given back to the arena at the end of the scope.
template <class T>
class Scratch {
  static_assert(std::is_trivial_v<T>);

 public:
  explicit Scratch(int64_t count)
      : storage_(Storage::allocate((static_cast<size_t>(count) * sizeof(T) + sizeof(float) - 1) / sizeof(float))) {}

  T* data() const { return reinterpret_cast<T*>(storage_->data()); }
  T& operator[](int64_t i) const { return data()[i]; }

 private:
  std::shared_ptr<Storage> storage_;
};

}  // namespace giza::ops
