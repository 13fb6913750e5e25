// A contest of convolutions on one shape.
#include "tensor/profile/conv_trial.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "tensor/check.h"
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

double product(float a, float b) { return static_cast<double>(a) * static_cast<double>(b); }

/// Single elements of the results, from the definition, in double.
class Oracle {
 public:
  Oracle(const ConvSpec& spec, const Operands& in) : spec_(spec), in_(in), p_(spec.output()[1]), q_(spec.output()[2]) {}

  double element(ConvPass pass, int64_t row, int64_t channel) const {
    return pass == ConvPass::forward          ? forward(row, channel)
           : pass == ConvPass::backward_input ? backward_input(row, channel)
                                              : backward_weight(row, channel);
  }

 private:
  /// Index of x's pixel under tap (r, s) of output (n, i, j); -1 in the padding.
  int64_t pixel(int64_t n, int64_t i, int64_t j, int64_t r, int64_t s) const {
    const Conv2dOptions& o = spec_.options;
    const int64_t y = i * o.stride - o.padding + r * o.dilation, z = j * o.stride - o.padding + s * o.dilation;
    return y < 0 || y >= spec_.h || z < 0 || z >= spec_.w ? -1 : (n * spec_.h + y) * spec_.w + z;
  }
  double forward(int64_t row, int64_t k) const {
    double sum = 0;
    for (int64_t tap = 0; tap < spec_.kernel_h * spec_.kernel_w; ++tap) {
      const int64_t from = pixel(row / q_ / p_, row / q_ % p_, row % q_, tap / spec_.kernel_w, tap % spec_.kernel_w);
      if (from < 0) continue;
      const float* x = in_.x.row(from);
      const float* w = in_.w.row(k * spec_.kernel_h * spec_.kernel_w + tap);
      for (int64_t c = 0; c < spec_.c; ++c) sum += product(x[c], w[c]);
    }
    return sum;
  }
  double backward_input(int64_t row, int64_t c) const {
    const Conv2dOptions& o = spec_.options;
    const int64_t n = row / spec_.w / spec_.h, y = row / spec_.w % spec_.h, z = row % spec_.w;
    double sum = 0;
    for (int64_t tap = 0; tap < spec_.kernel_h * spec_.kernel_w; ++tap) {
      const int64_t i = y + o.padding - tap / spec_.kernel_w * o.dilation;
      const int64_t j = z + o.padding - tap % spec_.kernel_w * o.dilation;
      if (i < 0 || j < 0 || i % o.stride != 0 || j % o.stride != 0 || i / o.stride >= p_ || j / o.stride >= q_)
        continue;
      const float* dy = in_.dy.row((n * p_ + i / o.stride) * q_ + j / o.stride);
      for (int64_t k = 0; k < spec_.k; ++k) {
        sum += product(dy[k], in_.w.row(k * spec_.kernel_h * spec_.kernel_w + tap)[c]);
      }
    }
    return sum;
  }
  double backward_weight(int64_t row, int64_t c) const {
    const int64_t tap = row % (spec_.kernel_h * spec_.kernel_w), k = row / (spec_.kernel_h * spec_.kernel_w);
    double sum = 0;
    for (int64_t out = 0; out < in_.dy.rows(); ++out) {
      const int64_t from = pixel(out / q_ / p_, out / q_ % p_, out % q_, tap / spec_.kernel_w, tap % spec_.kernel_w);
      if (from >= 0) sum += product(in_.x.row(from)[c], in_.dy.row(out)[k]);
    }
    return sum;
  }

  const ConvSpec& spec_;
  const Operands& in_;
  int64_t p_, q_;
};

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
  const Oracle oracle(spec, in);
  const Random random(options.seed, Purpose::test, 0, 3);
  Sample sample{std::vector<int64_t>(static_cast<size_t>(count)), std::vector<double>(static_cast<size_t>(count))};
  parallel_ranges(count, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t low = i * shape.numel() / count, width = (i + 1) * shape.numel() / count - low;
      const auto within = static_cast<int64_t>(static_cast<double>(random.uniform(static_cast<uint32_t>(i))) *
                                               static_cast<double>(width));
      const int64_t place = low + within;
      sample.places[static_cast<size_t>(i)] = place;
      sample.values[static_cast<size_t>(i)] = oracle.element(pass, place / shape.last(), place % shape.last());
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
    options.algorithm = algorithm;
    return ops::plan_conv2d(pass, spec.input(), spec.weight(), options);
  };
  const double direct_bound = 1e-6 * std::max(1.0, std::sqrt(static_cast<double>(products(spec, pass))) / 64);
  std::vector<Candidate> list;
  for (const ConvAlgorithm algorithm : conv_algorithms()) {
    const bool a_choice = algorithm == ConvAlgorithm::automatic || algorithm == ConvAlgorithm::fast;
    // An algorithm that does not apply falls back to another.
    if (a_choice || plan(algorithm).algorithm != algorithm) continue;
    Candidate candidate{{.name = to_string(algorithm), .chosen = {}, .failed = {}}, spec.options};
    candidate.options.algorithm = algorithm;
    candidate.result.executed_flops = plan(algorithm).executed_flops;
    candidate.result.bound = algorithm == ConvAlgorithm::direct ? direct_bound : kWinogradBound;
    for (const ConvAlgorithm choice : {ConvAlgorithm::automatic, ConvAlgorithm::fast}) {
      if (plan(choice).algorithm != algorithm) continue;
      candidate.result.chosen += (candidate.result.chosen.empty() ? "" : ", ") + std::string(to_string(choice));
    }
    list.push_back(candidate);
  }
  if (onednn_available()) {
    Candidate candidate{{.name = "onednn", .chosen = {}, .foreign = true, .failed = {}}, spec.options};
    candidate.options.backend = ConvBackend::onednn;
    candidate.result.executed_flops = spec.flops();
    candidate.result.bound = direct_bound;
    list.push_back(candidate);
  }
  return list;
}

double seconds_of(const Operands& in, ConvPass pass, const Candidate& candidate) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < candidate.repeats; ++i) run_pass(in, pass, candidate.options);
  const auto end = std::chrono::steady_clock::now();
  return std::chrono::duration<double>(end - start).count() / candidate.repeats;
}

}  // namespace

const char* to_string(ConvPass pass) {
  return pass == ConvPass::forward          ? "forward"
         : pass == ConvPass::backward_input ? "backward_input"
                                            : "backward_weight";
}

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
      const double once = seconds_of(in, pass, candidate);
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
      if (candidate.result.failed.empty()) candidate.seconds.push_back(seconds_of(in, pass, candidate));
    }
  }
  for (Candidate& candidate : list) {
    std::vector<double>& seconds = candidate.seconds;
    if (!seconds.empty()) {
      std::sort(seconds.begin(), seconds.end());
      const size_t half = seconds.size() / 2;
      candidate.result.median_s = seconds.size() % 2 == 1 ? seconds[half] : (seconds[half - 1] + seconds[half]) / 2;
      candidate.result.best_s = seconds.front();
    }
    outcome.results.push_back(candidate.result);
  }
  return outcome;
}

}  // namespace giza::profile
