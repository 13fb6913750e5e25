// A batch that several ranks share.
#include "tensor/ops/batch_share.h"

#include <algorithm>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/parallel.h"
#include "tensor/profile/profile.h"
#include "tensor/ranks.h"

namespace giza::ops {
namespace {

thread_local const BatchShare* current_share = nullptr;

/// A gradient on its way: the sums of this rank's pieces go out, and of its part those of the others' pieces come in.
struct Pending {
  std::vector<Tensor> own;  // one a piece
  Tensor received;          // [pieces of others][part]
  Tensor result;
  bool sent = false;
};
thread_local std::vector<Pending> pending;

std::span<float> part_of(const Tensor& tensor, const OwnedPart& part) {
  return {tensor.data() + part.begin, static_cast<size_t>(part.end - part.begin)};
}

/// Sends the newest gradient. It is held back until the sums of the layer before have been exchanged, which all ranks
/// wait for and which would queue up behind it: so it travels while that layer's convolution computes.
void send_newest() {
  if (pending.empty() || pending.back().sent) return;
  for (const Tensor& each : pending.back().own) {
    for (int rank = 0; rank < ranks::count(); ++rank) {
      const OwnedPart theirs = owned_part(each.shape(), rank);
      if (rank != ranks::own() && theirs.begin < theirs.end) ranks::start_send(rank, part_of(each, theirs));
    }
  }
  pending.back().sent = true;
}

/// The end of the largest node of the tree that begins at a picture and ends before `end`; behind the batch's last
/// picture there is nothing, so that a node may reach beyond it.
int64_t node_end(int64_t begin, int64_t end, int64_t pictures) {
  int64_t size = 1;
  while (begin % (2 * size) == 0 && size < pictures && (begin + 2 * size <= end || end == pictures)) size *= 2;
  return std::min(begin + size, end);
}

}  // namespace

BatchShare::BatchShare(int64_t pictures) : BatchShare(pictures, ranks::count(), ranks::own()) {}

BatchShare::BatchShare(int64_t pictures, int ranks, int own_rank) : pictures_(pictures) {
  check<Refusal>(pictures >= ranks, "a batch of {} pictures for {} ranks; start fewer, or enlarge TRAIN.batch_size",
                 pictures, ranks);
  const auto start = [&](int64_t rank) { return pictures * rank / ranks; };
  begin_ = start(own_rank);
  end_ = start(own_rank + 1);
  std::vector<int64_t> piece_at(static_cast<size_t>(pictures), -1);
  for (int rank = 0; rank < ranks; ++rank) {
    for (int64_t begin = start(rank); begin < start(rank + 1);) {
      const int64_t end = node_end(begin, start(rank + 1), pictures);
      if (rank == own_rank && own_count_++ == 0) first_own_ = pieces_.size();
      piece_at[static_cast<size_t>(begin)] = static_cast<int64_t>(pieces_.size());
      pieces_.push_back({begin, end, rank});
      begin = end;
    }
  }
  add_in_tree(pictures, [&](int64_t to, int64_t from) {
    const int64_t left = piece_at[static_cast<size_t>(to)], right = piece_at[static_cast<size_t>(from)];
    if (right >= 0) merges_.emplace_back(left, right);
  });
}

const BatchShare* BatchShare::current() { return current_share; }

Sharing::Sharing(const BatchShare& share) {
  if (ranks::count() > 1) current_share = &share;
}

Sharing::~Sharing() { current_share = nullptr; }

Scratch<double> gather_pieces(const BatchShare& share, const double* own, int64_t count) {
  const profile::Scope scope([&] {
    const int others = ranks::count() - 1;
    return profile::exchange("gather_pieces", others,
                             8.0 * static_cast<double>(others * std::ssize(share.own_pieces()) * count));
  });
  std::vector<int> counts(static_cast<size_t>(ranks::count()), 0);
  for (const BatchPiece& piece : share.pieces()) counts[static_cast<size_t>(piece.rank)] += static_cast<int>(count);
  Scratch<double> all(std::ssize(share.pieces()) * count);
  ranks::gather({own, share.own_pieces().size() * static_cast<size_t>(count)}, counts, all.data());
  send_newest();
  return all;
}

void add_other_pictures(double* numbers, int64_t stride, int64_t count) {
  const BatchShare* share = BatchShare::current();
  if (share == nullptr) return;
  const Scratch<double> own(std::ssize(share->own_pieces()) * count);
  double* to = own.data();
  for (const BatchPiece& piece : share->own_pieces()) {
    to = std::copy_n(numbers + (piece.begin - share->begin()) * stride, count, to);
  }
  const Scratch<double> all = gather_pieces(*share, own.data(), count);
  share->add_pieces([&](int64_t left, int64_t right) {
    for (int64_t i = 0; i < count; ++i) all[left * count + i] += all[right * count + i];
  });
  std::copy_n(all.data(), count, numbers);
}

Tensor start_gradient(std::vector<Tensor> own) {
  const BatchShare* share = BatchShare::current();
  for (const Tensor& each : own) check<Error>(each.dense(), "start_gradient: {} is not dense", each.shape());
  send_newest();
  Pending sum{std::move(own), {}, {}};
  sum.result = sum.own[0];
  const OwnedPart part = owned_part(sum.result.shape());
  const int64_t size = part.end - part.begin;
  const profile::Scope scope([&] {
    const int64_t pieces = std::ssize(sum.own);
    return profile::exchange("start_gradient", pieces * (ranks::count() - 1),
                             4.0 * static_cast<double>(pieces * (sum.result.numel() - size)));
  });
  const int64_t others = std::ssize(share->pieces()) - std::ssize(share->own_pieces());
  sum.received = Tensor::empty({std::max<int64_t>(others, 1), std::max<int64_t>(size, 1)});
  int64_t row = 0;
  for (const BatchPiece& piece : share->pieces()) {
    if (piece.rank == ranks::own() || size == 0) continue;
    ranks::start_receive(piece.rank, {sum.received.row(row++), static_cast<size_t>(size)});
  }
  Tensor result = sum.result;
  pending.push_back(std::move(sum));
  return result;
}

void finish_gradients() {
  if (pending.empty()) return;
  const BatchShare* share = BatchShare::current();
  {
    send_newest();
    const profile::Scope scope([&] { return profile::exchange("finish_gradients"); });
    ranks::finish();
  }
  for (const Pending& sum : pending) {
    const OwnedPart part = owned_part(sum.result.shape());
    const profile::Scope scope([&] {
      const auto pieces = static_cast<double>(std::ssize(share->pieces()));
      const auto numbers = static_cast<double>(part.end - part.begin);
      return profile::Work{.kernel = "add_gradients",
                           .shape = sum.result.shape().str(),
                           .flops = (pieces - 1) * numbers,
                           .bytes = 4 * (pieces + 1) * numbers};
    });
    std::vector<float*> sums;
    int64_t row = 0;
    auto own = sum.own.begin();
    for (const BatchPiece& piece : share->pieces()) {
      sums.push_back(piece.rank == ranks::own() ? (own++)->data() + part.begin : sum.received.row(row++));
    }
    float* to = sum.result.data() + part.begin;
    parallel_ranges(part.end - part.begin, 4096, [&](int64_t begin, int64_t end) {
      share->add_pieces([&](int64_t left, int64_t right) {
        float* total = sums[static_cast<size_t>(left)] + begin;
        kernels::add({total, 0}, {sums[static_cast<size_t>(right)] + begin, 0}, {total, 0}, 1, end - begin);
      });
      if (sums[0] != to) std::copy_n(sums[0] + begin, end - begin, to + begin);
    });
  }
  pending.clear();
}

OwnedPart owned_part(const Shape& shape, int rank) {
  const int64_t count = shape.numel();
  if (ranks::count() == 1 || shape.rank() < 2) return {0, count};
  // Whole cache lines, so that no two ranks' parts begin amid a vector.
  const int64_t lines = (count + 15) / 16;
  const auto start = [&](int64_t r) { return std::min(lines * r / ranks::count() * 16, count); };
  return {start(rank), start(rank + 1)};
}

OwnedPart owned_part(const Shape& shape) { return owned_part(shape, ranks::own()); }

Tensor numbers_of(const OwnedPart& part, const Tensor& tensor) {
  if (part.end - part.begin == tensor.numel()) return tensor;
  return tensor.reshape({tensor.numel(), 1}).batch_slice(part.begin, part.end);
}

}  // namespace giza::ops
