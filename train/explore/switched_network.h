// A network whose pyramid can be told to do without some of its bins, or to take them from another picture.
#pragma once

#include <string>
#include <vector>

#include "models/pspnet.h"

namespace giza::train {

/// What the head is given in the place of one bin's map.
enum class Bin : char {
  on = '1',       ///< the map of the picture
  off = '0',      ///< zeros: the bin then adds nothing to any hidden unit of the head
  swapped = 's',  ///< the map of the other picture, pooled and reduced just so
};
/// One per bin of the pyramid, in its order; empty for a network without one.
using BinState = std::vector<Bin>;

/// A letter per bin: "10s1".
std::string to_string(const BinState& state);
/// The states that a page shows, all bins on first. Up to kEverySubset bins: each subset with the others off, and with
/// `swap` each with the others swapped. Of more: all, none, each bin alone off, and each alone on.
std::vector<BinState> bin_states(size_t bins, bool swap);
constexpr size_t kEverySubset = 4;

/// `count` copies of a picture or map [1,h,w,C] -> [count,h,w,C].
Tensor repeated(const Tensor& item, int64_t count);

/// Any network, in evaluation mode and as it stands (batch norm not folded), so that gradients can be taken through it.
/// While one lives, the model's parameters ask for no gradient: only the picture does.
class SwitchedNetwork {
 public:
  /// The model must outlive it.
  explicit SwitchedNetwork(const models::SceneParser& model);
  ~SwitchedNetwork();
  SwitchedNetwork(const SwitchedNetwork&) = delete;
  SwitchedNetwork& operator=(const SwitchedNetwork&) = delete;

  /// The sizes of the pyramid's bins; empty for a network without one.
  const std::vector<int64_t>& bins() const { return bins_; }
  /// The network where it is a PSPNet, with a pyramid or without; else null. Only its head can be taken apart.
  const models::Pspnet* pspnet() const { return pspnet_; }
  /// The picture that swapped bins come from, [1,H,W,3], normalised; of any size.
  void set_other(const Tensor& other);

  /// What a PSPNet's head reads of x [N,H,W,3].
  struct HeadInput {
    autograd::Variable features;           ///< [N,h,w,C]
    std::vector<autograd::Variable> maps;  ///< [N,bin,bin,..] each
  };
  HeadInput head_input(const autograd::Variable& x) const;
  /// The same with some maps replaced. Throws ShapeError unless there is a Bin for each, and for a swapped one without
  /// another picture.
  HeadInput switched(HeadInput input, const BinState& state) const;
  /// What the head makes of it, for pictures of height x width.
  models::ParserOutput head_output(const HeadInput& input, int64_t height, int64_t width) const;

  /// The pass of the whole network, [N,H,W,3] -> logits [N,h,w,classes]: bit for bit models::SceneParser::forward where
  /// all bins are on.
  models::ParserOutput forward(const autograd::Variable& x, const BinState& state) const;

 private:
  const models::SceneParser& model_;
  const models::Pspnet* pspnet_;
  std::vector<int64_t> bins_;
  std::vector<Tensor> other_maps_;  // [1,bin,bin,..]
  std::vector<autograd::Variable> quieted_;
};

}  // namespace giza::train
