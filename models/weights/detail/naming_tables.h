// The names that others give to the tensors of the same networks, beside giza's: docs/weights.md.
#pragma once

#include <array>
#include <string_view>

namespace giza::models {

/// A module's path in both namings; a path stands for everything below it. '#' stands for any number, the same in both
/// ('^': one more).
struct NamingRow {
  std::string_view semseg, theirs;
};

// The first row that fits decides, so of two rows for one path the usual one stands first.
constexpr auto kTorchvision = std::to_array<NamingRow>({{"layer0.0", "conv1"},
                                                        {"layer0.1", "bn1"},
                                                        {"layer1", "layer1"},
                                                        {"layer2", "layer2"},
                                                        {"layer3", "layer3"},
                                                        {"layer4", "layer4"},
                                                        {"fc", "fc"}});
constexpr auto kTorchvisionSegmentation = std::to_array<NamingRow>({{"layer0.0", "backbone.conv1"},
                                                                    {"layer0.1", "backbone.bn1"},
                                                                    {"layer1", "backbone.layer1"},
                                                                    {"layer2", "backbone.layer2"},
                                                                    {"layer3", "backbone.layer3"},
                                                                    {"layer4", "backbone.layer4"},
                                                                    {"aux.0", "aux_classifier.0"},
                                                                    {"aux.1", "aux_classifier.1"},
                                                                    {"aux.4", "aux_classifier.4"}});
// Its FCN head, and its DeepLabv3 head, whose names are giza's.
constexpr auto kTorchvisionFcn =
    std::to_array<NamingRow>({{"cls.0", "classifier.0"}, {"cls.1", "classifier.1"}, {"cls.4", "classifier.4"}});
constexpr auto kTorchvisionDeeplab = std::to_array<NamingRow>({{"classifier", "classifier"}});
// Its VGG16, whose fully connected layers are convolutions of a whole map, 7x7, and of a pixel; the last is left out.
constexpr auto kTorchvisionVgg = std::to_array<NamingRow>({{"conv1_1", "features.0"},
                                                           {"conv1_2", "features.2"},
                                                           {"conv2_1", "features.5"},
                                                           {"conv2_2", "features.7"},
                                                           {"conv3_1", "features.10"},
                                                           {"conv3_2", "features.12"},
                                                           {"conv3_3", "features.14"},
                                                           {"conv4_1", "features.17"},
                                                           {"conv4_2", "features.19"},
                                                           {"conv4_3", "features.21"},
                                                           {"conv5_1", "features.24"},
                                                           {"conv5_2", "features.26"},
                                                           {"conv5_3", "features.28"},
                                                           {"fc6", "classifier.0"},
                                                           {"fc7", "classifier.3"}});
// kazuto1011's DeepLab v2, which counts stages and blocks as Caffe does: '^' is one more than '#'.
constexpr auto kDeeplab = std::to_array<NamingRow>({{"layer0.0", "layer1.conv1.conv"},
                                                    {"layer0.1", "layer1.conv1.bn"},
                                                    {"layer#.#.conv1", "layer^.block^.reduce.conv"},
                                                    {"layer#.#.bn1", "layer^.block^.reduce.bn"},
                                                    {"layer#.#.conv2", "layer^.block^.conv3x3.conv"},
                                                    {"layer#.#.bn2", "layer^.block^.conv3x3.bn"},
                                                    {"layer#.#.conv3", "layer^.block^.increase.conv"},
                                                    {"layer#.#.bn3", "layer^.block^.increase.bn"},
                                                    {"layer#.#.downsample.0", "layer^.block^.shortcut.conv"},
                                                    {"layer#.#.downsample.1", "layer^.block^.shortcut.bn"},
                                                    {"aspp.c#", "aspp.c#"},
                                                    // As its first versions had them.
                                                    {"layer#.#.downsample.0", "layer^.block^.proj.conv"},
                                                    {"layer#.#.downsample.1", "layer^.block^.proj.bn"},
                                                    {"aspp.c#", "aspp.stages.c#"}});
constexpr std::string_view kDeeplabPrefix = "base.";
constexpr auto kImagenet = std::to_array<NamingRow>({{"layer0.0", "conv1"},
                                                     {"layer0.1", "bn1"},
                                                     {"layer0.3", "conv2"},
                                                     {"layer0.4", "bn2"},
                                                     {"layer0.6", "conv3"},
                                                     {"layer0.7", "bn3"},
                                                     {"layer1", "layer1"},
                                                     {"layer2", "layer2"},
                                                     {"layer3", "layer3"},
                                                     {"layer4", "layer4"},
                                                     {"fc", "fc"}});
constexpr auto kTimm = std::to_array<NamingRow>({{"layer0.0", "conv1.0"},
                                                 {"layer0.1", "conv1.1"},
                                                 {"layer0.3", "conv1.3"},
                                                 {"layer0.4", "conv1.4"},
                                                 {"layer0.6", "conv1.6"},
                                                 {"layer0.7", "bn1"},
                                                 {"layer1", "layer1"},
                                                 {"layer2", "layer2"},
                                                 {"layer3", "layer3"},
                                                 {"layer4", "layer4"},
                                                 {"fc", "fc"}});
constexpr auto kMmseg = std::to_array<NamingRow>({{"layer0.#", "backbone.stem.#"},
                                                  {"layer1", "backbone.layer1"},
                                                  {"layer2", "backbone.layer2"},
                                                  {"layer3", "backbone.layer3"},
                                                  {"layer4", "backbone.layer4"},
                                                  {"ppm.features.#.1", "decode_head.psp_modules.#.1.conv"},
                                                  {"ppm.features.#.2", "decode_head.psp_modules.#.1.bn"},
                                                  {"cls.0", "decode_head.bottleneck.conv"},
                                                  {"cls.1", "decode_head.bottleneck.bn"},
                                                  {"cls.4", "decode_head.conv_seg"},
                                                  {"aux.0", "auxiliary_head.convs.0.conv"},
                                                  {"aux.1", "auxiliary_head.convs.0.bn"},
                                                  {"aux.4", "auxiliary_head.conv_seg"}});
// The plain stem (its ResNet instead of ResNetV1c), and a head without pyramid (its FCNHead).
constexpr auto kMmsegPlainStem =
    std::to_array<NamingRow>({{"layer0.0", "backbone.conv1"}, {"layer0.1", "backbone.bn1"}});
constexpr auto kMmsegNoPyramid =
    std::to_array<NamingRow>({{"cls.0", "decode_head.convs.0.conv"}, {"cls.1", "decode_head.convs.0.bn"}});

// Its FCNHead of two convolutions and more, and its ASPPHead.
constexpr auto kMmsegFcn = std::to_array<NamingRow>({{"cls.convs.#.0", "decode_head.convs.#.conv"},
                                                     {"cls.convs.#.1", "decode_head.convs.#.bn"},
                                                     {"cls.0", "decode_head.conv_cat.conv"},
                                                     {"cls.1", "decode_head.conv_cat.bn"}});
constexpr auto kMmsegAspp = std::to_array<NamingRow>({{"classifier.0.convs.4.1", "decode_head.image_pool.1.conv"},
                                                      {"classifier.0.convs.4.2", "decode_head.image_pool.1.bn"},
                                                      {"classifier.0.convs.#.0", "decode_head.aspp_modules.#.conv"},
                                                      {"classifier.0.convs.#.1", "decode_head.aspp_modules.#.bn"},
                                                      {"classifier.1", "decode_head.bottleneck.conv"},
                                                      {"classifier.2", "decode_head.bottleneck.bn"},
                                                      {"classifier.4", "decode_head.conv_seg"}});

// Its ResNetV1c alone, as files of that backbone have it.
constexpr auto kMmsegBackbone = std::to_array<NamingRow>(
    {{"layer0.#", "stem.#"}, {"layer1", "layer1"}, {"layer2", "layer2"}, {"layer3", "layer3"}, {"layer4", "layer4"}});

}  // namespace giza::models
