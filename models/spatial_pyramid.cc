// Spatial pyramid pooling.
#include "models/spatial_pyramid.h"

#include <algorithm>
#include <vector>

#include "autograd/functions/functions.h"
#include "tensor/base/check.h"

namespace giza::models {
namespace {

using autograd::Variable;

/// How much of an axis the strided windows look at: (n - 1) floor(a / n) + ceil(a / n). On so much of it they are the
/// adaptive ones, for it is n k, or n k + 1 with a window of k + 1 from each multiple of k on.
int64_t span_of_windows(int64_t a, int64_t n) { return a / n * n + std::min<int64_t>(a % n, 1); }

}  // namespace

Variable spatial_pyramid(const Variable& x, std::span<const int64_t> bins, PyramidWindows windows) {
  check(x.value().rank() == 4, "spatial pyramid: x {} is not [N,H,W,C]", x.shape());
  check(!bins.empty(), "spatial pyramid: no bins");
  const int64_t h = x.value().dim(1), w = x.value().dim(2);
  std::vector<Variable> levels;
  for (const int64_t n : bins) {
    check(n >= 1, "spatial pyramid: {} bins", n);
    check(windows == PyramidWindows::adaptive || std::min(h, w) >= n,
          "spatial pyramid: {0}x{0} windows on a map of {1}x{2}, which must have as many rows and columns; use larger "
          "pictures, a smaller output stride, smaller bins or adaptive windows",
          n, h, w);
    const bool strided = windows == PyramidWindows::strided;
    const int64_t rows = strided ? span_of_windows(h, n) : h, columns = strided ? span_of_windows(w, n) : w;
    const Variable seen = rows == h && columns == w ? x : autograd::crop2d(x, 0, 0, rows, columns);
    levels.push_back(autograd::flatten(autograd::adaptive_max_pool2d(seen, n)));
  }
  return levels.size() == 1 ? levels.front() : autograd::concat_channels(levels);
}

}  // namespace giza::models
