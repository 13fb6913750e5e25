// A first configuration for somebody's own pictures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace giza::train {

struct StarterOptions {
  std::string folder;          ///< to be made: config.yaml, train.txt, val.txt, names.txt
  std::string images, labels;  ///< folders of pictures and of PNG masks with the same names
  std::string names;           ///< a file with a class name per line; empty: "class 0", ...
  int val_every = 5;           ///< every so many pictures, by name, one is held out to validate
};

/// What was found, and what was written.
struct Starter {
  std::string config;                     ///< path of the configuration
  int64_t train = 0, val = 0;             ///< pictures
  int classes = 0;                        ///< from the masks, or the number of names
  int width = 0, height = 0;              ///< of the middle picture by size
  std::vector<std::string> without_mask;  ///< pictures that were left out
  std::vector<std::string> others;        ///< files that are no pictures by their names
};

/// Pairs each picture with the mask of the same name (NAME.png, NAME_label.png, NAME_mask.png or NAME_L.png, in the
/// same subfolder), holds every val_every-th out, counts the classes (the largest value but 255, plus one), and writes
/// a configuration of a small PSPNet with comments. Throws Refusal for a folder that exists and is not empty, for
/// folders without pictures or masks, for masks that cannot be read or that hold colours, and for more classes than
/// names.
Starter write_starter(const StarterOptions& options);

}  // namespace giza::train
