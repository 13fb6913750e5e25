// Points of the permutohedral lattice as numbers, and the table that finds them.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "tensor/ops/permutohedral.h"
#include "tensor/tensor.h"

namespace giza::ops {

/// A point of the lattice of D features as one number. Its D + 1 coordinates are all congruent to one remainder r
/// modulo D + 1, and sum to 0: so r and the first D coordinates' quotients tell all. r stands in the lowest three bits,
/// above it the quotients, each in a field of its own that is wide enough for every point around these features and its
/// neighbours. Steps along an axis are additions then, and no two points have one number.
class LatticeKeys {
 public:
  static constexpr int kMost = 5;  ///< features

  /// For features [1,H,W,D], D from 1 to 5. Throws Error for features that are not finite, LatticeRange where they lie
  /// so far apart that their coordinates lose digits (131,072 and more) or do not fit.
  explicit LatticeKeys(const Tensor& features);

  /// Corner 0 of a simplex: its cell, value i at cell[i * stride].
  uint64_t corner(const int32_t* cell, int64_t stride) const {
    uint64_t key = 0;
    for (int i = 0; i < dimension_; ++i) key += static_cast<uint64_t>(cell[i * stride] - lowest_[i]) << shift_[i];
    return key;
  }
  /// Corner r + 1 from corner r, of which coordinate `axis` has rank D - r: all coordinates but that go up by 1, and
  /// that down by D.
  uint64_t next_corner(uint64_t key, int axis) const { return key + 1 - unit_[axis]; }

  /// The neighbour whose coordinates are smaller by 1, but that of `axis` larger by D.
  uint64_t before(uint64_t key, int axis) const {
    const bool borrow = (key & 7) == 0;
    return (borrow ? key + static_cast<uint64_t>(dimension_) - all_ : key - 1) + unit_[axis];
  }

 private:
  int dimension_;
  int32_t lowest_[kMost];
  int shift_[kMost];
  uint64_t unit_[kMost + 1];  // a step of a coordinate's quotient; 0 for the last, which is not in the key
  uint64_t all_ = 0;          // a step of all of them
};

/// Finds numbers in a list without duplicates: a hash table with linear probing over memory of the caller's.
class KeyTable {
 public:
  struct Slot {
    uint32_t tag;  // bits 16 to 47 of the hash (the top ones are the place): another number's are hardly ever the same
    int32_t row;   // 0: empty
  };
  /// For at most half of 2^bits numbers. Clears the slots.
  KeyTable(Slot* slots, int bits) : slots_(slots), mask_((uint64_t{1} << bits) - 1), bits_(bits) {
    std::memset(slots, 0, sizeof(Slot) << bits);
  }
  /// bits for `count` numbers.
  static int bits_for(int64_t count) {
    int bits = 4;
    while ((int64_t{1} << bits) < 2 * count) ++bits;
    return bits;
  }

  void prefetch(uint64_t key) const { __builtin_prefetch(slots_ + place(hash(key))); }

  /// 1 + the index of `key` in keys; 0 if it is not there.
  int32_t find(uint64_t key, const std::vector<uint64_t>& keys) const {
    const Slot& slot = probe(key, keys);
    return slot.row;
  }
  /// The same; appends the key if it is not there.
  int32_t find_or_append(uint64_t key, std::vector<uint64_t>& keys) {
    Slot& slot = probe(key, keys);
    if (slot.row == 0) {
      keys.push_back(key);
      slot = {tag(hash(key)), static_cast<int32_t>(keys.size())};
    }
    return slot.row;
  }

 private:
  static uint64_t hash(uint64_t key) { return key * 0x9E3779B97F4A7C15U; }  // Knuth's, by the golden ratio
  static uint32_t tag(uint64_t hashed) { return static_cast<uint32_t>(hashed >> 16); }
  uint64_t place(uint64_t hashed) const { return hashed >> (64 - bits_); }

  Slot& probe(uint64_t key, const std::vector<uint64_t>& keys) const {
    const uint64_t hashed = hash(key);
    for (uint64_t i = place(hashed);; i = (i + 1) & mask_) {
      Slot& slot = slots_[i];
      if (slot.row == 0 || (slot.tag == tag(hashed) && keys[static_cast<size_t>(slot.row - 1)] == key)) return slot;
    }
  }

  Slot* slots_;
  uint64_t mask_;
  int bits_;
};

}  // namespace giza::ops
