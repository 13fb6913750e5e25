// The fully connected CRF on a given picture, for bench/versus/crf.py: prints its times and writes Q.
#include "train/eval/dense_crf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <string>
#include <vector>

#include "models/weights/npy.h"
#include "tensor/base/check.h"
#include "tensor/base/stopwatch.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "train/data/image/image.h"

namespace giza::bench {
namespace {

constexpr const char* kUsage =
    "dense_crf PICTURE PROBABILITIES.npy Q.npy THREADS RUNS [iterations w1 xy1 rgb w2 xy2 normalization filter [isa]]";

/// PROBABILITIES and Q are [1,C,H,W].
int run(const std::vector<std::string>& words) {
  check<Refusal>(words.size() == 5 || words.size() == 13 || words.size() == 14, "usage: {}", kUsage);
  const auto number = [&](size_t i) { return std::strtod(words[i].c_str(), nullptr); };
  set_num_threads(static_cast<int>(number(3)));
  train::CrfOptions options;
  if (words.size() > 5) {
    options = {.iterations = static_cast<int>(number(5)),
               .bilateral_weight = number(6),
               .bilateral_xy = number(7),
               .bilateral_rgb = number(8),
               .gaussian_weight = number(9),
               .gaussian_xy = number(10),
               .normalization = words[11],
               .filter = words[12]};
  }
  if (words.size() > 13) set_isa(words[13]);
  const train::Image picture = train::read_image(words[0]);
  const Tensor probabilities = models::activation_from_nchw(models::read_npy(words[1]), words[1]);
  const auto processor = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };  // of all threads
  std::vector<double> seconds, processor_seconds;
  Tensor q;
  for (int i = 0; i < static_cast<int>(number(4)); ++i) {
    const double before = processor();
    seconds.push_back(seconds_of([&] { q = train::dense_crf(probabilities, picture, options); }));
    processor_seconds.push_back(processor() - before);
  }
  check<Refusal>(!seconds.empty(), "usage: {}", kUsage);
  models::write_npy(words[2], models::nchw_from_activation(q));
  // The first run's page faults are in none of the others.
  fmt::print("{{\"best_s\": {}, \"cpu_s\": {}, \"target\": \"{}\"}}\n",
             *std::min_element(seconds.begin(), seconds.end()),
             *std::min_element(processor_seconds.begin(), processor_seconds.end()), isa());
  return 0;
}

}  // namespace
}  // namespace giza::bench

int main(int argc, char** argv) {
  try {
    return giza::bench::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "dense_crf: {}\n", error.what());
    return 1;
  }
}
