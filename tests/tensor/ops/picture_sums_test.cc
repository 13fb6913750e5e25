// Sums over a batch: those of its pictures, each of which knows nothing of the others, added in one tree.
#include "tensor/ops/batch_norm.h"
#include "tensor/ops/channel_moments.h"
#include "tensor/ops/conv2d.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/partials.h"
#include "tensor/ops/picture_cut.h"
#include "tensor/ops/pyramid_conv.h"
#include "tests/support/op_testing.h"

namespace giza {
namespace {

constexpr int64_t kBatches[] = {1, 2, 3, 5, 8, 13};

/// part(n) of each picture, added in the tree.
Tensor sum_of_pictures(int64_t pictures, const std::function<Tensor(int64_t)>& part) {
  std::vector<Tensor> parts;
  for (int64_t n = 0; n < pictures; ++n) parts.push_back(part(n));
  ops::add_in_tree(pictures, [&](int64_t to, int64_t from) {
    parts[static_cast<size_t>(to)] = ops::add(parts[static_cast<size_t>(to)], parts[static_cast<size_t>(from)]);
  });
  return parts.front();
}

Tensor numbers(const Shape& shape, uint64_t seed) { return make_numbers(shape, CaseData::normal, seed); }
Tensor picture(const Tensor& batch, int64_t n) { return batch.batch_slice(n, n + 1); }

TEST_CASE("picture cut: tasks cover everything in order, and blocks stay within a picture") {
  for (const int64_t pictures : {1, 2, 3, 7, 20}) {
    for (const int64_t units : {1, 5, 6, 59, 60, 61, 119, 120, 121, 325, 1000}) {
      for (const int64_t step : {1, 6}) {
        CAPTURE(pictures);
        CAPTURE(units);
        const ops::PictureCut cut(pictures, units, 120, step);
        int64_t next = 0, blocks = 0;
        for (int64_t task = 0; task < cut.tasks(); ++task) {
          CHECK(cut.begin(task) == next);
          CHECK(cut.end(task) - cut.begin(task) <= cut.largest());
          CHECK(cut.largest() <= 120);
          cut.for_each_block(cut.begin(task), cut.end(task), [&](int64_t block, int64_t begin, int64_t end) {
            CHECK(block == blocks++);
            CHECK(begin == next);
            CHECK(begin / units == (end - 1) / units);
            // The same place in every picture.
            CHECK(begin % units == block % cut.blocks * cut.block);
            next = end;
          });
        }
        CHECK(next == pictures * units);
        CHECK(blocks == pictures * cut.blocks);
      }
    }
  }
}

TEST_CASE("tree counter: the tree's own sums, with few of them kept") {
  // Sums as text show their order.
  for (int64_t count = 1; count < 40; ++count) {
    std::vector<std::string> items;
    for (int64_t i = 0; i < count; ++i) items.push_back(std::to_string(i));
    ops::add_in_tree(count, [&](int64_t to, int64_t from) {
      items[static_cast<size_t>(to)] =
          "(" + items[static_cast<size_t>(to)] + "+" + items[static_cast<size_t>(from)] + ")";
    });
    const ops::TreeCounter counter{count};
    std::vector<std::string> kept(static_cast<size_t>(counter.levels()));
    std::string work;
    for (int64_t i = 0; i < count; ++i) {
      work = std::to_string(i);
      counter.take(
          i, [&](int64_t level) { work = "(" + kept.at(static_cast<size_t>(level)) + "+" + work + ")"; },
          [&](int64_t level) { kept.at(static_cast<size_t>(level)) = work; });
    }
    CHECK(work == items.front());
  }
}

TEST_CASE("weight gradients of a batch are the sum of its pictures' in a tree") {
  struct Case {
    std::string text;
    ConvAlgorithm algorithm;
  };
  // Direct with few weights (pieces of a picture), with many, strided, and unfolded; every size of Winograd tiles; maps
  // of a pixel, and of more tiles than a block has.
  for (const Case& each :
       {Case{"conv2d h50w60c4k8r1", ConvAlgorithm::direct}, Case{"conv2d h9w11c70k130r1", ConvAlgorithm::direct},
        Case{"conv2d h13w9c20k40r3s2", ConvAlgorithm::direct}, Case{"conv2d h20w20c3k16r3s2", ConvAlgorithm::direct},
        Case{"conv2d h1w1c40k70r1", ConvAlgorithm::direct}, Case{"conv2d h13w25c32k48r3", ConvAlgorithm::winograd2},
        Case{"conv2d h13w25c32k48r3", ConvAlgorithm::winograd4},
        Case{"conv2d h40w60c20k20r3d2", ConvAlgorithm::winograd4},
        Case{"conv2d h13w25c80k48r3", ConvAlgorithm::winograd5},
        Case{"conv2d h5w4c17k18r3", ConvAlgorithm::winograd6}}) {
    OpCase c = OpCase::parse(each.text);
    CAPTURE(each.text);
    Conv2dOptions options = c.conv();
    options.engine.algorithm = each.algorithm;
    for (const int64_t batch : kBatches) {
      CAPTURE(batch);
      c.n = batch;
      const Tensor x = numbers(c.input(), 1), dy = numbers(c.output(), 2);
      const Tensor whole = ops::conv2d_backward_weight(x, dy, c.weight(), options);
      CHECK(same_bits(whole, sum_of_pictures(batch, [&](int64_t n) {
                        return ops::conv2d_backward_weight(picture(x, n), picture(dy, n), c.weight(), options);
                      })));
    }
  }
}

TEST_CASE("pyramid_conv: the weight's gradient too") {
  for (const int64_t batch : kBatches) {
    CAPTURE(batch);
    const Tensor x = numbers({batch, 7, 9, 20}, 1), w = numbers({40, 3, 3, 20 + 12 + 12}, 2),
                 dy = numbers({batch, 7, 9, 40}, 3);
    const std::vector<Tensor> maps{numbers({batch, 1, 1, 12}, 4), numbers({batch, 6, 6, 12}, 5)};
    const Conv2dOptions options = OpCase::parse("conv2d r3").conv();
    const auto gradient = [&](int64_t begin, int64_t end) {
      const std::vector<Tensor> own{maps[0].batch_slice(begin, end), maps[1].batch_slice(begin, end)};
      return ops::pyramid_conv_backward(dy.batch_slice(begin, end), x.batch_slice(begin, end), own, w, options, {}).w;
    };
    CHECK(same_bits(gradient(0, batch), sum_of_pictures(batch, [&](int64_t n) { return gradient(n, n + 1); })));
  }
}

TEST_CASE("partial sums of a batch are those of its pictures in a tree") {
  for (const int64_t channels : {64, 100, 600}) {
    for (const int64_t batch : kBatches) {
      const Tensor x = numbers({batch, 11, 13, channels}, 7);
      const auto sums_of = [&](const Tensor& t) {
        const ops::Fold fold(t.shape(), true);
        ops::Partials partials(fold, 1);
        partials.accumulate([&](int64_t pixel, int64_t rows, int64_t column, int64_t columns, double* to) {
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t i = 0; i < columns; ++i) to[i] += static_cast<double>(t.row(pixel + r)[column + i]) * 0.1;
          }
        });
        std::vector<double> sums;
        for (int64_t c = 0; c < channels; ++c) sums.push_back(partials.sum(0, c));
        return sums;
      };
      std::vector<std::vector<double>> parts;
      for (int64_t n = 0; n < batch; ++n) parts.push_back(sums_of(picture(x, n)));
      ops::add_in_tree(batch, [&](int64_t to, int64_t from) {
        for (size_t c = 0; c < parts.front().size(); ++c) {
          parts[static_cast<size_t>(to)][c] += parts[static_cast<size_t>(from)][c];
        }
      });
      CHECK(sums_of(x) == parts.front());
    }
  }
}

