// Progress of long work on stderr: a bar on a terminal, a plain line now and then elsewhere.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "tensor/base/stopwatch.h"

namespace giza::train {

/// False after --quiet: no progress at all, of what begins from then on. Warnings (tensor/base/message.h) and refusals
/// are not progress.
void set_progress_enabled(bool enabled);

/// One piece of work of `total` steps. On a terminal of at least 40 columns that can move its cursor (TERM is not
/// "dumb") one line is redrawn at most ten times a second:
///   train  34% [#######             ] 412/1200  loss 0.8123  3.41 it/s  3m51s left
/// Elsewhere the same without the bar is printed as a line every ten seconds, and once at the end. A stderr that cannot
/// be written to is no reason to stop. Not thread-safe.
class Progress {
 public:
  /// `unit` is what a step is, for the rate: "it", "images".
  Progress(std::string title, int64_t total, std::string unit = "it", int64_t done = 0);
  /// Ends the line without a summary if finish() was not called (an exception is on its way).
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` steps are complete; `text` is the newest figure, such as "loss 0.8123".
  void update(int64_t done, const std::string& text = {});
  /// The last state and the whole time, with a newline. Later calls do nothing.
  void finish(const std::string& text = {});
  /// A line of its own above the bar; silent with --quiet.
  void note(const std::string& line);
  /// "giza: WARNING" as a line of its own above the bar, with --quiet too.
  void warn(const std::string& warning);

  /// The line without bar or control characters; for tests.
  std::string line() const;

 private:
  void draw(bool last);
  void print_above(const std::string& line);

  Progress* whole_;             // of which this is a part, not shown by itself; or null
  std::set<std::string> told_;  // warnings of parts
  std::string title_, unit_, text_;
  int64_t total_, first_, done_;
  bool enabled_, terminal_, open_ = false, finished_ = false;
  Stopwatch start_, drawn_;  // since the beginning, and since the line was drawn last
};

/// While one lives, only the progress of the whole is shown, not that of its parts, which begin from then on. Their
/// warnings stand above its bar, each of them once.
class ProgressPause {
 public:
  explicit ProgressPause(Progress& whole);
  ~ProgressPause();
  ProgressPause(const ProgressPause&) = delete;
  ProgressPause& operator=(const ProgressPause&) = delete;
};

/// "42s", "3m05s", "2h07m".
std::string format_duration(double seconds);

}  // namespace giza::train
