// Philox4x32-10.
#include "tensor/random.h"

#include <cmath>
#include <numbers>

#include "tensor/elementary.h"

namespace giza {

std::array<uint32_t, 4> philox(const std::array<uint32_t, 4>& counter, uint64_t key) {
  // Multipliers and Weyl increments of the paper's section 4.3.
  constexpr uint64_t kMul0 = 0xD2511F53, kMul1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  auto k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  auto [c0, c1, c2, c3] = counter;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = kMul0 * c0, p1 = kMul1 * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return {c0, c1, c2, c3};
}

std::array<uint32_t, 4> Random::block(uint32_t index) const { return philox({epoch_, item_, purpose_, index}, seed_); }

uint32_t Random::bits(uint32_t i) const { return block(i / 4)[i % 4]; }

uint32_t Random::next_bits() {
  const uint32_t i = cursor_++;
  if (i / 4 != block_index_) {
    block_index_ = i / 4;
    block_ = block(block_index_);
  }
  return block_[i % 4];
}

float Random::next_normal() {
  // 1 - u lies in (0, 1], so the logarithm is finite.
  const double radius = std::sqrt(-2.0 * portable_log(1.0 - static_cast<double>(next_uniform())));
  return static_cast<float>(radius * portable_cos(2.0 * std::numbers::pi * static_cast<double>(next_uniform())));
}

}  // namespace giza
