// What a recording adds up to, per kernel and per layer; the convolutions in it; and all of it as a trace.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "tensor/profile/peak.h"
#include "tensor/profile/profile.h"

namespace giza::train {

/// Sums over calls. Times are kernels' own, without kernels inside them.
struct WorkTotal {
  int64_t calls = 0;
  double seconds = 0;
  double flops = 0;     ///< of the direct algorithms
  double executed = 0;  ///< of the algorithms chosen
  double bytes = 0;     ///< compulsory traffic
  profile::Counts counts;

  static WorkTotal of(const profile::Event& kernel);
  WorkTotal& operator+=(const WorkTotal& other);

  double gflops() const { return rate(flops); }
  double executed_gflops() const { return rate(executed); }
  double gbs() const { return rate(bytes); }
  /// Executed operations per byte of compulsory traffic: the roofline's x axis.
  double intensity() const { return bytes > 0 ? executed / bytes : 0; }
  /// True where the machine's arithmetic, not its memory, sets the roof at this intensity (Williams et al., CACM 2009).
  bool compute_bound(const MachinePeak& peak) const { return intensity() * bandwidth(peak) > peak.all_gflops; }

  /// The memory roof, GB/s: the faster way of copying.
  static double bandwidth(const MachinePeak& peak) {
    return peak.copy_gbs > peak.stream_gbs ? peak.copy_gbs : peak.stream_gbs;
  }

 private:
  double rate(double amount) const { return seconds > 0 ? amount / seconds / 1e9 : 0; }
};

/// Calls of one kernel by one algorithm.
struct KernelRow {
  std::string kernel, algorithm;
  WorkTotal total;
};

struct LayerRow {
  std::string layer;  ///< state_dict path; "(kernel)" for what runs outside of layers
  WorkTotal forward, backward, update;

  WorkTotal all() const;
  void add(const LayerRow& other);
};

/// Calls of one kernel by one algorithm on one shape: a point of the roofline picture.
struct ShapeRow {
  std::string kernel, algorithm, shape;
  std::string layers;  ///< their paths as one pattern: "layer3.*.conv2"
  WorkTotal total;
};

struct ProfileSummary {
  std::vector<double> steps_s;     ///< of all steps that were recorded
  double wall_s = 0;               ///< of the step
  double attributed_s = 0;         ///< in kernels
  std::vector<KernelRow> kernels;  ///< each list by time, the longest first
  std::vector<LayerRow> layers;
  std::vector<ShapeRow> shapes;
  WorkTotal total;

  /// Wall time outside of all kernels: the graph, allocation, the recorder itself.
  double unattributed_s() const { return wall_s - attributed_s; }
};

/// The steps of a recording, which are its outermost spans: where each one's events begin, and where the next step's
/// do. Throws Error without a step.
std::vector<std::pair<size_t, size_t>> recorded_steps(const std::vector<profile::Event>& events);

/// Of the events those of the step of median length: what other programs on the
/// machine take from one step does not reach it. Throws Error without a step.
ProfileSummary summarize(const std::vector<profile::Event>& events);

/// A convolution that a step runs, with its algorithms and their work, as the step itself says.
struct ConvolutionUse {
  std::string layer;  ///< "layer3.2.conv2"
  std::string shape;  ///< as a word: tensor/ops/conv_work.h
  struct PassUse {
    std::string algorithm;           ///< empty where the pass does not run
    double flops = 0, executed = 0;  ///< of the direct algorithm, and of this one
  };
  std::array<PassUse, 3> passes;  ///< forward, backward input, backward weight
};

/// Those among the events of a recording, in the order of their first run. A layer's runs on one shape are one row.
std::vector<ConvolutionUse> convolutions_of(const std::vector<profile::Event>& events);

/// All of a recording as a trace for Perfetto (ui.perfetto.dev) or Chrome (about:tracing).
/// Complete events in the Trace Event Format, a JSON object: spans, layers and kernels nest by time in one track.
/// Times are in microseconds since the recording began; a kernel's args hold its shape, algorithm, work and rates.
std::string trace_json(const std::vector<profile::Event>& events, const std::string& title);

}  // namespace giza::train
