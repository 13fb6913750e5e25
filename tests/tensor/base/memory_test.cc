// How much memory may be taken.
#include "tensor/base/memory.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tensor/base/check.h"
#include "tensor/tensor.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza {
namespace {

TEST_CASE("the memory that may be taken: free memory, or what a control group leaves of either version") {
  TempFolder root;
  const auto put = [&](const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root.file(path)).parent_path());
    write_bytes(root.file(path), text);
  };
  put("proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable:  8000000 kB\n");
  put("proc/self/cgroup", "0::/jobs/seven\n");
  CHECK(memory_limit(root.path()).bytes == 8192000000);
  CHECK(memory_limit(root.path()).source == "free memory");

  CHECK(most_bytes(root.path()) == 8192000000);
  put("proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable:  8000000 kB\nSwapFree: 1000000 kB\n");
  CHECK(memory_limit(root.path()).bytes == 8192000000);
  CHECK(most_bytes(root.path()) == 9216000000);

  put("sys/fs/cgroup/jobs/seven/memory.max", "max\n");
  put("sys/fs/cgroup/jobs/seven/memory.current", "5000\n");
  CHECK(memory_limit(root.path()).bytes == 8192000000);
  // The parent's limit holds for its children; files that nobody reads any more count as free.
  put("sys/fs/cgroup/jobs/memory.max", "2000000000\n");
  put("sys/fs/cgroup/jobs/memory.current", "700000000\n");
  put("sys/fs/cgroup/jobs/memory.stat", "anon 1\ninactive_file 200000000\n");
  CHECK(memory_limit(root.path()).bytes == 1500000000);
  CHECK(memory_limit(root.path()).source == "control group /jobs");

  put("proc/self/cgroup", "5:cpu:/else\n4:memory,hugetlb:/old\n");
  put("sys/fs/cgroup/memory/old/memory.limit_in_bytes", "1000000000\n");
  put("sys/fs/cgroup/memory/old/memory.usage_in_bytes", "400000000\n");
  put("sys/fs/cgroup/memory/old/memory.stat", "total_inactive_file 100000000\n");
  CHECK(memory_limit(root.path()).bytes == 700000000);
  CHECK(memory_limit(root.path()).source == "control group /old");
}

TEST_CASE("a tensor larger than all memory is an error, not the end of the process") {
  // Within the addresses that the arena has, which are as many as the machine has memory.
  const int64_t free_floats = most_bytes() / 4;
  CHECK(contains(message_of<Error>([&] { Tensor::empty({free_floats + (int64_t{64} << 20)}); }), "out of memory"));
  CHECK(Tensor::zeros({5}).numel() == 5);
}

}  // namespace
}  // namespace giza
