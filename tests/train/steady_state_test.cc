// In the steady state of training every buffer comes from the arena, and the arena does not grow.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "autograd/variable.h"
#include "models/pspnet.h"
#include "tensor/parallel.h"
#include "tests/support/scopes.h"
#include "tests/support/skip.h"
#include "train/optim/sgd.h"

namespace {

// What the heap gave while `watching`: the largest block, and all of them together.
std::atomic<bool> watching = false;
std::atomic<size_t> largest = 0, total = 0;

/// Null where the heap has no more.
void* counted_or_null(size_t bytes) {
  if (watching) {
    total += bytes;
    size_t before = largest;
    while (before < bytes && !largest.compare_exchange_weak(before, bytes)) {
    }
  }
  return std::malloc(std::max<size_t>(bytes, 1));
}

void* counted(size_t bytes) {
  if (void* block = counted_or_null(bytes)) return block;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(size_t bytes) { return counted(bytes); }
void* operator new[](size_t bytes) { return counted(bytes); }
// Those of std::stable_sort: one that is left out would be another allocator's, whose blocks the deletes below cannot
// free.
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return counted_or_null(bytes); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return counted_or_null(bytes); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }
void operator delete[](void* block, size_t) noexcept { std::free(block); }

namespace giza {
namespace {

TEST_CASE("a training step takes its buffers from the arena, which has them from the steps before" *
          doctest::skip(kThreadSanitizer)) {
  models::PspnetOptions options;
  options.backbone = models::ResnetOptions::of_depth(18);
  options.backbone.width = 0.25;
  options.classes = 12;
  const models::Pspnet net(options);
  train::Sgd optimizer(net.parameter_groups(10), {});
  const Tensor pictures = Tensor::full({2, 97, 65, 3}, 0.5F);
  for (int64_t i = 0; i < pictures.rows(); ++i) pictures.row(i)[i % 3] = static_cast<float>(i % 7);
  Labels labels(2, 97, 65);
  for (size_t i = 0; i < labels.values.size(); ++i) labels.values[i] = static_cast<int32_t>(i % 12);

  const auto step = [&](uint32_t iteration) {
    optimizer.zero_grad();
    const models::ParserOutput output =
        net.forward(layers::Variable(pictures), {.training = true, .seed = 1, .iteration = iteration});
    autograd::backward(net.loss(output, labels).total);
    optimizer.step(0.01);
  };
  // One thread: another would make its scratch at its first task of a kind, which on a busy machine may come late.
  const ThreadScope one(1);
  for (uint32_t i = 0; i < 3; ++i) step(i);
  const ArenaStatistics before = arena_statistics();
  watching = true;
  for (uint32_t i = 3; i < 6; ++i) step(i);
  watching = false;
  const ArenaStatistics after = arena_statistics();
  CHECK(after.high_water == before.high_water);
  CHECK(after.in_use == before.in_use);
  CHECK(after.peak == before.peak);
  // The heap holds the graph: handles, closures, lists of blocks. The smallest activation here has 13 x 9 pixels of 32
  // channels, 15 KB; the largest 50 times that.
  CHECK(largest > 0);
  CHECK(largest <= 8192);
  CHECK(total / 3 <= 4 << 20);
}

}  // namespace
}  // namespace giza
