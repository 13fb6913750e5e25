// Shape, Tensor, arena and the choice of a SIMD target.
#include <bit>
#include <cstdint>
#include <set>
#include <string>
#include <thread>

#include "tensor/base/check.h"
#include "tensor/simd.h"
#include "tests/support/op_testing.h"
#include "tests/support/scopes.h"

namespace giza {
namespace {

TEST_CASE("Shape: sizes, products and text") {
  const Shape shape{2, 3, 5, 7};
  CHECK(shape.rank() == 4);
  CHECK(shape.numel() == 210);
  CHECK(shape.rows() == 30);
  CHECK(shape.last() == 7);
  CHECK(shape.str() == "[2,3,5,7]");
  CHECK(fmt::format("{}", shape) == "[2,3,5,7]");
  CHECK(shape.with(1, 9) == Shape{2, 9, 5, 7});
  CHECK(shape != Shape{2, 3, 35});
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{}.str() == "[]");
  CHECK(Shape{0, 7}.numel() == 0);
  CHECK_THROWS_AS((Shape{1, 2, 3, 4, 5}), ShapeError);
  CHECK_THROWS_AS((Shape{1, -2}), ShapeError);
  CHECK_THROWS_AS((Shape{int64_t{1} << 40, int64_t{1} << 40}), ShapeError);
  CHECK_THROWS_AS((Shape{int64_t{1} << 32, int64_t{1} << 32, 1}), ShapeError);
  CHECK_THROWS_AS((void)shape.with(4, 1), ShapeError);
}

TEST_CASE("Shape: sizes that no tensor can have are refused, beside a 0 and by with() too") {
  constexpr int64_t kHuge = int64_t{1} << 40;
  CHECK_THROWS_AS(Shape({0, kHuge, kHuge}), ShapeError);
  CHECK_THROWS_AS(Shape({1, -1}), ShapeError);
  const Shape shape{2, kHuge};
  CHECK_THROWS_AS(shape.with(0, kHuge), ShapeError);
  CHECK_THROWS_AS(shape.with(0, -1), ShapeError);
  CHECK(shape.with(0, 0).numel() == 0);
}

TEST_CASE("Tensor: rows, views and copies") {
  const Tensor x = Tensor::activation({2, 3, 5, 150});
  CHECK(x.row_stride() == padded_stride(150));
  CHECK_FALSE(x.dense());
  for (int64_t row = 0; row < x.rows(); ++row) {
    for (int64_t c = 0; c < 150; ++c) x.row(row)[c] = static_cast<float>(row * 1000 + c);
  }
  const Tensor slice = x.channel_slice(10, 20);
  CHECK(slice.shape() == Shape{2, 3, 5, 10});
  CHECK(slice.row(4)[0] == 4010.0F);
  CHECK_FALSE(x.unique());
  const Tensor item = x.batch_slice(1, 2);
  CHECK(item.shape() == Shape{1, 3, 5, 150});
  CHECK(item.row(0)[3] == 15003.0F);
  CHECK(item.channel_slice(10, 20).row(1)[9] == 16019.0F);
  const Tensor copy = slice.clone();
  CHECK(copy.dense());
  CHECK(copy.unique());
  CHECK(same_bits(copy, slice));
  slice.fill(-1.0F);
  CHECK(x.row(0)[9] == 9.0F);
  CHECK(x.row(0)[10] == -1.0F);
  CHECK(x.row(0)[20] == 20.0F);
  CHECK(copy.row(4)[0] == 4010.0F);
  CHECK(x.reshape({30, 150}).row(29)[149] == 29149.0F);
  CHECK_THROWS_AS((void)x.reshape({150, 30}), ShapeError);
  CHECK_THROWS_AS((void)x.reshape({29, 150}), ShapeError);
  CHECK(copy.reshape({10, 30}).row(1)[5] == copy.row(3)[5]);
  CHECK_THROWS_AS((void)x.channel_slice(0, 151), ShapeError);
  CHECK_THROWS_AS((void)x.channel_slice(-1, 3), ShapeError);
  CHECK_THROWS_AS((void)x.batch_slice(1, 3), ShapeError);
  CHECK_THROWS_AS((void)x.item(), ShapeError);
  CHECK_THROWS_AS(slice.copy_from(x), ShapeError);
  const float one[] = {1.0F};
  CHECK_THROWS_AS((void)Tensor::from({2}, one), ShapeError);
  CHECK(Tensor::from({1}, one).item() == 1.0F);
  CHECK(Tensor::full({2, 2}, 3.0F).to_vector() == std::vector<float>(4, 3.0F));
  CHECK_FALSE(Tensor().defined());
}

TEST_CASE("padded_stride: whole lines, and no stride that maps all pixels to few cache sets") {
  for (int64_t c = 1; c < 16; ++c) CHECK(padded_stride(c) == c);
  CHECK(padded_stride(16) == 16);
  CHECK(padded_stride(17) == 32);
  CHECK(padded_stride(150) == 160);
  CHECK(padded_stride(128) == 128);
  for (int64_t c : {256, 384, 512, 1024, 2048, 4096}) CHECK(padded_stride(c) == c + 16);
  for (int64_t c = 1; c < 5000; ++c) {
    CHECK(padded_stride(c) >= c);
    CHECK(padded_stride(c) <= c + 31);
  }
}

TEST_CASE("arena: aligned, accounted, reused, merged") {
  const ArenaStatistics before = arena_statistics();
  {
    std::vector<Tensor> blocks;
    for (int64_t size : {1, 15, 16, 17, 1000, 12345}) {
      blocks.push_back(Tensor::empty({size}));
      CHECK(reinterpret_cast<uintptr_t>(blocks.back().data()) % 64 == 0);
    }
    const ArenaStatistics during = arena_statistics();
    CHECK(during.allocations == before.allocations + 6);
    CHECK(during.in_use >= before.in_use + 4 * (1 + 15 + 16 + 17 + 1000 + 12345));
    CHECK(during.peak >= during.in_use);
    for (size_t i = 0; i < blocks.size(); ++i) blocks[i].fill(static_cast<float>(i));
    for (size_t i = 0; i < blocks.size(); ++i) {
      CHECK(blocks[i].to_vector() == std::vector<float>(static_cast<size_t>(blocks[i].numel()), static_cast<float>(i)));
    }
    blocks.erase(blocks.begin() + 2);  // holes in the middle must merge with their neighbours later
    blocks.erase(blocks.begin() + 3);
  }
  CHECK(arena_statistics().in_use == before.in_use);
  // A loop of the same sizes never reaches further than its first round.
  auto round = [] { const Tensor a = Tensor::empty({100000}), b = Tensor::empty({50000}); };
  round();
  const int64_t high_water = arena_statistics().high_water;
  for (int i = 0; i < 100; ++i) round();
  CHECK(arena_statistics().high_water == high_water);
  reset_arena_peak();
  CHECK(arena_statistics().peak == arena_statistics().in_use);
  CHECK_THROWS_AS((void)Tensor::empty({int64_t{1} << 55}), Error);
  CHECK(arena_statistics().in_use == before.in_use);
}

TEST_CASE("arena: many threads") {
  const int64_t before = arena_statistics().in_use;
  std::vector<std::thread> threads;
  std::vector<int> faults(4);
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([t, &faults] {
      std::vector<Tensor> live;
      for (int64_t i = 0; i < 2000; ++i) {
        const auto mark = static_cast<float>(t * 10000 + static_cast<size_t>(i));
        live.push_back(Tensor::full({1 + i * 37 % 500}, mark));
        if (live.size() > 20) {
          const std::vector<float> values = live[static_cast<size_t>(i % 20)].to_vector();
          for (float value : values) faults[t] += value != values[0];
          live.erase(live.begin() + i % 20);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int fault : faults) CHECK(fault == 0);
  CHECK(arena_statistics().in_use == before);
}

TEST_CASE("set_isa: the targets of this machine, what every machine of its kind has last") {
  const IsaScope restore;
  const std::vector<std::string> targets = isa_targets();
  REQUIRE_FALSE(targets.empty());
  CHECK(isa() == targets.front());
  // On x86 before Highway 1.0.5, and since; on ARM.
  const std::set<std::string> baselines = {"SCALAR", "EMU128", "SSE2", "NEON", "NEON_WITHOUT_AES"};
  CHECK(baselines.contains(targets.back()));
  for_each_target([](const std::string& target) { CHECK(isa() == target); });
  CHECK(isa() == targets.front());
  set_isa(targets.back());
  CHECK_THROWS_AS(set_isa("PDP11"), Refusal);
  CHECK(isa() == targets.back());
  set_isa("auto");
  CHECK(isa() == targets.front());
}

}  // namespace
}  // namespace giza
