// Direct convolution, gradient of the weights: dw(tap)[c][k] = sum over output pixels of x(pixel, tap)[c] *
// dy[pixel][k].
#include <algorithm>
#include <vector>

#include "tensor/dry_run.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/ops/conv/direct.h"
#include "tensor/ops/conv/unfold.h"
#include "tensor/ops/detail/take_sum.h"

namespace giza::ops::direct {
namespace {

using kernels::kTileRows;

constexpr int64_t kPixelBlock = 128;  // of the sum; its panel of dy, or half of it, stays in L1 while x passes

// How the work is cut: a task owns a part of the input channels, some panels of output channels, all taps, and a slice
// of the pixels. Its sums, at most 512 x 256, and a block of its pixels stay in L2, so that x is read once per 256
// output channels. Slices make work for many threads where the weights are few: pieces of each picture, or pictures
// that lie in one subtree of the sum over pictures. Their partial sums are added in order, and in the tree.
struct WeightCut {
  int64_t panel_groups, group_panels, parts, part_channels;
  int64_t pictures, pixels;      // of each
  int64_t pieces, piece_pixels;  // of each picture: its sum is that of its pieces
  int64_t slice_pictures;        // a power of 2; 1 where there are several pieces
  int64_t tasks() const { return panel_groups * parts; }
  int64_t slices() const { return pieces > 1 ? pictures * pieces : (pictures + slice_pictures - 1) / slice_pictures; }
};

WeightCut cut_weights(int64_t in_channels, int64_t panels, int64_t panel_width, int64_t taps, int64_t pictures,
                      int64_t pixels, int64_t weights) {
  WeightCut cut{};
  cut.pictures = pictures;
  cut.pixels = pixels;
  cut.group_panels = std::max<int64_t>(1, 256 / panel_width);
  cut.panel_groups = (panels + cut.group_panels - 1) / cut.group_panels;
  const int64_t wanted_parts = std::max<int64_t>(1, (in_channels * taps + 511) / 512);
  cut.part_channels = round_up((in_channels + wanted_parts - 1) / wanted_parts, kTileRows);
  cut.parts = std::max<int64_t>(1, (in_channels + cut.part_channels - 1) / cut.part_channels);
  // At least 32 tasks. Pieces depend on the picture alone, because they show in the bits: at least eight blocks each,
  // and no more than 1 MB of partial sums of a picture. Slices of whole pictures do not: no more than 16 MB.
  const int64_t wanted = (32 + cut.tasks() - 1) / cut.tasks(), floats = std::max<int64_t>(weights, 1);
  const int64_t pieces = std::min({wanted, (int64_t{1} << 18) / floats, pixels / (8 * kPixelBlock)});
  cut.piece_pixels = round_up((pixels + std::max<int64_t>(pieces, 1) - 1) / std::max<int64_t>(pieces, 1), kPixelBlock);
  cut.pieces = std::max<int64_t>(1, (pixels + cut.piece_pixels - 1) / std::max<int64_t>(cut.piece_pixels, 1));
  const int64_t slices =
      std::clamp<int64_t>(std::min(wanted, (int64_t{1} << 22) / floats), 1, std::max<int64_t>(pictures, 1));
  cut.slice_pictures = 1;
  while (cut.pieces == 1 && (pictures + cut.slice_pictures - 1) / cut.slice_pictures > slices) cut.slice_pictures *= 2;
  return cut;
}

/// A gradient under way: what its tasks share, and the steps of each.
class WeightGradient {
 public:
  /// dw [K,R,S,C] is to be filled; it, x and dy outlive this. With an unfolding of x dw is [K,1,1,R*S*C].
  WeightGradient(const Tensor& dw, const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                 const Unfolding* unfolding)
      : x_(x),
        dy_(dy),
        dw_(dw),
        unfolding_(unfolding),
        unfolded_floats_(unfolding != nullptr ? kPixelBlock * unfolding->stride() : 0),
        taps_(forward_taps(dw.shape(), options)),
        stride_(options.stride),
        out_channels_(dw.dim(0)),
        in_channels_(dw.dim(3)),
        tap_count_(static_cast<int64_t>(taps_.size())),
        panels_((out_channels_ + gemm_.width - 1) / gemm_.width),
        cut_(cut_weights(in_channels_, panels_, gemm_.width, tap_count_, x.dim(0), dy.dim(1) * dy.dim(2), dw.numel())),
        // The kernel reads dy where it lies, but for a last panel that is no whole number of vectors wide.
        read_in_place_(out_channels_ % gemm_.lanes == 0 ? panels_ : panels_ - 1),
        levels_(TreeCounter{std::min(cut_.slice_pictures, cut_.pictures)}.levels()),
        zeros_(Tensor::zeros({std::max<int64_t>(in_channels_, 1)})),
        partials_(cut_.slices() > 1 ? Tensor::empty({cut_.slices(), dw.numel()}) : dw.reshape({1, dw.numel()})) {}

