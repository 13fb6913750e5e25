// Memory of tensors: blocks of the process's one arena, a reserved range of addresses backed by huge pages where the
// kernel grants them, cut into 64-byte aligned blocks, first fit with coalescing. Memory that was touched once stays
// with the process and is reused, because first-touch page faults cost more than the arithmetic on many layers.
// Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace giza {

struct ArenaStatistics {
  int64_t in_use = 0;       ///< bytes in live blocks
  int64_t peak = 0;         ///< the most bytes ever in live blocks
  int64_t high_water = 0;   ///< bytes from the arena's start to the end of the furthest block ever used
  int64_t allocations = 0;  ///< number of allocations so far
};
ArenaStatistics arena_statistics();
/// Sets peak back to in_use.
void reset_arena_peak();

/// A block of the arena, 64-byte aligned, contents undefined. Throws OutOfMemory, naming the size, when memory does not
/// suffice.
void* arena_allocate(size_t bytes);
/// Gives back a block of that size.
void arena_release(void* block, size_t bytes);

/// For standard containers of data as large as a tensor.
template <class T>
struct ArenaAllocator {
  using value_type = T;
  ArenaAllocator() = default;
  template <class U>
  ArenaAllocator(const ArenaAllocator<U>&) {}  // NOLINT(google-explicit-constructor): as containers ask for
  T* allocate(size_t count) { return static_cast<T*>(arena_allocate(count * sizeof(T))); }
  void deallocate(T* block, size_t count) { arena_release(block, count * sizeof(T)); }
  template <class U>
  bool operator==(const ArenaAllocator<U>&) const {
    return true;
  }
};

/// A block of floats. Shared by all tensors that view it; freed into the arena with the last of them.
class Storage {
 public:
  /// 64-byte aligned, contents undefined. Throws OutOfMemory, naming the size, when memory does not suffice.
  static std::shared_ptr<Storage> allocate(size_t floats);

  Storage(float* data, size_t floats) : data_(data), floats_(floats) {}
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  float* data() const { return data_; }
  size_t floats() const { return floats_; }

 private:
  float* data_;
  size_t floats_;
};

}  // namespace giza
