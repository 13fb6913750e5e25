// The page of `giza explore`.
#pragma once

#include <string>
#include <vector>

#include "train/explore/explore.h"

namespace giza::train {

/// What the page says of its picture. All texts are plain: the page escapes them.
struct ExploreTexts {
  std::string picture;       ///< name of its file
  std::string other = {};    ///< of the picture that swapped bins come from; may be empty
  std::string command = {};  ///< that makes the page again
};

/// The page: UTF-8, one file, no address outside of it. Without JavaScript it shows picture, truth and answers; all
/// else needs it. docs/explore.md describes it.
std::string explore_page(const Exploration& exploration, const ExploreTexts& texts);

/// The colours of at most 256 classes, moved by a few steps where two are the same, so that the colour of a pixel tells
/// its class; none is the grey of ignored pixels.
std::vector<Color> distinct_colors(const std::vector<Color>& colors);

}  // namespace giza::train
