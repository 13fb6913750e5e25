// Errors of giza. A caller's mistake throws one of these; a broken invariant asserts; kernels do neither.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace giza {

/// Base of all errors thrown by giza. what() is one line without a trailing newline.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// There is no memory for a tensor.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

/// An op was called with shapes or options that do not fit together.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// Input that is refused: usage, configuration, data or weights. The program exits with status 2.
/// what() is "PLACE: what is wrong, what was expected, what to do", where PLACE is FILE or FILE:LINE.
class Refusal : public Error {
 public:
  using Error::Error;
};

/// f(), whose refusals, which know nothing of the place, get "PLACE: " before them.
template <class F>
decltype(auto) with_place(const std::string& place, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (const Refusal& refusal) {
    throw Refusal(fmt::format("{}: {}", place, refusal.what()));
  }
}

/// Throws E with a formatted message unless the condition holds.
template <class E = ShapeError, class... Args>
void check(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) [[unlikely]] {
    throw E(fmt::format(format, std::forward<Args>(args)...));
  }
}

}  // namespace giza
