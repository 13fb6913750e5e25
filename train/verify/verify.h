// Holding a network's numbers against those that another framework computed from the same weights and pictures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tensor/ops/conv2d.h"

namespace giza::train {

/// How far an array is from the reference.
struct VerifyFigure {
  std::string name;  ///< "logits", "main loss", or the path of a parameter
  int64_t elements = 0;
  double relative_l2 = 0;  ///< |ours - theirs| / |theirs|
  double max_abs = 0;      ///< largest difference of an element
  double bound = 0;        ///< on relative_l2
  bool passed = false;
};

/// Pixels whose likeliest class differs.
struct VerifyArgmax {
  int64_t pixels = 0, differing = 0;
  double largest_margin = 0;  ///< of them: how far their class leads in the reference, relative to its largest logit
  double margin_bound = 0;    ///< what counts as a near-tie
  bool passed = false;
};

struct Verification {
  std::string network;                 ///< in words
  std::vector<std::string> notes;      ///< what was left out of the weights (models::WeightFile::notes)
  std::optional<VerifyFigure> logits;  ///< in evaluation mode
  std::optional<VerifyArgmax> argmax;
  std::vector<VerifyFigure> losses;     ///< main and auxiliary, in training mode without dropout
  std::vector<VerifyFigure> gradients;  ///< of main + 0.4 auxiliary, per parameter
  /// |<ours, theirs> / <theirs, theirs> - 1| of all gradients together: what differs by chance does not show here.
  std::optional<VerifyFigure> gradient_scale;
  std::optional<double> sensitivity;       ///< of the gradients to rounding, where they are beyond the plain bound
  std::vector<VerifyFigure> steps;         ///< main and auxiliary loss of each SGD step, if the folder has steps
  std::optional<double> step_sensitivity;  ///< of these losses to rounding, likewise
  std::vector<std::string> absent;         ///< files of the folder that were not there, hence not held against

  bool passed() const;
  int64_t figures() const;
};

/// Reads a folder as `pspnet_torch.py golden` writes it:
///   weights.pth       a state_dict, or weights.safetensors; names as read_semseg_weights knows them
///   input.npy         [N,3,H,W] float
///   label.npy         [N,H,W] integers, 255 ignored
///   logits.npy        [N,classes,H,W], evaluation mode
///   loss.npy          [main, auxiliary], training mode, dropout off
///   grads.pth         gradient of main + 0.4 auxiliary by parameter, or grads.safetensors
/// and, for steps of training from the same weights:
///   sgd.json          {"base_lr", "iterations", "power", "momentum", "weight_decay", "new_layer_lr", "aux_weight"}
///   sgd_input.npy     [T,N,3,H,W], the batch of each step
///   sgd_label.npy     [T,N,H,W]
///   sgd_loss.npy      [T,2], main and auxiliary loss of each step, before its update
/// Where the network gives a whole picture one class, labels are [N] and [T,N], and logits [N,classes].
/// What needs the reference of a missing file is left out and named; weights and input must be there. The network is
/// what the weights tell; `dilation` of a first block and bins come from the file's metadata, if it has any.
/// Bounds: docs/weights.md. Throws Refusal for files that do not fit each other.
Verification verify_folder(const std::string& folder, const ConvEngine& conv = {});

}  // namespace giza::train
