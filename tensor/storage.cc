// The arena.
#include "tensor/storage.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/memory.h"
#include "tensor/detail/arena.h"
#include "tensor/dry_run.h"

namespace giza {
namespace {

constexpr size_t kAlign = 64;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kFewestBytes = 32 * kHugePage;

// The process's own arena.
Arena& own_arena() {
  // Never destroyed: tensors of static duration may outlive any order of destruction.
  static auto* arena = [] {
    // All of physical memory.
    const size_t bytes = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return new Arena(bytes, Arena::Pages::huge);
  }();
  return *arena;
}

constinit thread_local Arena* other_arena = nullptr;

Arena& current_arena() { return other_arena != nullptr ? *other_arena : own_arena(); }

}  // namespace

Arena::Arena(size_t bytes, Pages pages) {
  // Addresses only: a page costs memory when it is first written. Where a limit on addresses (ulimit -v) forbids so
  // many, half of those that can be had: threads, pictures and libraries need some too.
  void* base = MAP_FAILED;
  const size_t wanted = bytes;
  for (; bytes >= kFewestBytes; bytes /= 2) {
    const size_t asked = bytes == wanted ? bytes : 2 * bytes;
    mapped_ = asked + kHugePage;
    base = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) continue;
    if (asked > bytes) {
      munmap(static_cast<char*>(base) + bytes + kHugePage, asked - bytes);
      mapped_ = bytes + kHugePage;
    }
    break;
  }
  check<Error>(
      base != MAP_FAILED,
      "out of memory: {} MB of addresses are the fewest for tensors, and there are not twice as many; raise the "
      "limit (ulimit -v), or use fewer threads",
      kFewestBytes >> 20);
  mapping_ = base;
  const uintptr_t past = reinterpret_cast<uintptr_t>(base) % kHugePage;
  base_ = static_cast<char*>(base) + (past == 0 ? 0 : kHugePage - past);
  size_ = bytes / kHugePage * kHugePage;
  madvise(base_, bytes, pages == Pages::huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  if (pages == Pages::small) granted_ = size_;
  free_.emplace(0, size_);
}

Arena::~Arena() { munmap(mapping_, mapped_); }

char* Arena::allocate(size_t bytes) {
  bytes = (bytes + kAlign - 1) / kAlign * kAlign;
  const std::lock_guard lock(mutex_);
  // First fit by address keeps the live blocks together at the low end, where pages are already touched.
  auto block = std::find_if(free_.begin(), free_.end(), [&](const auto& b) { return b.second >= bytes; });
  check<OutOfMemory>(
      block != free_.end(),
      "out of memory: tensors of {:.1f} MB are held, {:.1f} MB more are asked for, and there are addresses for "
      "{:.1f} MB; use a smaller batch, crop or model, or raise the limit on addresses (ulimit -v)",
      static_cast<double>(statistics_.in_use) / 1e6, static_cast<double>(bytes) / 1e6,
      static_cast<double>(size_) / 1e6);
  const auto [offset, size] = *block;
  check_grows_to(offset + bytes);
  free_.erase(block);
  if (size > bytes) free_.emplace(offset + bytes, size - bytes);
  statistics_.in_use += static_cast<int64_t>(bytes);
  statistics_.peak = std::max(statistics_.peak, statistics_.in_use);
  statistics_.high_water = std::max(statistics_.high_water, static_cast<int64_t>(offset + bytes));
  ++statistics_.allocations;
  return base_ + offset;
}

/// The system promises any amount of memory, and kills whoever takes the promise seriously: so its figures are asked
/// before the arena grows, in steps that make the question cheap.
void Arena::check_grows_to(size_t end) {
  constexpr size_t kStep = size_t{64} << 20;
  if (end <= granted_) return;
  // What was granted and not written yet is still counted as free, so it is the whole that has to fit.
  const int64_t all = most_bytes();
  check<OutOfMemory>(
      static_cast<int64_t>(end) <= all,
      "out of memory: tensors of {:.1f} GB are held, {:.1f} GB more are asked for, and there are {:.1f} GB in "
      "all; use a smaller batch, crop or model (`giza plan` says what fits)",
      static_cast<double>(statistics_.in_use) / 1e9, static_cast<double>(end - granted_) / 1e9,
      static_cast<double>(all) / 1e9);
  granted_ = std::min(size_, end + kStep);
}

void Arena::release(char* data, size_t bytes) {
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

ArenaStatistics Arena::statistics() {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

void Arena::reset_peak() {
  const std::lock_guard lock(mutex_);
  statistics_.peak = statistics_.in_use;
}

Arena* detail::use_arena(Arena* arena) { return std::exchange(other_arena, arena); }

ArenaStatistics arena_statistics() { return current_arena().statistics(); }

void reset_arena_peak() { current_arena().reset_peak(); }

void* arena_allocate(size_t bytes) { return current_arena().allocate(std::max<size_t>(bytes, 1)); }

void arena_release(void* block, size_t bytes) {
  auto* data = static_cast<char*>(block);
  // What was allocated before a dry run may be given back within it.
  Arena& arena = other_arena != nullptr && other_arena->holds(data) ? *other_arena : own_arena();
  arena.release(data, std::max<size_t>(bytes, 1));
}

std::shared_ptr<Storage> Storage::allocate(size_t floats) {
  check<Error>(floats < (size_t{1} << 60), "out of memory: {} floats asked for", floats);
  const size_t size = std::max<size_t>(floats, 1);
  return std::make_shared<Storage>(static_cast<float*>(arena_allocate(size * sizeof(float))), size);
}

Storage::~Storage() { arena_release(data_, floats_ * sizeof(float)); }

}  // namespace giza
