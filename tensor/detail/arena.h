// A range of addresses, cut into blocks. For storage.cc and dry_run.cc; everyone else uses tensor/storage.h.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

#include "tensor/storage.h"

namespace giza {

class Arena {
 public:
  enum class Pages { huge, small };

  /// Reserves `bytes` of addresses, or as many as can be had; memory is used when a page is first written. Where the
  /// pages are huge, they are going to be written.
  Arena(size_t bytes, Pages pages);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Throws Error where there are not so many, or would be used than the system has left.
  char* allocate(size_t bytes);
  void release(char* data, size_t bytes);
  bool holds(const char* data) const { return data >= base_ && data < base_ + size_; }
  ArenaStatistics statistics();
  void reset_peak();

 private:
  void check_grows_to(size_t end);

  std::mutex mutex_;
  void* mapping_ = nullptr;
  size_t mapped_ = 0, size_ = 0;
  char* base_ = nullptr;
  size_t granted_ = 0;             // bytes from the base that the system had room for when they were first asked for
  std::map<size_t, size_t> free_;  // offset -> bytes; neighbours are always merged
  ArenaStatistics statistics_;
};

}  // namespace giza
