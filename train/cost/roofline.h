// The roofline picture of a profile (Williams, Waterman & Patterson, CACM 2009).
#pragma once

#include <string>

#include "train/cost/profile_summary.h"

namespace giza::train {

struct RooflineText {
  std::string title;     ///< "PSPNet50, training step, ..."
  std::string subtitle;  ///< machine, threads, time
};

/// An SVG document: attained GFLOP/s over intensity, both logarithmic, under the roofs of `peak`. A circle is one
/// kernel on one shape, its area the time, its colour the kind of kernel; the largest are labelled with their layers.
std::string roofline_svg(const ProfileSummary& summary, const MachinePeak& peak, int threads, const RooflineText& text);

}  // namespace giza::train
