// A contest of convolutions on one shape.
#include "tensor/profile/conv_trial.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "tensor/backends/reference.h"
#include "tensor/base/check.h"
#include "tensor/base/median.h"
#include "tensor/base/stopwatch.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace giza::profile {
namespace {

constexpr double kSeconds = 3;      // of a pass
constexpr double kShortest = 2e-3;  // seconds of one measurement: shorter calls are repeated
constexpr double kWinogradBound = 5e-6;

struct Operands {
  Tensor x, w, dy;
};

Tensor random_tensor(Tensor tensor, uint64_t seed, uint32_t item) {
  const uint32_t draws = 2 * static_cast<uint32_t>(tensor.channels());
  parallel_ranges(tensor.rows(), 256, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      Random random(seed, Purpose::test, 0, item);
      random.skip(static_cast<uint32_t>(row) * draws);
      for (int64_t c = 0; c < tensor.channels(); ++c) tensor.row(row)[c] = random.next_normal();
    }
  });
  return tensor;
}

Tensor run_pass(const Operands& in, ConvPass pass, const Conv2dOptions& options) {
  switch (pass) {
    case ConvPass::forward:
      return ops::conv2d(in.x, in.w, Tensor(), options);
    case ConvPass::backward_input:
      return ops::conv2d_backward_input(in.dy, in.w, in.x.shape(), options);
    default:
      return ops::conv2d_backward_weight(in.x, in.dy, in.w.shape(), options);
  }
}

Shape result_shape(const ConvSpec& spec, ConvPass pass) {
  return pass == ConvPass::forward ? spec.output() : pass == ConvPass::backward_input ? spec.input() : spec.weight();
}

/// Number of products in one element of the result.
int64_t products(const ConvSpec& spec, ConvPass pass) {
  const int64_t taps = spec.kernel_h * spec.kernel_w;
  return pass == ConvPass::forward          ? taps * spec.c
         : pass == ConvPass::backward_input ? taps * spec.k
                                            : spec.output().rows();
}

/// A single element of the result in double.
double oracle(const ConvSpec& spec, const Operands& in, ConvPass pass, int64_t row, int64_t channel) {
  namespace reference = ops::reference;
  switch (pass) {
    case ConvPass::forward:
      return reference::forward_element(in.x, in.w, in.dy.dim(1), in.dy.dim(2), row, channel, spec.options);
    case ConvPass::backward_input:
      return reference::backward_input_element(in.dy, in.w, spec.h, spec.w, row, channel, spec.options);
    default:
      return reference::backward_weight_element(in.x, in.dy, spec.kernel_h, spec.kernel_w, row, channel, spec.options);
  }
}

/// Elements of a result and what they should be.
struct Sample {
  std::vector<int64_t> places;
  std::vector<double> values;
};

/// All elements, or one at random from each of equal parts.
Sample sample_oracle(const ConvSpec& spec, const Operands& in, ConvPass pass, const ConvTrialOptions& options) {
  constexpr int64_t kFewest = 256;
  const Shape shape = result_shape(spec, pass);
  const auto affordable = static_cast<int64_t>(options.oracle_macs / static_cast<double>(products(spec, pass)));
  const int64_t count = std::min(shape.numel(), std::max(affordable, kFewest));
  const Random random(options.seed, Purpose::test, 0, 3);
  Sample sample{std::vector<int64_t>(static_cast<size_t>(count)), std::vector<double>(static_cast<size_t>(count))};
  parallel_ranges(count, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t low = i * shape.numel() / count, width = (i + 1) * shape.numel() / count - low;
      const auto within = static_cast<int64_t>(static_cast<double>(random.uniform(static_cast<uint32_t>(i))) *
                                               static_cast<double>(width));
      const int64_t place = low + within;
      sample.places[static_cast<size_t>(i)] = place;
      sample.values[static_cast<size_t>(i)] = oracle(spec, in, pass, place / shape.last(), place % shape.last());
    }
  });
  return sample;
}

double relative_error(const Tensor& result, const Sample& sample) {
  double distance = 0, norm = 0;
  for (size_t i = 0; i < sample.places.size(); ++i) {
    const int64_t channels = result.channels();
    const double value = static_cast<double>(result.row(sample.places[i] / channels)[sample.places[i] % channels]);
    distance += (value - sample.values[i]) * (value - sample.values[i]);
    norm += sample.values[i] * sample.values[i];
  }
  return norm > 0 ? std::sqrt(distance / norm) : std::sqrt(distance);
}

struct Candidate {
  ConvResult result;
  Conv2dOptions options;
  int repeats = 1;
  std::vector<double> seconds = {};
};

