// Philox4x32-10: Random123's known answers, and the streams made of it.
#include "tensor/random.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <set>

namespace giza {
namespace {

using Block = std::array<uint32_t, 4>;

TEST_CASE("philox: known answers of Random123 (tests/kat_vectors)") {
  CHECK(philox({0, 0, 0, 0}, 0) == Block{0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8});
  CHECK(philox({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, 0xFFFFFFFFFFFFFFFF) ==
        Block{0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD});
  // The key's first word is its low one.
  CHECK(philox({0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344}, 0x299F31D0A4093822) ==
        Block{0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1});
}

TEST_CASE("Random: a draw is a pure function of seed, purpose, epoch, item and index") {
  const Random random(11, Purpose::crop, 3, 5);
  Random cursor = random;
  for (uint32_t i = 0; i < 100; ++i) CHECK(cursor.next_bits() == random.bits(i));
  std::set<uint32_t> seen;
  for (uint64_t seed : {0, 1}) {
    for (Purpose purpose : {Purpose::init, Purpose::dropout}) {
      for (uint32_t epoch : {0U, 1U}) {
        for (uint32_t item : {0U, 1U}) {
          for (uint32_t i = 0; i < 64; ++i) seen.insert(Random(seed, purpose, epoch, item).bits(i));
        }
      }
    }
  }
  // 1024 draws of 32 bits: a collision has a chance of 1 in 8000, and these draws never change.
  CHECK(seen.size() == 1024);
}

TEST_CASE("Random: the key is the seed, the counter is epoch, item, purpose and block") {
  const Random random(11, Purpose::crop, 3, 5);
  const Block second = philox({3, 5, static_cast<uint32_t>(Purpose::crop), 1}, 11);
  for (uint32_t i = 0; i < 4; ++i) CHECK(random.bits(4 + i) == second[i]);
}

TEST_CASE("Random: a normal number is Box and Muller's of two draws") {
  const Random random(7, Purpose::test);
  Random walk = random;
  for (uint32_t i = 0; i < 50; ++i) {
    const auto u = static_cast<double>(random.uniform(2 * i)), v = static_cast<double>(random.uniform(2 * i + 1));
    const double expected = std::sqrt(-2 * std::log1p(-u)) * std::cos(2 * std::acos(-1.0) * v);
    CHECK(static_cast<double>(walk.next_normal()) == doctest::Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("Random: ranges and moments") {
  Random random(1, Purpose::test);
  double sum = 0, squares = 0;
  for (int i = 0; i < 20000; ++i) {
    const float u = random.next_uniform();
    CHECK((u >= 0.0F && u < 1.0F));
    sum += static_cast<double>(u);
  }
  CHECK(std::abs(sum / 20000 - 0.5) < 0.01);  // deviation of the mean: 0.002
  sum = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto z = static_cast<double>(random.next_normal());
    sum += z;
    squares += z * z;
  }
  CHECK(std::abs(sum / 20000) < 0.035);  // five deviations
  CHECK(std::abs(squares / 20000 - 1) < 0.05);
  std::array<int, 6> counts{};
  for (int i = 0; i < 6000; ++i) {
    const uint32_t value = random.next_below(6);
    REQUIRE(value < 6);
    ++counts[value];
  }
  for (int count : counts) CHECK(std::abs(count - 1000) < 150);
  CHECK(random.next_below(1) == 0);
  for (int i = 0; i < 1000; ++i) {
    const float u = random.next_uniform(0.5F, 2.0F);
    CHECK((u >= 0.5F && u < 2.0F));
  }
}

}  // namespace
}  // namespace giza
