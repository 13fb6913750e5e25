// The factory: one row for each network.
#include <array>

#include "models/aspp.h"
#include "models/cascade.h"
#include "models/classifier.h"
#include "models/deeplabv3.h"
#include "models/dilated.h"
#include "models/fcn.h"
#include "models/fcn_head.h"
#include "models/largefov.h"
#include "models/parsenet.h"
#include "models/pspnet.h"
#include "models/segnet.h"

namespace giza::models {

std::span<const Architecture> architectures() {
  static const std::array rows = {pspnet_architecture(),    baseline_architecture(),   fcn_head_architecture(),
                                  fcn32s_architecture(),    fcn16s_architecture(),     fcn8s_architecture(),
                                  dilated_architecture(),   largefov_architecture(),   aspp_architecture(),
                                  deeplabv3_architecture(), parsenet_architecture(),   segnet_architecture(),
                                  cascade_architecture(),   classifier_architecture(), spp_architecture()};
  return rows;
}

}  // namespace giza::models
