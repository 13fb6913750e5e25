// The fully connected CRF as options.
#include "train/config/crf_options.h"

#include "tensor/base/check.h"

namespace giza::train {
namespace {

void check_range(const char* what, double value, double min, double max) {
  // A NaN is in no range.
  check<Refusal>(value >= min && value <= max, "dense CRF: {} {}, expected from {} to {}", what, value, min, max);
}

/// `words` is "one|two|three".
void check_word(const char* what, const std::string& word, const std::string& words) {
  const bool single = !word.empty() && word.find('|') == std::string::npos;
  check<Refusal>(single && ("|" + words + "|").find("|" + word + "|") != std::string::npos,
                 "dense CRF: {} \"{}\", expected one of {}", what, word, words);
}

}  // namespace

void CrfOptions::validate() const {
  check_range("iterations", iterations, 0, kMaxCrfIterations);
  check_range("bilateral weight", bilateral_weight, 0, kMaxCrfWeight);
  check_range("bilateral xy", bilateral_xy, kMinCrfDeviation, kMaxCrfDeviation);
  check_range("bilateral rgb", bilateral_rgb, kMinCrfDeviation, kMaxCrfDeviation);
  check_range("Gaussian weight", gaussian_weight, 0, kMaxCrfWeight);
  check_range("Gaussian xy", gaussian_xy, kMinCrfDeviation, kMaxCrfDeviation);
  check_word("normalization", normalization, kCrfNormalizations);
  check_word("filter", filter, kCrfFilters);
}

std::string crf_name(const CrfOptions& options) {
  return fmt::format("dense CRF ({} iterations; bilateral {}, xy {}, rgb {}; Gaussian {}, xy {}; {}, {} filter)",
                     options.iterations, options.bilateral_weight, options.bilateral_xy, options.bilateral_rgb,
                     options.gaussian_weight, options.gaussian_xy, options.normalization, options.filter);
}

}  // namespace giza::train
