// How far a mean IoU could have come out otherwise, had other pictures of the same kind been judged.
#include "train/eval/bootstrap.h"

#include <algorithm>
#include <array>

#include "tensor/base/check.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace giza::train {
namespace {

constexpr uint32_t kStream = 0x626f6f74;  // "boot": no other use of Philox has this word

Interval middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const double tail = (1 - kBootstrapLevel) / 2;
  return {percentile(values, tail), percentile(values, 1 - tail)};
}

}  // namespace

double percentile(std::span<const double> sorted, double share) {
  check(!sorted.empty() && share >= 0 && share <= 1, "percentile: {} of {} values", share, sorted.size());
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

BootstrapResult bootstrap_miou(std::span<const std::vector<PictureClass>> pictures, int classes, int resamples,
                               uint64_t seed) {
  check(classes >= 1 && resamples >= 1, "bootstrap: {} classes, {} resamples", classes, resamples);
  check(pictures.size() < UINT32_MAX, "bootstrap: {} pictures", pictures.size());
  BootstrapResult result;
  result.pictures = static_cast<int64_t>(pictures.size());
  if (pictures.empty()) return result;
  const auto count = static_cast<uint64_t>(pictures.size());
  std::vector<double> all(static_cast<size_t>(resamples)), present(all.size());
  parallel_for(resamples, [&](int64_t resample) {
    std::vector<ClassSums> sums(static_cast<size_t>(classes));
    std::array<uint32_t, 4> words{};
    for (uint64_t i = 0; i < count; ++i) {
      if (i % 4 == 0) {
        words = philox({static_cast<uint32_t>(i / 4), static_cast<uint32_t>(resample), 0, kStream}, seed);
      }
      // Multiply-shift: the bias is below count / 2^32.
      for (const PictureClass& more : pictures[static_cast<size_t>((words[i % 4] * count) >> 32)]) {
        sums[static_cast<size_t>(more.label)] += more.sums;
      }
    }
    const Metrics metrics = figures_of(sums);
    all[static_cast<size_t>(resample)] = metrics.miou;
    present[static_cast<size_t>(resample)] = metrics.miou_present;
  });
  result.resamples = resamples;
  result.miou = middle(std::move(all));
  result.miou_present = middle(std::move(present));
  return result;
}

}  // namespace giza::train