  void run() {
    announce_scratch(most_scratch());
    parallel_for(cut_.tasks() * cut_.slices(), [this](int64_t number) {
      const Task task = task_of(number);
      sum_up(task);
      store(task);
    });
    if (cut_.slices() > 1) add_slices();
  }

 private:
  struct Task {
    int64_t slice, first_panel, last_panel, channel_begin, channel_end;
    int64_t panel_sums, all_sums;  // floats: of a panel and a tap, and of the task
    float* sums;                   // [panel][tap][channel][column], behind them those of the levels of the tree
    float* packed_x;
    float* tail;      // of dy, where it is not read in place: [pixel][column]
    float* partial;   // the kernel's own
    float* unfolded;  // a block of pixels, where x is unfolded
  };

  struct Places {
    int64_t picture[kPixelBlock], y[kPixelBlock], x[kPixelBlock];
  };

  static int64_t packed_floats(int64_t channels) {
    return channels / kTileRows * kernels::outer_tile_stride(kPixelBlock);
  }

  /// Floats of a task with all its panels and channels.
  size_t most_scratch() const {
    const int64_t panels = std::min(cut_.group_panels, panels_), channels = round_up(cut_.part_channels, kTileRows);
    return static_cast<size_t>(panels * (1 + levels_) * tap_count_ * channels * gemm_.width + packed_floats(channels) +
                               kPixelBlock * gemm_.width + channels * gemm_.width + unfolded_floats_);
  }

  Task task_of(int64_t number) const {
    Task task{};
    task.slice = number / cut_.tasks();
    task.first_panel = number / cut_.parts % cut_.panel_groups * cut_.group_panels;
    task.last_panel = std::min(task.first_panel + cut_.group_panels, panels_);
    task.channel_begin = std::min(number % cut_.parts * cut_.part_channels, in_channels_);
    task.channel_end = std::min(task.channel_begin + cut_.part_channels, in_channels_);
    const int64_t channels = round_up(task.channel_end - task.channel_begin, kTileRows);
    task.panel_sums = channels * gemm_.width;
    task.all_sums = (task.last_panel - task.first_panel) * tap_count_ * task.panel_sums;
    const int64_t x_floats = packed_floats(channels), tail_floats = kPixelBlock * gemm_.width;
    task.sums = thread_scratch(static_cast<size_t>((1 + levels_) * task.all_sums + x_floats + tail_floats +
                                                   task.panel_sums + unfolded_floats_));
    task.packed_x = task.sums + (1 + levels_) * task.all_sums;
    task.tail = task.packed_x + x_floats;
    task.partial = task.tail + tail_floats;
    task.unfolded = task.partial + task.panel_sums;
    return task;
  }

  int64_t columns_of(int64_t panel) const { return std::min(gemm_.width, out_channels_ - panel * gemm_.width); }

  /// The sums of the task's slice: of a piece of a picture, or of pictures in their tree.
  void sum_up(const Task& task) const {
    if (cut_.pieces > 1) {
      const int64_t picture = task.slice / cut_.pieces, first = task.slice % cut_.pieces * cut_.piece_pixels;
      std::fill_n(task.sums, task.all_sums, 0.0F);
      add_products(task, picture * cut_.pixels + first,
                   picture * cut_.pixels + std::min(first + cut_.piece_pixels, cut_.pixels));
      return;
    }
    const int64_t first = task.slice * cut_.slice_pictures;
    const TreeCounter counter{std::min(cut_.slice_pictures, cut_.pictures - first)};
    for (int64_t i = 0; i < counter.count; ++i) {
      std::fill_n(task.sums, task.all_sums, 0.0F);
      add_products(task, (first + i) * cut_.pixels, (first + i + 1) * cut_.pixels);
      take_sum(counter, i, task.sums, task.all_sums, task.sums + task.all_sums, task.all_sums);
    }
  }

  /// Adds the products of output pixels [first, end), counted over all pictures, to the sums.
  void add_products(const Task& task, int64_t first, int64_t end) const {
    for (int64_t begin = first; begin < end; begin += kPixelBlock) {
      const int64_t count = std::min(kPixelBlock, end - begin);
      Places places;
      if (unfolding_ == nullptr) places = places_of(begin, count);
      if (read_in_place_ < task.last_panel) copy_tail(task, begin, count);
      for (int64_t t = 0; t < tap_count_; ++t) {
        const float* rows[kPixelBlock];
        if (unfolding_ != nullptr) {
          unfold_rows(task, begin, count, rows);
        } else if (!find_rows(taps_[static_cast<size_t>(t)], places, count, rows)) {
          continue;
        }
        kernels::pack_outer(rows, count, task.channel_begin, task.channel_end, task.packed_x);
        for (int64_t panel = task.first_panel; panel < task.last_panel; ++panel) {
          const bool in_place = panel != read_in_place_;
          kernels::outer_panel({.a = task.packed_x,
                                .tile_stride = kernels::outer_tile_stride(count),
                                .channels = task.channel_end - task.channel_begin,
                                .pixels = count,
                                .b = in_place ? panel_of_dy(begin, panel) : task.tail,
                                .b_stride = in_place ? dy_.row_stride() : gemm_.width,
                                .columns = columns_of(panel),
                                .sums = task.sums + ((panel - task.first_panel) * tap_count_ + t) * task.panel_sums,
                                .accumulate = true,
                                .partial = task.partial,
                                .next_b = panel + 1 < task.last_panel ? panel_of_dy(begin, panel + 1)
                                          : begin + count < end       ? panel_of_dy(begin + count, task.first_panel)
                                                                      : nullptr});
        }
      }
    }
  }

