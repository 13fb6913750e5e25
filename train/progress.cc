// Progress of long work on stderr.
#include "train/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "tensor/base/message.h"

namespace giza::train {
namespace {

constexpr double kTerminalPeriod = 0.1;
constexpr double kLinePeriod = 10;

bool enabled = true;
Progress* whole_progress = nullptr;  // while a ProgressPause lives

constexpr size_t kNarrowest = 40;  // columns that a bar needs to tell anything

size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// True where one line can be drawn again and again.
bool can_redraw() {
  const char* kind = std::getenv("TERM");
  const bool dumb = kind == nullptr || *kind == '\0' || std::string_view(kind) == "dumb";
  return isatty(STDERR_FILENO) != 0 && !dumb && terminal_width() >= kNarrowest;
}

}  // namespace

void set_progress_enabled(bool on) { enabled = on; }

std::string format_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}

Progress::Progress(std::string title, int64_t total, std::string unit, int64_t done)
    : whole_(whole_progress),
      title_(std::move(title)),
      unit_(std::move(unit)),
      total_(std::max<int64_t>(total, 0)),
      first_(done),
      done_(done),
      enabled_(enabled && whole_ == nullptr),
      terminal_(can_redraw()),
      drawn_(start_) {}

Progress::~Progress() {
  if (open_ && !finished_) write_stderr("\n");
}

std::string Progress::line() const {
  const double elapsed = start_.seconds();
  const int64_t steps = done_ - first_;
  std::string text = fmt::format("{}/{}", done_, total_);
  if (!text_.empty()) text += "  " + text_;
  if (steps > 0 && elapsed > 0) {
    const double rate = static_cast<double>(steps) / elapsed;
    text += rate >= 1 ? fmt::format("  {:.2f} {}/s", rate, unit_) : fmt::format("  {:.2f} s/{}", 1 / rate, unit_);
    text += finished_ ? fmt::format("  {} in all", format_duration(elapsed))
                      : fmt::format("  {} left", format_duration(static_cast<double>(total_ - done_) / rate));
  }
  return text;
}

void Progress::draw(bool last) {
  if (!enabled_) return;
  drawn_.restart();
  const int64_t percent = total_ > 0 ? 100 * done_ / total_ : 100;
  if (!terminal_) {
    write_stderr(fmt::format("{} {:3}%  {}\n", title_, percent, line()));
    return;
  }
  constexpr int64_t kBar = 20;
  const int64_t filled = std::clamp<int64_t>(total_ > 0 ? kBar * done_ / total_ : kBar, 0, kBar);
  std::string text = fmt::format("{} {:3}% [{}{}] {}", title_, percent, std::string(static_cast<size_t>(filled), '#'),
                                 std::string(static_cast<size_t>(kBar - filled), ' '), line());
  // A line that wraps could not be redrawn in place.
  text.resize(std::min(text.size(), std::max<size_t>(terminal_width(), 2) - 1));
  write_stderr(fmt::format("\r\x1b[K{}{}", text, last ? "\n" : ""));
  open_ = !last;
}

void Progress::update(int64_t done, const std::string& text) {
  done_ = done;
  text_ = text;
  if (!finished_ && drawn_.seconds() >= (terminal_ ? kTerminalPeriod : kLinePeriod)) draw(false);
}

void Progress::finish(const std::string& text) {
  if (finished_) return;
  if (!text.empty()) text_ = text;
  finished_ = true;
  draw(true);
}

void Progress::print_above(const std::string& line) {
  write_stderr(fmt::format("{}{}\n", open_ ? "\r\x1b[K" : "", one_line(line)));
  if (open_) draw(false);
}

void Progress::note(const std::string& line) {
  if (enabled_) print_above(line);
}

void Progress::warn(const std::string& warning) {
  if (whole_ == nullptr) {
    print_above(fmt::format("giza: {}", warning));
  } else if (whole_->told_.insert(warning).second) {
    whole_->warn(warning);
  }
}

ProgressPause::ProgressPause(Progress& whole) { whole_progress = &whole; }
ProgressPause::~ProgressPause() { whole_progress = nullptr; }

}  // namespace giza::train
