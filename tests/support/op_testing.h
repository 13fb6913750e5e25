// What the op tests share: numbers, tensors in awkward memory, comparison with an oracle, and loops over SIMD targets.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/tensor.h"
#include "tests/support/op_cases.h"
#include "tests/support/oracle.h"
#include "tests/support/refusal.h"
#include "tests/support/scopes.h"
#include "tests/support/temp_folder.h"

namespace giza {

/// Numbers that depend on `seed` only, as `data` says; nan and inf put one such value into the middle row.
Tensor make_numbers(const Shape& shape, CaseData data, uint64_t seed);
/// Labels in [0, classes), about one in eight `ignore`; all of them if `all_ignored`.
Labels make_labels(int64_t n, int64_t h, int64_t w, int64_t classes, int32_t ignore, bool all_ignored, uint64_t seed);
/// A seed from a case's name, so that a case keeps its numbers when the table changes around it.
uint64_t seed_of(const std::string& name);

/// How an input lies in memory.
enum class Layout {
  dense,   ///< row stride C
  padded,  ///< rows C + 5 floats apart
  slice,   ///< channels [3, 3 + C) of a wider tensor: rows not aligned to anything
};
constexpr Layout kLayouts[] = {Layout::dense, Layout::padded, Layout::slice};

/// A copy of a tensor in a given layout, among canaries: NaNs in the padding, before and behind it. An op that reads
/// one spreads NaN, an op that writes one is found by intact().
class Placed {
 public:
  Placed(const Tensor& numbers, Layout layout);
  operator const Tensor&() const { return view_; }  // NOLINT(google-explicit-constructor): stands in for it
  const Tensor& view() const { return view_; }
  /// True while all canaries have their bits, and the tensor's own numbers are those it was made with.
  bool intact() const;
  /// True while all canaries have their bits.
  bool canaries_intact() const;

 private:
  Tensor parent_, view_, original_;
  int64_t row_ = 0, column_ = 0;  // of the view's first element in the parent
};

/// Calls body(target) with each SIMD target of this machine chosen, and the best again afterwards; in one thread.
void for_each_target(const std::function<void(const std::string& target)>& body);

/// The same with each layout on each target; both are in the messages of checks that fail in `body`.
void for_each_setting(const std::function<void(Layout layout)>& body);

/// "" if `actual` is the oracle's result to a relative L2 error of at most `bound`, else what differs. Where the oracle
/// has a NaN or an infinity, `actual` must have the same. `scale` replaces the norm of `expected`, for results that are
/// small differences of large terms.
std::string differs(const Tensor& actual, const oracle::Array& expected, double bound, double scale = -1);
/// "" if every element of `actual` is within its own bound.
std::string differs_by_element(const Tensor& actual, const oracle::Array& expected, const oracle::Array& bound);
/// "" if all elements are equal (NaN equals NaN, 0 equals -0).
std::string differs_exactly(const Tensor& actual, const oracle::Array& expected);
/// True if both have the same shape and the same bits.
bool same_bits(const Tensor& a, const Tensor& b);

/// Asserts "" with the text in the message.
#define CHECK_SAME(...)                              \
  do {                                               \
    const std::string difference_ = (__VA_ARGS__);   \
    CHECK_MESSAGE(difference_.empty(), difference_); \
  } while (false)

/// Runs `op` at 1, 2 and 3 threads; "" if all its results have the same bits.
std::string differs_between_threads(const std::function<std::vector<Tensor>()>& op);

/// What a ShapeError thrown by `call` says; "no error" if there is none. Other exceptions pass through.
template <class Call>
std::string shape_error(Call&& call) {
  try {
    call();
  } catch (const ShapeError& error) {
    return error.what();
  }
  return "no error";
}

/// Asserts that a call throws a ShapeError whose message holds two texts: both shapes that do not fit.
#define CHECK_SHAPE_ERROR(call, first, second)                               \
  do {                                                                       \
    const std::string message_ = ::giza::shape_error([&] { (void)(call); }); \
    CHECK_MESSAGE(::giza::contains(message_, first), message_);              \
    CHECK_MESSAGE(::giza::contains(message_, second), message_);             \
  } while (false)

}  // namespace giza
