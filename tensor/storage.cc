// The arena.
#include "tensor/storage.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>

#include "tensor/check.h"

namespace giza {
namespace {

constexpr size_t kAlign = 64;
constexpr size_t kHugePage = size_t{2} << 20;

class Arena {
 public:
  static Arena& instance() {
    // Never destroyed: tensors of static duration may outlive any order of destruction.
    static auto* arena = new Arena;
    return *arena;
  }

  char* allocate(size_t bytes) {
    bytes = (bytes + kAlign - 1) / kAlign * kAlign;
    const std::lock_guard lock(mutex_);
    // First fit by address keeps the live blocks together at the low end, where pages are already touched.
    auto block = std::find_if(free_.begin(), free_.end(), [&](const auto& b) { return b.second >= bytes; });
    check<Error>(block != free_.end(), "out of memory: {:.1f} MiB more than the {:.1f} MiB in use", bytes / 1048576.0,
                 statistics_.in_use / 1048576.0);
    const auto [offset, size] = *block;
    free_.erase(block);
    if (size > bytes) free_.emplace(offset + bytes, size - bytes);
    statistics_.in_use += static_cast<int64_t>(bytes);
    statistics_.peak = std::max(statistics_.peak, statistics_.in_use);
    statistics_.high_water = std::max(statistics_.high_water, static_cast<int64_t>(offset + bytes));
    ++statistics_.allocations;
    return base_ + offset;
  }

  void release(char* data, size_t bytes) {
    bytes = (bytes + kAlign - 1) / kAlign * kAlign;
    const std::lock_guard lock(mutex_);
    statistics_.in_use -= static_cast<int64_t>(bytes);
    auto offset = static_cast<size_t>(data - base_);
    auto next = free_.lower_bound(offset);
    if (next != free_.end() && next->first == offset + bytes) {
      bytes += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin()) {
      auto previous = std::prev(next);
      if (previous->first + previous->second == offset) {
        previous->second += bytes;
        return;
      }
    }
    free_.emplace(offset, bytes);
  }

  ArenaStatistics statistics() {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    statistics_.peak = statistics_.in_use;
  }

 private:
  Arena() {
    // Addresses only: a page costs memory when it is first written. All of physical memory is reserved, less where a
    // limit on addresses (ulimit -v) forbids it.
    size_t bytes = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void* base = MAP_FAILED;
    for (; bytes >= 64 * kHugePage; bytes /= 2) {
      base =
          mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (base != MAP_FAILED) break;
    }
    check<Error>(base != MAP_FAILED, "arena: cannot reserve memory");
    auto address = (reinterpret_cast<uintptr_t>(base) + kHugePage - 1) / kHugePage * kHugePage;
    base_ = reinterpret_cast<char*>(address);
    madvise(base_, bytes, MADV_HUGEPAGE);
    free_.emplace(0, bytes / kHugePage * kHugePage);
  }

  std::mutex mutex_;
  char* base_ = nullptr;
  std::map<size_t, size_t> free_;  // offset -> bytes; neighbours are always merged
  ArenaStatistics statistics_;
};

}  // namespace

ArenaStatistics arena_statistics() { return Arena::instance().statistics(); }

void reset_arena_peak() { Arena::instance().reset_peak(); }

void* arena_allocate(size_t bytes) { return Arena::instance().allocate(std::max<size_t>(bytes, 1)); }

void arena_release(void* block, size_t bytes) {
  Arena::instance().release(static_cast<char*>(block), std::max<size_t>(bytes, 1));
}

std::shared_ptr<Storage> Storage::allocate(size_t floats) {
  check<Error>(floats < (size_t{1} << 60), "out of memory: {} floats asked for", floats);
  const size_t size = std::max<size_t>(floats, 1);
  return std::make_shared<Storage>(static_cast<float*>(arena_allocate(size * sizeof(float))), size);
}

Storage::~Storage() { arena_release(data_, floats_ * sizeof(float)); }

}  // namespace giza
