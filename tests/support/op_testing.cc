// What the op tests share: see op_testing.h.
#include "tests/support/op_testing.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "tensor/base/hash.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"

namespace giza {
namespace {

constexpr uint32_t kCanary = 0x7FC5A5A5;  // a quiet NaN that no arithmetic makes

float normal_number(std::mt19937_64& bits) {
  // Irwin-Hall: twelve uniforms less six. std::normal_distribution differs between standard libraries.
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += static_cast<double>(bits() >> 11) * 0x1p-53;
  return static_cast<float>(sum);
}

float number_of(CaseData data, std::mt19937_64& bits, float constant) {
  switch (data) {
    case CaseData::integer:
      return static_cast<float>(static_cast<int64_t>(bits() % 9) - 4);
    case CaseData::ties:
      return static_cast<float>(bits() % 3);
    case CaseData::constant:
      return constant;
    case CaseData::offset:
      return 1e4F + normal_number(bits);
    case CaseData::large:
      return 1e4F * normal_number(bits);
    default:
      return normal_number(bits);
  }
}

/// The bits of all results that a body of for_each_target compared with an oracle, in their order.
std::vector<uint64_t> results;

void record(const Tensor& result) {
  Fnv1a hash;
  for (const float value : result.to_vector()) {
    // Which of its operands' bits a NaN has, processors decide differently.
    hash.add_bytes(std::to_string(std::isnan(value) ? 0x7FC00000U : std::bit_cast<uint32_t>(value)));
  }
  results.push_back(hash.value());
}

bool agree(double actual, double expected, double bound) {
  if (std::isnan(expected)) return std::isnan(actual);
  if (std::isinf(expected)) return actual == expected;
  return std::abs(actual - expected) <= bound;
}

/// The shapes' difference, or "".
std::string shapes_differ(const Tensor& actual, const oracle::Array& expected) {
  if (!actual.defined()) return "no result";
  if (actual.shape() == expected.shape) return "";
  return fmt::format("shape {} instead of {}", actual.shape(), expected.shape);
}

std::string element(const Shape& shape, int64_t i, double actual, double expected) {
  const int64_t c = i % std::max<int64_t>(shape.last(), 1), row = i / std::max<int64_t>(shape.last(), 1);
  return fmt::format("row {} channel {} of {}: {:.9g} instead of {:.9g}", row, c, shape, actual, expected);
}

}  // namespace

Tensor make_numbers(const Shape& shape, CaseData data, uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::vector<float> constants;
  for (int64_t c = 0; c < shape.last(); ++c) constants.push_back(3.0F * normal_number(bits));
  std::vector<float> values;
  for (int64_t i = 0; i < shape.numel(); ++i) {
    values.push_back(number_of(data, bits, constants[static_cast<size_t>(i % shape.last())]));
  }
  if (!values.empty() && (data == CaseData::nan || data == CaseData::inf)) {
    // The middle pixel of the middle item, in a channel that is not the first.
    int64_t row = 0;
    for (int axis = 0; axis + 1 < shape.rank(); ++axis) row = row * shape[axis] + shape[axis] / 2;
    values[static_cast<size_t>(row * shape.last() + shape.last() / 2)] =
        data == CaseData::nan ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  }
  return Tensor::from(shape, values);
}

Labels make_labels(int64_t n, int64_t h, int64_t w, int64_t classes, int32_t ignore, bool all_ignored, uint64_t seed) {
  std::mt19937_64 bits(seed);
  Labels labels(n, h, w, ignore);
  for (int32_t& label : labels.values) {
    if (!all_ignored && bits() % 8 != 0) label = static_cast<int32_t>(bits() % static_cast<uint64_t>(classes));
  }
  return labels;
}

uint64_t seed_of(const std::string& name) {
  Fnv1a hash;
  hash.add_bytes(name);
  return hash.value();
}

Placed::Placed(const Tensor& numbers, Layout layout)
    : original_(numbers.clone()), row_(layout == Layout::slice ? 1 : 0), column_(layout == Layout::slice ? 3 : 0) {
  const int64_t rows = numbers.rows(), columns = numbers.channels();
  const int64_t width = layout == Layout::dense ? columns : column_ + columns + 5;
  // A row of canaries behind the last one, and for a slice before the first: an op that runs over an end meets them.
  parent_ = Tensor::full({row_ + rows + 1, width}, std::bit_cast<float>(kCanary));
  view_ = parent_.batch_slice(row_, row_ + rows).channel_slice(column_, column_ + columns).reshape(numbers.shape());
  view_.copy_from(numbers);
}

bool Placed::canaries_intact() const {
  for (int64_t row = 0; row < parent_.rows(); ++row) {
    for (int64_t c = 0; c < parent_.channels(); ++c) {
      const bool own = row >= row_ && row < row_ + view_.rows() && c >= column_ && c < column_ + view_.channels();
      if (!own && std::bit_cast<uint32_t>(parent_.row(row)[c]) != kCanary) return false;
    }
  }
  return true;
}

bool Placed::intact() const { return canaries_intact() && same_bits(view_, original_); }

void for_each_target(const std::function<void(const std::string& target)>& body) {
  const ThreadScope one(1);
  const IsaScope restore;
  std::string first;
  std::vector<uint64_t> expected;
  for (const std::string& target : isa_targets()) {
    set_isa(target);
    results.clear();
    body(target);
    if (!isa_fuses(target)) continue;
    if (first.empty()) {
      first = target;
      expected = results;
    }
    const auto differing = std::mismatch(expected.begin(), expected.end(), results.begin(), results.end());
    CHECK_MESSAGE(differing.first == expected.end(), "result ", differing.first - expected.begin(), " of ",
                  expected.size(), " has other bits on ", target, " than on ", first);
  }
}

void for_each_setting(const std::function<void(Layout layout)>& body) {
  for_each_target([&](const std::string& target) {
    CAPTURE(target);
    for (Layout layout : kLayouts) {
      CAPTURE(static_cast<int>(layout));
      body(layout);
    }
  });
}

std::string differs(const Tensor& actual, const oracle::Array& expected, double bound, double scale) {
  if (std::string shapes = shapes_differ(actual, expected); !shapes.empty()) return shapes;
  record(actual);
  const oracle::Array values(actual);
  double error = 0, length = 0, worst = -1;
  int64_t worst_at = 0;
  for (int64_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(expected[i]) || !std::isfinite(values[i])) {
      if (!agree(values[i], expected[i], 0)) return element(actual.shape(), i, values[i], expected[i]);
      continue;
    }
    const double distance = std::abs(values[i] - expected[i]);
    error += distance * distance;
    length += expected[i] * expected[i];
    if (distance > worst) worst = distance, worst_at = i;
  }
  const double allowed = bound * (scale >= 0 ? scale : std::sqrt(length));
  if (std::sqrt(error) <= allowed) return "";
  return fmt::format("L2 error {:.3g}, allowed {:.3g}; worst at {}", std::sqrt(error), allowed,
                     element(actual.shape(), worst_at, values[worst_at], expected[worst_at]));
}

