// Hearing the ops of a forward pass as they are called: how an exporter learns what a network is, from the network
// itself.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "tensor/ops/conv2d.h"
#include "tensor/ops/conv_transpose2d.h"
#include "tensor/ops/pool.h"
#include "tensor/tensor.h"

namespace giza::autograd {

/// One op of a pass in evaluation mode. Tensors are told apart by where their numbers lie; the handles keep them there.
struct HeardOp {
  std::string name;  ///< of the function, "max_pool2d"; "conv2d" is that of a layer, with all that follows it there
  std::vector<Tensor> inputs;
  Tensor output;
  std::variant<std::monostate, Conv2dOptions, ops::ConvTranspose2dOptions, ops::Pool2dOptions> options = {};
  bool align_corners = true;           ///< of resize_bilinear, and of a conv2d of a pyramid's maps
  std::string layer = {};              ///< conv2d, linear: whose weight and bias it uses
  std::string norm = {};               ///< conv2d: the batch norm behind it; may be empty
  Tensor residual = {};                ///< conv2d: added then; may be undefined
  bool relu = false;                   ///< conv2d: ends with a ReLU
  std::array<int64_t, 2> corner = {};  ///< crop2d: rows and columns left out before; mirror_pad2d: added
  float factor = 1;                    ///< scale
  Tensor positions = {};               ///< max_pool2d: where the maxima were, where that was asked for
};

/// While one lives, ops of this thread are told to `hear`. Not to be nested.
class Listening {
 public:
  explicit Listening(std::function<void(const HeardOp&)> hear);
  ~Listening();
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

 private:
  friend void announce(const HeardOp& op);
  std::function<void(const HeardOp&)> hear_;
};

namespace detail {
extern constinit thread_local Listening* listening;
}

/// True while a Listening of this thread lives: only then is an op worth describing.
inline bool heard() { return detail::listening != nullptr; }
/// Tells the Listening of this thread of an op.
void announce(const HeardOp& op);

}  // namespace giza::autograd
