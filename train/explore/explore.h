// What a page of `giza explore` shows: networks at work on one picture, taken apart at some of its pixels.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "train/config/protocol.h"
#include "train/data/image/image.h"
#include "train/explore/switched_network.h"

namespace giza::train {

/// A network to look at.
struct ExploreSubject {
  const models::SceneParser* model = nullptr;
  std::string title;         ///< "PSPNet"
  std::string file;          ///< of its weights, for the page and for messages
  ProtocolOptions protocol;  ///< mean and std are used; base_size, of the first network, for the picture's size
};

struct ExploreOptions {
  int side = 512;   ///< longest side of the picture that the networks see: larger ones are shrunk
  int points = 72;  ///< about so many pixels are taken apart
  /// Which states of the bins get receptive fields of their own, besides all bins on and all off. Each costs a backward
  /// pass through the network for every point.
  enum class Fields {
    automatic,  ///< all where that is fewer than kAutomaticWork multiply-adds, by a rough count
    all,
    ends,  ///< no others
  };
  Fields fields = Fields::automatic;
  std::vector<std::string> names;  ///< of the classes
  std::vector<Color> colors;       ///< of the classes
  int ignore_label = 255;
};
constexpr double kAutomaticWork = 6e12;

/// A pixel that is taken apart.
struct ExplorePoint {
  int x = 0, y = 0;
};

/// A class at a point.
struct ExploredScore {
  int label = 0;
  double probability = 0;
  double logit = 0;
  /// What the logit is the sum of: the features, each bin, the constants. Empty for a network that is no PSPNet.
  std::vector<double> parts = {};
};
/// A point in one state of the bins.
struct ExploredPoint {
  std::vector<ExploredScore> top;           ///< the likeliest classes, at most kTopClasses; parts of the first two
  double half_radius = 0, most_radius = 0;  ///< pixels, of discs with 50 % and 90 % of the gradient; 0 without a field
};
constexpr size_t kTopClasses = 5;

/// A network in one state of its bins.
struct ExploredState {
  BinState bins;
  LabelMap labels = {};                    ///< what it answers, at the picture's size
  std::vector<ExploredPoint> points = {};  ///< in the order of Exploration::points
  /// The receptive fields of all points, in a grid of columns x rows pictures, each as shade() has it; empty where the
  /// state has none of its own.
  LabelMap fields = {};
};

struct ExploredNetwork {
  std::string title, file;
  std::vector<int64_t> bins;  ///< of the pyramid; empty without one
  bool has_parts = false;     ///< the network is a PSPNet, or its baseline
  std::vector<ExploredState> states;
};

struct Exploration {
  Image picture;                        ///< as the networks saw it
  int file_width = 0, file_height = 0;  ///< of the picture's file
  std::optional<LabelMap> truth;        ///< at the picture's size
  bool swap = false;                    ///< there are states with bins of another picture
  int columns = 0, rows = 0;            ///< of points
  std::vector<ExplorePoint> points;     ///< row by row
  int cell = 1;                         ///< pixels along a side of a receptive field's cell
  std::vector<ExploredNetwork> networks;
  std::vector<std::string> names;
  std::vector<Color> colors;
  int ignore_label = 255;
};

/// Looks at one or two networks of the same classes on a picture of any size. truth: of the picture's size, or null;
/// other: the picture for swapped bins, or null. Throws Refusal for networks that do not fit each other or the page,
/// Error where an output is not finite, and Interrupted when a signal is pending.
Exploration explore(const std::vector<ExploreSubject>& subjects, const Image& picture, const LabelMap* truth,
                    const Image* other, const ExploreOptions& options);

/// A grey value for each cell of a receptive field: 255 times the square root of its share in the largest. The root
/// lets the faint far parts be seen: a tenth of the largest becomes 81, a hundredth 26.
std::vector<uint8_t> shade(const std::vector<double>& cells);

}  // namespace giza::train