std::vector<Candidate> candidates(const ConvSpec& spec, ConvPass pass) {
  const auto plan = [&](ConvAlgorithm algorithm) {
    Conv2dOptions options = spec.options;
    options.engine.algorithm = algorithm;
    return ops::plan_conv2d(pass, spec.input(), spec.weight(), options);
  };
  const double direct_bound = 1e-6 * std::max(1.0, std::sqrt(static_cast<double>(products(spec, pass))) / 64);
  std::vector<Candidate> list;
  for (const ConvAlgorithm algorithm : conv_algorithms()) {
    const bool a_choice = algorithm == ConvAlgorithm::automatic || algorithm == ConvAlgorithm::fast;
    // An algorithm that does not apply falls back to another.
    if (a_choice || plan(algorithm).algorithm != algorithm) continue;
    Candidate candidate{{.name = to_string(algorithm), .chosen = {}, .failed = {}}, spec.options};
    candidate.options.engine.algorithm = algorithm;
    candidate.result.executed_flops = plan(algorithm).executed_flops;
    candidate.result.bound = algorithm == ConvAlgorithm::direct ? direct_bound : kWinogradBound;
    for (const ConvAlgorithm choice : {ConvAlgorithm::automatic, ConvAlgorithm::fast}) {
      if (plan(choice).algorithm != algorithm) continue;
      candidate.result.chosen += (candidate.result.chosen.empty() ? "" : ", ") + std::string(to_string(choice));
    }
    list.push_back(candidate);
  }
  for (const ConvBackend backend : {ConvBackend::onednn, ConvBackend::eigen}) {
    if (!(backend == ConvBackend::onednn ? onednn_available() : eigen_available())) continue;
    Candidate candidate{{.name = to_string(backend), .chosen = {}, .foreign = true, .failed = {}}, spec.options};
    candidate.options.engine.backend = backend;
    if (conv_backend(spec.weight(), candidate.options) != backend) continue;
    candidate.result.executed_flops = spec.flops();
    candidate.result.bound = direct_bound;
    list.push_back(candidate);
  }
  return list;
}

double seconds_of_pass(const Operands& in, ConvPass pass, const Candidate& candidate) {
  const Stopwatch watch;
  for (int i = 0; i < candidate.repeats; ++i) run_pass(in, pass, candidate.options);
  return watch.seconds() / candidate.repeats;
}

}  // namespace

int ConvPassResult::winner() const {
  int best = -1;
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i].within()) continue;
    if (best < 0 || results[i].median_s < results[static_cast<size_t>(best)].median_s) best = static_cast<int>(i);
  }
  return best;
}

ConvPassResult run_conv_trial(const ConvSpec& spec, ConvPass pass, const ConvTrialOptions& options) {
  const Operands in{random_tensor(Tensor::activation(spec.input()), options.seed, 0),
                    random_tensor(Tensor::empty(spec.weight()), options.seed, 1),
                    random_tensor(Tensor::activation(spec.output()), options.seed, 2)};
  const Sample sample = sample_oracle(spec, in, pass, options);
  ConvPassResult outcome{.pass = pass,
                         .elements = result_shape(spec, pass).numel(),
                         .checked = static_cast<int64_t>(sample.places.size()),
                         .results = {}};
  std::vector<Candidate> list = candidates(spec, pass);
  double round_s = 0;
  for (Candidate& candidate : list) {
    try {
      candidate.result.error = relative_error(run_pass(in, pass, candidate.options), sample);
      const double once = seconds_of_pass(in, pass, candidate);
      candidate.repeats = std::clamp(static_cast<int>(kShortest / std::max(once, 1e-9)), 1, 1000);
      round_s += once * candidate.repeats;
    } catch (const Error& error) {
      candidate.result.failed = error.what();
    }
  }
  outcome.rounds =
      options.runs > 0 ? options.runs : std::clamp(static_cast<int>(kSeconds / std::max(round_s, 1e-3)), 3, 25);
  for (int round = 0; round < outcome.rounds; ++round) {
    for (Candidate& candidate : list) {
      if (!candidate.result.failed.empty()) continue;
      candidate.seconds.push_back(seconds_of_pass(in, pass, candidate));
      // oneDNN's threads are OpenMP's, which stay awake for a while and would take a core from the next candidate.
      if (candidate.options.engine.backend == ConvBackend::onednn)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  for (Candidate& candidate : list) {
    const std::vector<double>& seconds = candidate.seconds;
    if (!seconds.empty()) {
      candidate.result.median_s = median(seconds);
      candidate.result.best_s = *std::min_element(seconds.begin(), seconds.end());
    }
    outcome.results.push_back(candidate.result);
  }
  return outcome;
}

}  // namespace giza::profile
