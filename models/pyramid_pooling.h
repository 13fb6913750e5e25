// Pyramid pooling module (Zhao et al., CVPR 2017, section 3.2 and Figure 3c).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/resnet.h"

namespace giza::models {

enum class PyramidPool { average, max };

class PyramidPooling : public layers::Module {
 public:
  /// One branch per bin: adaptive pooling to bins x bins and, with reduce, a 1x1 convolution to in_channels /
  /// bins.size() with batch norm and ReLU. Throws ShapeError without bins, or where that quotient is below one.
  PyramidPooling(int64_t in_channels, std::vector<int64_t> bins, PyramidPool pool, bool reduce, Build& build);
  ~PyramidPooling() override;
  /// x [N,h,w,C] -> the branches' maps [N,bin,bin,..], in the order of the bins.
  std::vector<Variable> forward(const Variable& x, const layers::Context& context) const;

  /// Channels of x and all maps, concatenated.
  int64_t out_channels() const { return out_channels_; }

 private:
  class Branch;
  std::vector<int64_t> bins_;
  PyramidPool pool_;
  int64_t out_channels_;
  std::vector<std::unique_ptr<Branch>> branches_;
};

/// The end of the module as Figure 3 draws it: x [N,h,w,C] and the maps, each upsampled to h x w, concatenated.
Variable upsample_and_concat(const Variable& x, std::span<const Variable> maps, bool align_corners = true);

}  // namespace giza::models
