// How the pixels of a batch are cut where sums are taken over them: never across pictures, and alike in each picture,
// so that what a picture adds does not depend on the pictures beside it.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "tensor/parallel.h"

namespace giza::ops {

/// Blocks of at most `most` units (pixels, or tiles) of one picture, as even as multiples of `step` allow. A task has
/// one block, or, where a whole picture is smaller, several pictures.
struct PictureCut {
  int64_t pictures, units;  ///< units of each picture
  int64_t block;            ///< units of a block; the last one of a picture may be shorter
  int64_t blocks;           ///< of each picture
  int64_t group;            ///< pictures of a task

  PictureCut(int64_t picture_count, int64_t picture_units, int64_t most, int64_t step)
      : pictures(picture_count), units(picture_units) {
    const int64_t wanted = std::max<int64_t>(1, (units + most - 1) / most);
    block = std::max((std::max<int64_t>(units, 1) + wanted - 1) / wanted + step - 1, step) / step * step;
    blocks = std::max<int64_t>(1, (units + block - 1) / block);
    group = blocks > 1 ? 1 : std::max<int64_t>(1, most / std::max<int64_t>(units, 1));
  }

  int64_t tasks() const { return blocks > 1 ? pictures * blocks : (pictures + group - 1) / group; }
  /// First unit of a task, counted over all pictures; of the task behind the last one: the number of units.
  int64_t begin(int64_t task) const {
    if (task >= tasks()) return pictures * units;
    return blocks > 1 ? task / blocks * units + task % blocks * block : task * group * units;
  }
  int64_t end(int64_t task) const { return begin(task + 1); }
  /// The most units that a task has.
  int64_t largest() const { return std::min(blocks > 1 ? block : group * units, pictures * units); }

  /// Calls body(block, first unit, end) for the parts of [begin, end) that lie in one block; blocks are numbered over
  /// all pictures.
  template <class Body>
  void for_each_block(int64_t begin, int64_t end, const Body& body) const {
    while (begin < end) {
      const int64_t picture = begin / units, within = (begin - picture * units) / block;
      const int64_t stop = std::min({end, picture * units + (within + 1) * block, (picture + 1) * units});
      body(picture * blocks + within, begin, stop);
      begin = stop;
    }
  }
};

/// Adds numbered items in the one tree that all sums over pictures follow: neighbours, then pairs of neighbours, and so
/// on; what is left over at the end is added last. add(to, from) adds item `from` to item `to`; the sum is in item 0.
/// The sum of 2^k items that begin at a multiple of 2^k is a node of the tree, whoever computes it.
template <class Add>
void add_in_tree(int64_t count, const Add& add) {
  for (int64_t step = 1; step < count; step *= 2) {
    for (int64_t i = 0; i + step < count; i += 2 * step) add(i, i + step);
  }
}

/// The same tree for items that come one after the other, with few of their sums at a time: a counter in base 2, whose
/// digit k is the sum of 2^k items.
struct TreeCounter {
  int64_t count;  ///< of items

  /// Sums that are kept at a time, beside the one in work.
  int64_t levels() const { return std::bit_width(static_cast<uint64_t>(std::max<int64_t>(count - 1, 0))); }

  /// After item `index`: add(level) adds a kept sum, which lies to the left, to the one in work; then keep(level) keeps
  /// that, unless the item was the last, and the sum in work is the whole.
  template <class Add, class Keep>
  void take(int64_t index, const Add& add, const Keep& keep) const {
    int level = 0;
    for (; (index >> level & 1) != 0; ++level) add(level);
    if (index + 1 < count) return keep(level);
    for (++level; level < 63; ++level) {
      if ((count >> level & 1) != 0) add(level);
    }
  }
};

}  // namespace giza::ops
