// Bilinear enlargement fused with softmax cross-entropy, and with argmax.
#include "tensor/ops/upsample_loss.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "tensor/dry_run.h"
#include "tensor/kernels/class_planes.h"
#include "tensor/ops/cut.h"
#include "tensor/ops/detail/class_rows.h"
#include "tensor/ops/detail/cross_entropy_parts.h"
#include "tensor/ops/detail/resize_axis.h"
#include "tensor/ops/picture_cut.h"
#include "tensor/ops/scratch.h"
#include "tensor/profile/profile.h"

namespace giza::ops {
namespace {

using kernels::ClassPlanes;
using kernels::CrossEntropySums;
using kernels::EnlargedColumns;
using kernels::ResizeTap;

/// Pixels of a row whose losses are added to a sum of their own: whole groups.
constexpr int64_t kChunk = 64;
static_assert(kChunk % kernels::kPixelGroup == 0);

void check_fit(const char* op, const Tensor& logits, const Labels& labels) {
  check_resize(op, logits.shape(), labels.h, labels.w);
  check(logits.dim(0) == labels.n && logits.channels() >= 1, "{}: logits {} for labels [{},{},{}]", op, logits.shape(),
        labels.n, labels.h, labels.w);
  check_labels(op, labels);
}

/// What is measured: the numbers that are read and written, `bytes_each` of every enlarged pixel and the logits
/// `passes` times, and a handful of operations on every enlarged logit.
profile::Work describe(const char* kernel, double flops_each, double bytes_each, double passes, const Tensor& logits,
                       int64_t height, int64_t width) {
  const auto pixels = static_cast<double>(logits.dim(0) * height * width);
  return {.kernel = kernel,
          .shape = fmt::format("{} to {}x{}", logits.shape(), height, width),
          .flops = flops_each * pixels * static_cast<double>(logits.channels()),
          .bytes = passes * profile::bytes_of(logits) + bytes_each * pixels};
}

/// Calls body(first pixel, planes, columns, pixels) for chunks of the enlarged rows [begin, end). `row` is scratch.
template <class Body>
void for_each_chunk(const ClassRows& rows, int64_t begin, int64_t end, int64_t width, float* row, const Body& body) {
  for (int64_t i = begin; i < end; ++i) {
    const kernels::ClassPlanes planes = rows.blend(i, row);
    for (int64_t x = 0; x < width; x += kChunk) {
      body(i * width + x, planes, rows.columns(x), std::min(kChunk, width - x));
    }
  }
}

/// Floats from a pixel's gradient to the next one's: whole lines, so that no two tails of them share one.
int64_t pixel_stride(int64_t channels) { return padded_stride(std::max<int64_t>(channels, 16)); }

/// Output rows of one item between the same two input rows, at most kMaxRows of them, so that a task stays small where
/// a single row is enlarged to many.
struct Band {
  static constexpr int64_t kMaxRows = 16;
  int64_t begin, end;  ///< output rows
  int64_t low, high;   ///< input rows
};

Scratch<Band> make_bands(const ClassRows& rows, int64_t height, int64_t* count) {
  Scratch<Band> bands(height);
  *count = 0;
  for (int64_t p = 0; p < height; ++p) {
    const ResizeTap& tap = rows.tap(p);
    if (*count > 0 && bands[*count - 1].low == tap.low && p - bands[*count - 1].begin < Band::kMaxRows) {
      bands[*count - 1].end = p + 1;
    } else {
      bands[(*count)++] = {p, p + 1, tap.low, tap.high};
    }
  }
  return bands;
}

/// Rows of pixels of a gradient, one after the other; adding them up, a dense row is one long pixel.
struct GradientRows {
  int64_t pixels, channels, stride;