TEST_CASE("moments of a batch are those of its pictures, merged in a tree") {
  struct Merged {
    std::vector<double> mean, squares;
    double count;
  };
  for (const char* text :
       {"conv2d h25w30c8k40r1", "conv2d h13w25c20k24r3", "conv2d h13w25c130k140r3", "conv2d h2w2c8k40r1"}) {
    OpCase c = OpCase::parse(text);
    CAPTURE(text);
    for (const int64_t batch : kBatches) {
      CAPTURE(batch);
      c.n = batch;
      const Tensor x = numbers(c.input(), 1), w = numbers(c.weight(), 2);
      const auto moments_of = [&](const Tensor& t) {
        ops::ChannelMoments moments;
        ops::conv2d_fused(t, w, {.moments = &moments}, c.conv());
        Merged merged{{moments.mean().begin(), moments.mean().end()}, {}, static_cast<double>(moments.count())};
        for (const double variance : moments.variance()) merged.squares.push_back(variance * merged.count);
        return merged;
      };
      std::vector<Merged> parts;
      for (int64_t n = 0; n < batch; ++n) parts.push_back(moments_of(picture(x, n)));
      ops::add_in_tree(batch, [&](int64_t to, int64_t from) {
        Merged &left = parts[static_cast<size_t>(to)], &right = parts[static_cast<size_t>(from)];
        const double share = right.count / (left.count + right.count);
        for (size_t k = 0; k < left.mean.size(); ++k) {
          const double delta = right.mean[k] - left.mean[k];
          left.mean[k] += delta * share;
          left.squares[k] += right.squares[k] + delta * delta * (left.count * share);
        }
        left.count += right.count;
      });
      const Merged whole = moments_of(x);
      CHECK(whole.mean == parts.front().mean);
      // Dividing by the count and multiplying again rounds.
      for (size_t k = 0; k < whole.squares.size(); ++k) {
        CHECK(whole.squares[k] == doctest::Approx(parts.front().squares[k]).epsilon(1e-14));
      }
    }
  }
}

}  // namespace
}  // namespace giza
