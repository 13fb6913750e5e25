// The same steps under two settings, held against each other bit by bit.
#include "train/verify/bisect.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "autograd/listener.h"
#include "autograd/watching.h"
#include "layers/module.h"
#include "tensor/base/hash.h"
#include "tensor/parallel.h"
#include "tensor/profile/profile.h"
#include "tensor/simd.h"
#include "train/cost/rehearsal.h"

namespace giza::train {
namespace {

constexpr const char* kUpdate = "update";

uint64_t hash_of(const Tensor& tensor) {
  Fnv1a hash;
  for (int64_t row = 0; row < tensor.rows(); ++row) {
    for (int64_t c = 0; c < tensor.channels(); ++c) hash.add_word(std::bit_cast<uint32_t>(tensor.row(row)[c]));
  }
  return hash.value();
}

/// Sets threads and SIMD target, and sets them back.
class UnderSetting {
 public:
  explicit UnderSetting(const ComputeSetting& setting) : threads_(num_threads()), isa_(isa()) {
    set_isa(setting.isa);
    set_num_threads(setting.threads);
  }
  ~UnderSetting() {
    set_isa(isa_);
    set_num_threads(threads_);
  }
  UnderSetting(const UnderSetting&) = delete;
  UnderSetting& operator=(const UnderSetting&) = delete;

 private:
  int threads_;
  std::string isa_;
};

/// Thrown when the output that is looked for has been made, to end the pass.
struct Reached {};

/// One run of the steps: what they made, and one of these tensors whole.
class Run {
 public:
  Run(const BisectedSteps& steps, const ComputeSetting& setting) : steps_(steps), setting_(setting) {}

  void all(models::FileNotes* told) { go(told); }

  /// Only up to this output, whose numbers it keeps.
  void up_to(size_t wanted) {
    wanted_ = wanted;
    try {
      go(nullptr);
    } catch (const Reached&) {
    }
  }

  const std::vector<StepOutput>& outputs() const { return outputs_; }
  const std::vector<float>& kept() const { return kept_; }

 private:
  void go(models::FileNotes* told) {
    const UnderSetting under(setting_);
    Config config = steps_.config;
    config.train.threads = setting_.threads;
    config.train.conv = to_string(setting_.conv.backend);
    config.train.algorithm = to_string(setting_.conv.algorithm);
    const std::unique_ptr<StepRehearsal> rehearsal =
        make_rehearsal(config, steps_.input, steps_.training, steps_.weights, told);
    see_network("initial weights", rehearsal->network());
    for (int step = 0; step < steps_.count; ++step) {
      const profile::Recording recording;  // so that ops know their layers
      if (steps_.training) {
        const autograd::Watching watching([this](const autograd::Made& made) { see_made(made); });
        rehearsal->step();
      } else {
        const autograd::Listening listening([this](const autograd::HeardOp& op) { see_heard(op); });
        rehearsal->step();
      }
      if (steps_.training) see_network(kUpdate, rehearsal->network());
    }
  }

  void see(StepOutput output, const Tensor& value) {
    if (!value.defined()) return;
    output.shape = value.shape();
    output.hash = hash_of(value);
    outputs_.push_back(std::move(output));
    if (outputs_.size() != wanted_ + 1) return;
    kept_ = value.to_vector();
    throw Reached();
  }

  void see_made(const autograd::Made& made) {
    const char* stage = made.input < 0 ? "forward" : "backward";
    see({.stage = stage, .op = made.op, .layer = made.layer, .input = made.input, .shape = {}}, made.value);
  }

  void see_heard(const autograd::HeardOp& op) {
    std::string layer = op.layer;
    if (!op.norm.empty()) layer += " with " + op.norm;
    see({.stage = "forward", .op = op.name, .layer = layer, .shape = {}}, op.output);
  }

  void see_network(const char* stage, const layers::Module& network) {
    for (const layers::NamedParameter& parameter : network.parameters()) {
      see({.stage = stage, .op = {}, .layer = parameter.name, .shape = {}}, parameter.variable.value());
    }
    for (const layers::NamedBuffer& buffer : network.buffers()) {
      see({.stage = stage, .op = {}, .layer = buffer.name, .shape = {}}, buffer.tensor);
    }
  }

  const BisectedSteps& steps_;
  const ComputeSetting& setting_;
  size_t wanted_ = std::numeric_limits<size_t>::max() - 1;
  std::vector<StepOutput> outputs_;
  std::vector<float> kept_;
};

bool alike(const StepOutput& x, const StepOutput& y) { return x.same_place(y) && x.hash == y.hash; }

OutputDifference difference_of(const std::vector<float>& a, const std::vector<float>& b) {
  OutputDifference result;
  result.numbers = static_cast<int64_t>(a.size());
  double squares = 0, of_a = 0, most = -1;
  for (size_t i = 0; i < a.size(); ++i) {
    of_a += double{a[i]} * double{a[i]};
    if (std::bit_cast<uint32_t>(a[i]) == std::bit_cast<uint32_t>(b[i])) continue;
    ++result.differing;
    double apart = std::abs(double{a[i]} - double{b[i]});
    if (std::isnan(apart)) apart = std::numeric_limits<double>::infinity();
    squares += apart * apart;
    if (apart <= most) continue;
    most = apart;
    result.place = static_cast<int64_t>(i);
    result.a_value = a[i];
    result.b_value = b[i];
  }
  result.relative_l2 = squares == 0 ? 0 : std::sqrt(squares / of_a);  // of -0 and 0 nothing is left
  if (std::isnan(result.relative_l2)) result.relative_l2 = std::numeric_limits<double>::infinity();
  return result;
}

}  // namespace

bool StepOutput::same_place(const StepOutput& other) const {
  return stage == other.stage && op == other.op && layer == other.layer && input == other.input && shape == other.shape;
}

Bisection bisect(const BisectedSteps& steps, const ComputeSetting& a, const ComputeSetting& b,
                 models::FileNotes* told) {
  Run of_a(steps, a), of_b(steps, b);
  of_a.all(told);
  of_b.all(nullptr);
  const std::vector<StepOutput>&made_a = of_a.outputs(), &made_b = of_b.outputs();

  Bisection result;
  Fnv1a hash;
  for (const StepOutput& output : made_a) hash.add_word(output.hash);
  result.hash = hash.value();
  const auto [in_a, in_b] = std::mismatch(made_a.begin(), made_a.end(), made_b.begin(), made_b.end(), alike);
  const auto place = static_cast<size_t>(in_a - made_a.begin());
  result.same_outputs = static_cast<int64_t>(place);
  if (in_a == made_a.end() && in_b == made_b.end()) return result;
  result.first = in_a != made_a.end() ? *in_a : *in_b;
  if (in_a == made_a.end() || in_b == made_b.end()) return result;
  result.other = *in_b;
  if (!in_a->same_place(*in_b)) return result;

  Run again_a(steps, a), again_b(steps, b);
  again_a.up_to(place);
  again_b.up_to(place);
  const auto steady = [&](const Run& again, const std::vector<StepOutput>& before) {
    return again.outputs().size() == place + 1 &&
           std::equal(again.outputs().begin(), again.outputs().end(), before.begin(), alike);
  };
  if (!steady(again_a, made_a)) result.unsteady.emplace_back("A");
  if (!steady(again_b, made_b)) result.unsteady.emplace_back("B");
  if (again_a.kept().size() == again_b.kept().size()) {
    result.difference = difference_of(again_a.kept(), again_b.kept());
  }
  return result;
}

}  // namespace giza::train
