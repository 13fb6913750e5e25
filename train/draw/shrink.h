// Pictures and label maps made smaller, for pages and examples.
#pragma once

#include "train/data/image/image.h"
#include "train/draw/shrink.h"

namespace giza::train {

/// `image` shrunk by averaging to a longer side of at most `max_side`; unchanged where it is no larger.
Image shrink_image(const Image& image, int max_side);
/// The same for labels, where each pixel is the one at the middle of what it stands for.
LabelMap shrink_labels(const LabelMap& labels, int max_side);

}  // namespace giza::train
