// A batch that several ranks share: each has some of its pictures, and what is summed over pictures is summed over the
// whole batch, in the one tree of add_in_tree, so that the bits do not depend on how many ranks there are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/ops/picture_cut.h"
#include "tensor/ops/scratch.h"
#include "tensor/tensor.h"

namespace giza::ops {

/// Pictures [begin, end) of the batch, whose sum is a node of the tree, at one rank.
struct BatchPiece {
  int64_t begin, end;
  int rank;
};

/// How a batch is cut into contiguous parts, one a rank, as even as can be.
class BatchShare {
 public:
  /// Throws Refusal for fewer pictures than ranks.
  BatchShare(int64_t pictures, int ranks, int own_rank);
  /// Among the ranks that there are.
  explicit BatchShare(int64_t pictures);

  /// That of the Sharing that lives, or null.
  static const BatchShare* current();

  int64_t pictures() const { return pictures_; }
  int64_t begin() const { return begin_; }  ///< of this rank's
  int64_t end() const { return end_; }
  /// Each rank's part as few nodes of the tree, in the order of the pictures.
  std::span<const BatchPiece> pieces() const { return pieces_; }
  std::span<const BatchPiece> own_pieces() const { return std::span(pieces_).subspan(first_own_, own_count_); }
  /// Adds pieces in the tree's order: add(to, from) by their places in pieces(); the sum is in piece 0.
  template <class Add>
  void add_pieces(const Add& add) const {
    for (const auto& [to, from] : merges_) add(to, from);
  }

 private:
  int64_t pictures_, begin_, end_;
  std::vector<BatchPiece> pieces_;
  size_t first_own_ = 0, own_count_ = 0;
  std::vector<std::pair<int64_t, int64_t>> merges_;
};

/// While one lives, the ops of this thread are run on this rank's pictures of a batch, by all ranks alike: batch norm
/// in training, losses and gradients of parameters are then those of the whole batch. Of one rank it changes nothing.
class Sharing {
 public:
  /// `share` must outlive it.
  explicit Sharing(const BatchShare& share);
  ~Sharing();
  Sharing(const Sharing&) = delete;
  Sharing& operator=(const Sharing&) = delete;
};

/// Pictures of the whole batch, of which this process has `own`; and the place of its first one.
inline int64_t pictures_of_batch(int64_t own) {
  const BatchShare* share = BatchShare::current();
  return share != nullptr ? share->pictures() : own;
}
inline int64_t first_picture() {
  const BatchShare* share = BatchShare::current();
  return share != nullptr ? share->begin() : 0;
}

/// add_in_tree over this process's pictures, numbered from 0, as far as it has both sides: then the first picture of
/// each of its pieces has the piece's sum.
template <class Add>
void add_own_pictures(int64_t pictures, const Add& add) {
  const BatchShare* share = BatchShare::current();
  if (share == nullptr) return add_in_tree(pictures, add);
  for (const BatchPiece& piece : share->own_pieces()) {
    const int64_t first = piece.begin - share->begin();
    add_in_tree(piece.end - piece.begin, [&](int64_t to, int64_t from) { add(first + to, first + from); });
  }
}

/// The numbers of all ranks' pieces, `count` each, in the order of pieces(); this rank's are `own`, one's behind the
/// other's.
Scratch<double> gather_pieces(const BatchShare& share, const double* own, int64_t count);

/// After add_own_pictures: `count` numbers of each picture, `stride` apart, become those of the whole batch, at
/// `numbers`.
void add_other_pictures(double* numbers, int64_t stride, int64_t count);

/// Sends the sums of this rank's pieces to where they are added up.
Tensor start_gradient(std::vector<Tensor> own);

/// The gradient of a weight [K,...] from `pictures` pictures; of_pictures(begin, end) is the sum over some of them. Of
/// a shared batch the sums of the pieces are on their way when this returns, and finish_gradients() has to come before
/// the result is read; which then has, of all numbers, only those of owned_part(): each rank adds up a part, and
/// updates it.
template <class OfPictures>
Tensor shared_gradient(int64_t pictures, const OfPictures& of_pictures) {
  const BatchShare* share = BatchShare::current();
  if (share == nullptr) return of_pictures(int64_t{0}, pictures);
  std::vector<Tensor> own;
  for (const BatchPiece& piece : share->own_pieces()) {
    own.push_back(of_pictures(piece.begin - share->begin(), piece.end - share->begin()));
  }
  return start_gradient(std::move(own));
}
/// Waits for the gradients on their way and adds them up.
void finish_gradients();

/// The part [begin, end) of a parameter that this rank updates. All of it where there is one rank, and of vectors,
/// whose gradients every rank has.
struct OwnedPart {
  int64_t begin, end;
};
OwnedPart owned_part(const Shape& shape, int rank);
OwnedPart owned_part(const Shape& shape);
/// These numbers of a dense tensor: the tensor itself, or [numbers, 1].
Tensor numbers_of(const OwnedPart& part, const Tensor& tensor);

}  // namespace giza::ops
