// The test protocol: scales, tiles, mirrored tiles; and the figures of a network on a data set.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/scene_parser.h"
#include "tensor/tensor.h"
#include "train/config/protocol.h"
#include "train/data/dataset.h"
#include "train/eval/bootstrap.h"
#include "train/eval/boundary.h"
#include "train/eval/examples.h"
#include "train/eval/metrics.h"

namespace giza::train {

/// What the test protocol needs of a network. All pictures of one call, normalised, [N,h,w,3], have one size.
struct Network {
  /// -> logits [N,h,w,classes], or of whole pictures [N,1,1,classes]
  std::function<Tensor(const Tensor& pictures)> logits;
  /// -> argmax(softmax(logits(pictures))), for a network that has a shorter way to it; may be empty. Throws Error where
  /// the logits are not finite.
  std::function<Labels(const Tensor& pictures)> labels;
  std::string name = "the network";  ///< for messages: where its weights are from
  bool whole_picture = false;        ///< it gives each picture one class
};
/// A model in evaluation mode, recording no graph. The model must outlive the result.
Network network_of(const models::SceneParser& model, const std::string& name = "the network");

/// Where tiles start along an axis: 0, stride, ..., the last one shifted back inside. length >= crop.
std::vector<int> tile_starts(int length, int crop, int stride);

/// Probabilities [1,H,W,classes] of a picture of any size: for each scale softmax averaged over tiles and mirrored
/// tiles, resized to the picture; scales averaged; then the CRF, if the protocol has one. Of a network of whole
/// pictures [1,1,1,classes]: averaged over tiles, mirrored tiles and scales alike. Throws Refusal for options that do
/// not fit the picture or scales that make it larger than kMaxPixels, ShapeError where the network answers in another
/// shape, Error where it answers, and the CRF or a whole picture needs, what is not finite.
Tensor predict_probabilities(const Network& network, const Image& image, const ProtocolOptions& options);
/// The likeliest class of each pixel, or a map of one of the whole picture. Where that is the argmax of one pass of the
/// network over the picture as it is (one scale, no tiles, not mirrored), its own `labels` are taken, which are the
/// same. With one scale, the picture's own, the probabilities of a band of rows are in memory at once, as many as tiles
/// of a batch reach, whatever the picture. Throws as above, Error too for probabilities that are not finite, ShapeError
/// above 256 classes.
LabelMap predict_labels(const Network& network, const Image& image, const ProtocolOptions& options);

/// The label map of a picture of a data set.
using Predictor = std::function<LabelMap(const Image& image, const ListEntry& entry)>;
/// Runs the network.
Predictor network_predictor(Network network, const ProtocolOptions& options);
/// Reads FOLDER/NAME.png, NAME being the image file's without extension.
Predictor saved_predictor(const std::string& folder);

/// Is told each prediction, in order, with the picture's place in the data set.
using PredictionWatch = std::function<void(int64_t index, const LabelMap& labels)>;

struct EvaluateOptions {
  std::string protocol;                ///< as protocol_name gives it; goes into the results
  std::vector<std::string> names;      ///< of the classes; "class K" where there is none
  std::vector<Color> colors;           ///< for colour masks
  std::string save_folder;             ///< gray/NAME.png (indices) and color/NAME.png; empty: not saved
  int64_t begin = 0, end = INT64_MAX;  ///< the pictures of the data set to judge
  bool progress = true;
  int examples = 0;        ///< pictures to keep of the worst and of the best, by mIoU_present
  int example_side = 360;  ///< their longer side at most
  PredictionWatch watch = {};
};

struct PictureResult {
  std::string image;
  int64_t pixels = 0;  ///< valid ones
  double all_acc = 0;  ///< of a whole picture: 1 if its class was found
  double miou_present = 0;
  std::vector<PictureClass> classes;  ///< those with a pixel in truth or prediction
};

struct Evaluation {
  std::string protocol;
  bool whole_pictures = false;  ///< counts are of pictures, not of pixels: all_acc is the top-1 accuracy
  Metrics metrics;
  ConfusionMatrix counts{1};
  std::vector<std::string> names;
  std::vector<PictureResult> pictures;
  BootstrapResult interval;          ///< of the mean IoUs
  BoundaryCounts boundary{1};        ///< of pixels only
  std::vector<Example> worst, best;  ///< by mIoU_present; pictures without a valid pixel are left out
  double seconds = 0;                ///< without writing masks
};

/// Judges every picture of a data set. Throws Refusal for bad files and for a predicted class that there is not, and
/// Interrupted when a signal is pending. Several ranks share the pictures out: the one that leads has the whole result,
/// the others counts and metrics alone.
Evaluation evaluate(const Predictor& predictor, const Dataset& dataset, const EvaluateOptions& options);

/// Of whole pictures without "boundary" and the IoUs of its parts, and the classes' "pixels" are "pictures":
/// {"protocol", "mIoU", "mAcc", "allAcc", "mIoU_present", "images", "seconds",
///  "interval": {level, resamples, seed, mIoU: [low, high], mIoU_present: [low, high]},
///  "boundary": {width_px, distance, band: {pixels, mIoU, mIoU_present, allAcc}, interior: {...},
///               by_width: [{width_px, mIoU, allAcc}]},
///  "classes": [{name, iou, acc, pixels, present, iou_band, iou_interior}],
///  "confusion": [[pixels of class t predicted as class p, for each p], for each t],
///  "pictures": [{image, allAcc, mIoU_present, pixels, classes: [[class, right, truth, predicted], ...]}]}
/// Its classes, confusions and pictures are a line each.
std::string metrics_json(const Evaluation& evaluation);
/// A table for people: one line per class, then the means and the protocol.
std::string metrics_table(const Evaluation& evaluation);

}  // namespace giza::train
