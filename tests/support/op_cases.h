// The op case table: which shapes and options every op is tested and timed on. One line of text per case.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/ops/conv2d.h"
#include "tensor/ops/pool.h"
#include "tensor/shape.h"

namespace giza {

/// What the numbers of a case are.
enum class CaseData {
  normal,    ///< N(0, 1)
  integer,   ///< small integers: convolutions are then exact
  ties,      ///< integers in {0, 1, 2}: equal neighbours everywhere
  constant,  ///< one number per channel: zero variance
  offset,    ///< 10^4 + N(0, 1): mean = 10^4 sigma
  large,     ///< 10^4 N(0, 1)
  nan,       ///< N(0, 1) with one NaN in the middle of the map
  inf,       ///< N(0, 1) with one infinity in the middle of the map
};

/// One case, written "OP FIELDS [WORDS]", for example "conv2d n1h60w60c512k512r3d4" or "softmax n2h7w7c33 large".
/// Fields, each a letter and a number, in any order; the glossary's letters, with s for the stride:
///   n batch (1)       h, w input size (1)  c input channels (1)   k output channels (1)
///   r kernel size (1), or RxS               s stride (1)
///   d dilation (1)    p padding (dilation (r - 1) / 2, "same"; 0 if r is even)
///   b bins (1)        o output size HxW of a resize
///   a rows and columns that a transposed convolution adds at the end (0)
/// concat takes one c per part: "concat_channels n1h7w7c8c3".
/// Words: bias, relu, residual, align (corners), weights (of classes), ignored (all labels), ceil (sizes of a pooling),
/// and a CaseData.
struct OpCase {
  std::string op;
  int64_t n = 1, h = 1, w = 1, k = 1;
  std::vector<int64_t> channels = {1};
  int64_t kernel_h = 1, kernel_w = 1, stride = 1, dilation = 1, padding = 0;
  int64_t bins = 1, out_h = 1, out_w = 1, output_padding = 0;
  bool bias = false, relu = false, residual = false, align_corners = false, class_weights = false, all_ignored = false;
  bool ceil = false;
  CaseData data = CaseData::normal;

  /// Throws Error, naming the text, for a letter or word that is not known.
  static OpCase parse(std::string_view text);
  /// The shortest text that parses to this case.
  std::string name() const;

  int64_t c() const { return channels.front(); }
  Shape input() const { return {n, h, w, c()}; }
  Shape weight() const { return {k, kernel_h, kernel_w, c()}; }
  Conv2dOptions conv(ConvBackend backend = ConvBackend::native) const { return {stride, padding, dilation, {backend}}; }
  ops::Pool2dOptions pool() const { return {kernel_h, stride, padding, ceil}; }
  /// Output of conv2d and of poolings: [N,P,Q,K] and [N,P,Q,C].
  Shape output() const;
  /// Multiply-adds of a conv2d or linear forward pass, padding counted; 0 for other ops.
  double macs() const;

  bool operator==(const OpCase&) const = default;
};

enum class CaseUse {
  test,   ///< small: the shapes that break kernels, and PSPNet's shapes scaled down
  bench,  ///< the shapes of PSPNet50 at 473 x 473
};

/// The whole table, one case per line; empty lines between ops.
std::string_view op_case_table(CaseUse use);
/// Parts of it in files of their own: ops that slide a window, and what is timed.
std::string_view window_case_table();
std::string_view bench_case_table();
/// The table's rows of one op, in the table's order. Throws Error for an op without rows.
std::vector<OpCase> op_cases(std::string_view op, CaseUse use = CaseUse::test);

}  // namespace giza