  const float* panel_of_dy(int64_t pixel, int64_t panel) const { return dy_.row(pixel) + panel * gemm_.width; }

  void copy_tail(const Task& task, int64_t begin, int64_t count) const {
    for (int64_t i = 0; i < count; ++i) {
      float* row = task.tail + i * gemm_.width;
      float* to = std::copy_n(panel_of_dy(begin + i, read_in_place_), columns_of(read_in_place_), row);
      std::fill(to, row + gemm_.width, 0.0F);
    }
  }

  /// Where tap (0, 0) reads for output pixels from `begin` on, before its offset.
  Places places_of(int64_t begin, int64_t count) const {
    Places places;
    PixelWalk walk(begin, dy_.dim(1), dy_.dim(2));
    for (int64_t i = 0; i < count; ++i, walk.step()) {
      places.picture[i] = walk.n;
      places.y[i] = walk.y * stride_;
      places.x[i] = walk.x * stride_;
    }
    return places;
  }

  void unfold_rows(const Task& task, int64_t begin, int64_t count, const float** rows) const {
    unfolding_->copy(begin, begin + count, task.unfolded);
    for (int64_t i = 0; i < count; ++i) rows[i] = task.unfolded + i * unfolding_->stride();
  }

  /// What a tap reads there; false where all of it is padding.
  bool find_rows(const Tap& tap, const Places& places, int64_t count, const float** rows) const {
    bool any = false;
    for (int64_t i = 0; i < count; ++i) {
      const float* row = input_pixel(x_, places.picture[i], places.y[i] + tap.y, places.x[i] + tap.x);
      any = any || row != nullptr;
      rows[i] = row != nullptr ? row : zeros_.data();
    }
    return any;
  }

  /// To [column][tap][channel] of the slice.
  void store(const Task& task) const {
    for (int64_t panel = task.first_panel; panel < task.last_panel; ++panel) {
      const int64_t columns = columns_of(panel), stride = round_up(columns, gemm_.lanes);
      for (int64_t k = 0; k < columns; ++k) {
        for (int64_t t = 0; t < tap_count_; ++t) {
          float* to = partials_.row(task.slice) + ((panel * gemm_.width + k) * tap_count_ + t) * in_channels_;
          const float* from = task.sums + ((panel - task.first_panel) * tap_count_ + t) * task.panel_sums + k;
          for (int64_t c = task.channel_begin; c < task.channel_end; ++c, from += stride) to[c] = *from;
        }
      }
    }
  }

  void add_slices() const {
    parallel_ranges(partials_.channels(), 4096, [this](int64_t begin, int64_t end) {
      const auto add = [&](int64_t to_slice, int64_t from_slice) {
        float* to = partials_.row(to_slice) + begin;
        kernels::add({to, 0}, {partials_.row(from_slice) + begin, 0}, {to, 0}, 1, end - begin);
      };
      for (int64_t first = 0; first < partials_.rows(); first += cut_.pieces) {
        for (int64_t piece = 1; piece < cut_.pieces; ++piece) add(first, first + piece);
      }
      add_in_tree(partials_.rows() / cut_.pieces,
                  [&](int64_t to, int64_t from) { add(to * cut_.pieces, from * cut_.pieces); });
      std::copy(partials_.row(0) + begin, partials_.row(0) + end, dw_.data() + begin);
    });
  }

  const Tensor &x_, &dy_, &dw_;
  const Unfolding* const unfolding_;
  const int64_t unfolded_floats_;
  const std::vector<Tap> taps_;
  const int64_t stride_, out_channels_, in_channels_, tap_count_;
  const kernels::GemmShape gemm_ = kernels::gemm_shape();
  const int64_t panels_;
  const WeightCut cut_;
  const int64_t read_in_place_;  // panels
  const int64_t levels_;
  const Tensor zeros_;     // what padding reads
  const Tensor partials_;  // [slice][weights]; dw itself where there is one slice
};

}  // namespace

void conv2d_backward_weight(const Tensor& dw, const Tensor& x, const Tensor& dy, const Conv2dOptions& options) {
  const Shape& w_shape = dw.shape();
  if (dy.rows() == 0) return Tensor(dw).fill(0.0F);
  if (Unfolding::wanted(w_shape)) {
    const Tensor flat = dw.reshape({w_shape[0], 1, 1, w_shape.numel() / w_shape[0]});
    const Unfolding unfolding(x, w_shape, dy.dim(1), dy.dim(2), options);
    return WeightGradient(flat, x, dy, {}, &unfolding).run();
  }
  WeightGradient(dw, x, dy, options, nullptr).run();
}

}  // namespace giza::ops::direct
