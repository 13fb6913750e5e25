// Seeing everything that a pass makes: how a NaN is traced to where it began, and how two runs are held against each
// other.
#pragma once

#include <functional>
#include <string>

#include "tensor/base/check.h"
#include "tensor/tensor.h"

namespace giza::autograd {

/// An op's output, or a gradient that its backward pass gave.
struct Made {
  const char* op;            ///< "conv2d"
  const std::string& layer;  ///< to which it belongs, where a profile is recorded
  int input;                 ///< the gradient is that of this input; negative: the op's output
  const Tensor& value;
};

/// While one lives, each thing made by ops of this thread is shown to `see`, in the order in which it was made. What
/// `see` throws ends the pass. They nest; the innermost sees.
class Watching {
 public:
  explicit Watching(std::function<void(const Made&)> see);
  ~Watching();
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

 private:
  friend void show(const Made& made);
  std::function<void(const Made&)> see_;
  Watching* previous_;
};

namespace detail {
extern constinit thread_local Watching* watching;
}

/// True while a Watching of this thread lives: only then is there somebody to show things to.
inline bool watched() { return detail::watching != nullptr; }
/// Shows something to the Watching of this thread.
void show(const Made& made);

/// Thrown while a TraceNonFinite lives: what() names the first op whose output, or whose gradient, is not finite.
class NonFinite : public Error {
 public:
  using Error::Error;
};

/// While one lives, every op and every gradient of this thread is checked for NaN and infinity. Costs a pass over all
/// numbers; for finding where they come from.
class TraceNonFinite {
 public:
  TraceNonFinite();

 private:
  Watching watching_;
};

}  // namespace giza::autograd