std::string differs_by_element(const Tensor& actual, const oracle::Array& expected, const oracle::Array& bound) {
  if (std::string shapes = shapes_differ(actual, expected); !shapes.empty()) return shapes;
  record(actual);
  const oracle::Array values(actual);
  for (int64_t i = 0; i < values.size(); ++i) {
    if (!agree(values[i], expected[i], bound[i])) {
      return fmt::format("{}, allowed error {:.3g}", element(actual.shape(), i, values[i], expected[i]), bound[i]);
    }
  }
  return "";
}

std::string differs_exactly(const Tensor& actual, const oracle::Array& expected) {
  return differs_by_element(actual, expected, oracle::Array(expected.shape));
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  if (a.shape() != b.shape()) return false;
  const std::vector<float> left = a.to_vector(), right = b.to_vector();
  for (size_t i = 0; i < left.size(); ++i) {
    if (std::bit_cast<uint32_t>(left[i]) != std::bit_cast<uint32_t>(right[i])) return false;
  }
  return true;
}

std::string differs_between_threads(const std::function<std::vector<Tensor>()>& op) {
  const auto run = [&](int threads) {
    const ThreadScope scope(threads);
    return op();
  };
  const std::vector<Tensor> first = run(1);
  for (int threads : {2, 3}) {
    const std::vector<Tensor> other = run(threads);
    for (size_t i = 0; i < first.size(); ++i) {
      if (!same_bits(first[i], other[i]))
        return fmt::format("result {}: {} threads give other bits than 1", i, threads);
    }
  }
  return "";
}

}  // namespace giza
