// How a batch is cut among ranks, and that sums over the parts follow the tree of the whole.
#include "tensor/ops/batch_share.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"

namespace giza::ops {
namespace {

/// The sum over pictures, written out: "((0+1)+2)".
std::string tree_of(int64_t begin, int64_t end) {
  std::vector<std::string> sums;
  for (int64_t i = begin; i < end; ++i) sums.push_back(std::to_string(i));
  add_in_tree(end - begin, [&](int64_t to, int64_t from) {
    sums[static_cast<size_t>(to)] = "(" + sums[static_cast<size_t>(to)] + "+" + sums[static_cast<size_t>(from)] + ")";
  });
  return sums[0];
}

TEST_CASE("batch_share: parts cover the batch, evenly, in as few pieces as the tree allows") {
  for (int64_t pictures = 1; pictures <= 40; ++pictures) {
    for (int ranks = 1; ranks <= pictures; ++ranks) {
      int64_t next = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const BatchShare share(pictures, ranks, rank);
        CHECK(share.begin() == next);
        CHECK(share.end() - share.begin() >= pictures / ranks);
        CHECK(share.end() - share.begin() <= (pictures + ranks - 1) / ranks);
        for (const BatchPiece& piece : share.own_pieces()) {
          CHECK(piece.begin == next);
          CHECK(piece.rank == rank);
          next = piece.end;
        }
        CHECK(next == share.end());
      }
      CHECK(next == pictures);
    }
  }
  CHECK(BatchShare(8, 1, 0).pieces().size() == 1);
  CHECK(BatchShare(6, 1, 0).pieces().size() == 1);
  CHECK(BatchShare(8, 2, 1).pieces().size() == 2);
  CHECK(BatchShare(16, 4, 1).pieces().size() == 4);
  CHECK(BatchShare(8, 3, 1).own_pieces().size() == 2);  // of pictures 2 to 4, 2 and 3 are a node
}

TEST_CASE("batch_share: the pieces' sums add up as in one process, in order and in brackets") {
  for (int64_t pictures = 1; pictures <= 40; ++pictures) {
    for (int ranks = 1; ranks <= pictures; ++ranks) {
      const BatchShare share(pictures, ranks, 0);
      std::vector<std::string> sums;
      for (const BatchPiece& piece : share.pieces()) sums.push_back(tree_of(piece.begin, piece.end));
      share.add_pieces([&](int64_t to, int64_t from) {
        sums[static_cast<size_t>(to)] =
            "(" + sums[static_cast<size_t>(to)] + "+" + sums[static_cast<size_t>(from)] + ")";
      });
      CHECK(sums[0] == tree_of(0, pictures));
    }
  }
}

TEST_CASE("batch_share: more ranks than pictures are refused") {
  CHECK(contains(message_of<Refusal>([] { BatchShare(3, 4, 0); }), "a batch of 3 pictures for 4 ranks"));
}

TEST_CASE("batch_share: one process has everything") {
  const BatchShare share(8);
  const Sharing sharing(share);
  CHECK(BatchShare::current() == nullptr);
  CHECK(pictures_of_batch(8) == 8);
  CHECK(first_picture() == 0);
  CHECK(owned_part({4, 3, 3, 2}).end == 72);
}

}  // namespace
}  // namespace giza::ops
