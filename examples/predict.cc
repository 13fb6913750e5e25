// Labels every pixel of a picture: predict WEIGHTS PICTURE OUT.png
#include <cstdio>
#include <map>
#include <string>

#include "models/scene_parser.h"
#include "models/weights/infer.h"
#include "train/config/card.h"
#include "train/data/image/image.h"
#include "train/data/scenes/scenes.h"
#include "train/data/transforms.h"

namespace models = giza::models;
namespace train = giza::train;
using giza::Labels;
using giza::Tensor;

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s WEIGHTS PICTURE OUT.png\n", argv[0]);
    return 2;
  }

  // Any file of a whole network will do: .safetensors or .pth, from giza, semseg or mmsegmentation.
  models::FileNotes told;
  const auto net = models::load_parser(argv[1], {}, &told);
  const models::FrozenParser frozen(*net);  // batch norm folded into the weights

  const train::Image picture = train::read_image(argv[2]);
  train::FloatImage image = train::to_float(picture);
  const auto pictures = train::normalization_from_metadata(told.metadata, argv[1]).value_or(train::Normalization{});
  train::normalize(image, pictures.mean, pictures.std);
  const Labels labels = frozen.forward(Tensor::from({1, image.height, image.width, 3}, image.rgb)).labels();

  train::LabelMap map(picture.width, picture.height);
  std::map<int, int> pixels_of;
  for (int y = 0; y < map.height; ++y) {
    for (int x = 0; x < map.width; ++x) {
      const int label = labels.at(0, y, x);
      map.at(x, y) = static_cast<uint8_t>(label);
      ++pixels_of[label];
    }
  }
  train::write_image(argv[3], train::overlay(picture, train::colorize(map, train::scene_class_colors()), 0.5));

  const auto& names = train::scene_class_names();  // if it was not trained on the scenes, print numbers
  const bool scenes = net->classes() == train::kSceneClasses;
  for (const auto& [label, pixels] : pixels_of) {
    const std::string name = scenes ? names[static_cast<size_t>(label)] : "class " + std::to_string(label);
    std::printf("%5.1f %%  %s\n", 100.0 * pixels / (picture.width * picture.height), name.c_str());
  }
}
