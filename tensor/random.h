// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// There is no generator state: a draw is a pure function of (seed, counter), so any sample can be made again, in any
// order, on any thread.
#pragma once

#include <array>
#include <cstdint>

namespace giza {

/// One Philox4x32-10 block: 128 random bits for a 128-bit counter under a 64-bit key.
std::array<uint32_t, 4> philox(const std::array<uint32_t, 4>& counter, uint64_t key);

/// What a stream of numbers is for; part of the counter, so that two uses never share numbers.
enum class Purpose : uint32_t { init = 1, dropout, shuffle, scale, rotate, blur, flip, crop, scene, test, weak, color };

/// The numbers of one purpose for one item: draw(i) is a pure function of (seed, epoch, item, purpose, i).
/// `next_*` walk through i = 0, 1, 2, ... for convenience; the object is a cursor, not a generator.
class Random {
 public:
  Random(uint64_t seed, Purpose purpose, uint32_t epoch = 0, uint32_t item = 0)
      : seed_(seed), purpose_(static_cast<uint32_t>(purpose)), epoch_(epoch), item_(item) {}

  /// 32 random bits, draw number i.
  uint32_t bits(uint32_t i) const;
  /// Uniform in [0, 1) with 24 bits, draw number i.
  float uniform(uint32_t i) const { return static_cast<float>(bits(i) >> 8) * 0x1p-24F; }

  /// What Philox takes for draws 4 i to 4 i + 3 beside the counter's last word i, for loops that make many at once.
  struct Stream {
    uint64_t key;
    std::array<uint32_t, 3> counter;
  };
  Stream stream() const { return {seed_, {epoch_, item_, purpose_}}; }

  /// Moves the cursor over `count` draws.
  void skip(uint32_t count) { cursor_ += count; }
  uint32_t next_bits();
  /// Uniform in [0, 1).
  float next_uniform() { return static_cast<float>(next_bits() >> 8) * 0x1p-24F; }
  /// Uniform in [low, high).
  float next_uniform(float low, float high) { return low + (high - low) * next_uniform(); }
  /// Uniform integer in [0, bound), bound > 0, by multiply-shift (bias below bound / 2^32).
  uint32_t next_below(uint32_t bound) {
    return static_cast<uint32_t>((static_cast<uint64_t>(next_bits()) * bound) >> 32);
  }
  /// Normal(0, 1) by Box-Muller; uses two draws.
  float next_normal();

 private:
  uint64_t seed_;
  uint32_t purpose_, epoch_, item_;
  uint32_t cursor_ = 0;
  // The block of draws 4 block_index_ to 4 block_index_ + 3, which a walk uses one after the other.
  uint32_t block_index_ = UINT32_MAX;
  std::array<uint32_t, 4> block_{};

  std::array<uint32_t, 4> block(uint32_t index) const;
};

}  // namespace giza