  int64_t floats() const { return pixels * stride; }
  /// to += factor * from
  void add(float* to, const float* from, float factor) const {
    const bool flat = stride == channels;
    kernels::resize_rows({to, stride}, 1.0F, {from, stride}, factor, {to, stride}, flat ? 1 : pixels,
                         flat ? pixels * channels : channels);
  }
};

}  // namespace

UpsampleCrossEntropyResult upsample_cross_entropy(const Tensor& logits, const Labels& labels, bool align_corners,
                                                  const CrossEntropyOptions& options) {
  check_fit("upsample_cross_entropy", logits, labels);
  const float* weights = class_weights_of("upsample_cross_entropy", logits, options);
  const profile::Scope scope([&] { return describe("upsample_cross_entropy", 12, 8, 1, logits, labels.h, labels.w); });
  const int64_t channels = logits.channels();
  UpsampleCrossEntropyResult result;
  result.loss.lse = Tensor::activation({labels.n, labels.h, labels.w, 1});
  const ClassRows rows(logits, labels.h, labels.w, align_corners);
  // Blocks of enlarged rows.
  const PictureCut cut(labels.n, labels.h, row_grain(labels.w * channels), 1);
  const int64_t blocks = cut.pictures * cut.blocks;
  struct Counts {
    int64_t valid, right, bad_label;
  };
  const Scratch<CrossEntropySums> sums(blocks);
  const Scratch<Counts> counts(blocks);
  // What a task leaves that is not run (tensor/dry_run.h): pixels whose loss is zero, so that there is a backward pass.
  std::fill_n(sums.data(), blocks, CrossEntropySums{0, 1, -1});
  std::fill_n(counts.data(), blocks, Counts{0, 0, -1});
  const int64_t work_floats = kernels::class_work_floats(channels);
  const auto task_floats = static_cast<size_t>(work_floats + rows.row_floats());
  announce_scratch(task_floats);
  const auto add_rows = [&](int64_t block, int64_t begin, int64_t end) {
    CrossEntropySums sum{0, 0, -1};
    Counts count{0, 0, -1};
    float* work = thread_scratch(task_floats);
    for_each_chunk(rows, begin, end, labels.w, work + work_floats,
                   [&](int64_t first, const ClassPlanes& planes, const EnlargedColumns& columns, int64_t pixels) {
                     const int32_t* own = labels.values.data() + first;
                     int32_t guess[kChunk];
                     const CrossEntropySums part =
                         kernels::enlarged_cross_entropy(planes, columns, own, options.ignore_label, weights,
                                                         result.loss.lse.data() + first, guess, work, pixels);
                     if (part.bad_label >= 0) {
                       if (count.bad_label < 0) count.bad_label = first + part.bad_label;
                       return;
                     }
                     sum.loss += part.loss;
                     sum.weight += part.weight;
                     for (int64_t i = 0; i < pixels; ++i) {
                       const bool valid = own[i] != options.ignore_label;
                       count.valid += valid;
                       count.right += valid && own[i] == guess[i];
                     }
                   });
    sums[block] = sum;
    counts[block] = count;
  };
  parallel_for(cut.units > 0 ? cut.tasks() : 0,
               [&](int64_t task) { cut.for_each_block(cut.begin(task), cut.end(task), add_rows); });
  for (int64_t block = 0; block < blocks; ++block) {
    if (counts[block].bad_label >= 0) {
      throw_bad_label("upsample_cross_entropy", labels, counts[block].bad_label, channels, options.ignore_label);
    }
    result.valid += counts[block].valid;
    result.right += counts[block].right;
  }
  const CrossEntropySums total = tree_sum(sums.data(), cut.pictures, cut.blocks);
  result.loss.weight = total.weight;
  result.loss.loss = mean_loss(total);
  return result;
}

Tensor upsample_cross_entropy_backward(float dloss, const Tensor& logits, const Labels& labels,
                                       const CrossEntropyResult& forward, bool align_corners,
                                       const CrossEntropyOptions& options) {
  check_fit("upsample_cross_entropy_backward", logits, labels);
  check(forward.lse.shape() == Shape{labels.n, labels.h, labels.w, 1},
        "upsample_cross_entropy_backward: lse {} for labels [{},{},{}]", forward.lse.shape(), labels.n, labels.h,
        labels.w);
  const float* weights = class_weights_of("upsample_cross_entropy_backward", logits, options);
  const profile::Scope scope(
      [&] { return describe("upsample_cross_entropy_backward", 14, 8, 2, logits, labels.h, labels.w); });
  Tensor dx = Tensor::activation(logits.shape());
  dx.fill(0.0F);
  if (!(forward.weight > 0)) return dx;
  const auto factor = static_cast<float>(dloss / forward.weight);

  const int64_t channels = logits.channels(), h = logits.dim(1), w = logits.dim(2);
  const int64_t height = labels.h, width = labels.w, stride = pixel_stride(channels);
  const int64_t pixel_floats = kernels::whole_groups(width) * stride;
  const int64_t work_floats = kernels::class_work_floats(channels);
  const ClassRows rows(logits, height, width, align_corners);
  const ResizeAxisSources columns(w, width, align_corners);
  int64_t band_count = 0;
  const Scratch<Band> bands = make_bands(rows, height, &band_count);
  // Each band has two rows of its own for what it gives to its two input rows.
  const GradientRows gradient{w, channels, dx.row_stride()};
  const Scratch<float> partials(labels.n * band_count * 2 * gradient.floats());
  const auto task_floats = static_cast<size_t>(work_floats + pixel_floats + gradient.floats() + rows.row_floats());
  announce_scratch(task_floats);
  parallel_for(labels.n * band_count, [&](int64_t task) {
    const Band& band = bands[task % band_count];
    float* to_low = partials.data() + task * 2 * gradient.floats();
    float* to_high = to_low + gradient.floats();
    std::fill_n(to_low, 2 * gradient.floats(), 0.0F);
    float* work = thread_scratch(task_floats);
    float* pixels = work + work_floats;
    float* half = pixels + pixel_floats;
    float* row = half + gradient.floats();
    for (int64_t p = band.begin; p < band.end; ++p) {
      const int64_t i = task / band_count * height + p;
      kernels::enlarged_cross_entropy_backward(rows.blend(i, row), rows.columns(0), labels.values.data() + i * width,
                                               options.ignore_label, weights, forward.lse.row(i * width), factor,
                                               {pixels, stride}, work, width);
      kernels::resize_gather_pixels({pixels, stride}, columns.data(), {half, gradient.stride}, w, channels);
      const ResizeTap& tap = rows.tap(p);
      if (band.low == band.high) {
        gradient.add(to_low, half, tap.low_weight + tap.high_weight);
      } else {
        gradient.add(to_low, half, tap.low_weight);
        gradient.add(to_high, half, tap.high_weight);
      }
    }
  });
  parallel_for(labels.n * h, [&](int64_t task) {
    for (int64_t b = 0; b < band_count; ++b) {
      const float* to_low = partials.data() + (task / h * band_count + b) * 2 * gradient.floats();
      if (bands[b].low == task % h) {
        gradient.add(dx.row(task * w), to_low, 1.0F);
      } else if (bands[b].high == task % h) {
        gradient.add(dx.row(task * w), to_low + gradient.floats(), 1.0F);
      }
    }
  });
  return dx;
}

namespace {

Labels upsample_argmax(const char* op, const Tensor& logits, int64_t height, int64_t width, bool align_corners,
                       bool softmax) {
  check_resize(op, logits.shape(), height, width);
  check(logits.channels() >= 1, "{}: logits {} have no classes", op, logits.shape());
  const profile::Scope scope([&] { return describe(op, softmax ? 13 : 8, 4, 1, logits, height, width); });
  Labels labels(logits.dim(0), height, width);
  const int64_t work_floats = kernels::class_work_floats(logits.channels());
  const ClassRows rows(logits, height, width, align_corners);
  const auto task_floats = static_cast<size_t>(work_floats + rows.row_floats());
  announce_scratch(task_floats);
  parallel_ranges(logits.dim(0) * height, row_grain(width * logits.channels()), [&](int64_t begin, int64_t end) {
    float* work = thread_scratch(task_floats);
    for_each_chunk(rows, begin, end, width, work + work_floats,
                   [&](int64_t first, const ClassPlanes& planes, const EnlargedColumns& columns, int64_t pixels) {
                     kernels::enlarged_argmax(planes, columns, softmax, labels.values.data() + first, work, pixels);
                   });
  });
  return labels;
}

}  // namespace

Labels upsample_argmax(const Tensor& logits, int64_t height, int64_t width, bool align_corners) {
  return upsample_argmax("upsample_argmax", logits, height, width, align_corners, /*softmax=*/false);
}

Labels upsample_softmax_argmax(const Tensor& logits, int64_t height, int64_t width, bool align_corners) {
  return upsample_argmax("upsample_softmax_argmax", logits, height, width, align_corners, /*softmax=*/true);
}

}  // namespace giza::ops
