// Reading a whole data set before training: the threads, and adding up what they find.
#include "train/check/data_check.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "tensor/base/check.h"
#include "tensor/base/stopwatch.h"
#include "tensor/parallel.h"
#include "train/check/problems.h"
#include "train/check/scan.h"
#include "train/check/weak_effect.h"
#include "train/config/parts.h"
#include "train/progress.h"
#include "train/signals.h"

namespace giza::train {
namespace {

/// Memory that pictures may take at a time. One that is larger on its own waits until it is alone.
class MemoryGate {
 public:
  explicit MemoryGate(int64_t bytes) : size_(bytes), free_(bytes) {}

  /// Waits until so many bytes are free, and holds them while it lives.
  class Share {
   public:
    Share(MemoryGate& gate, int64_t bytes) : gate_(gate), bytes_(std::min(bytes, gate.size_)) {
      std::unique_lock lock(gate_.mutex_);
      gate_.changed_.wait(lock, [&] { return gate_.free_ >= bytes_; });
      gate_.free_ -= bytes_;
    }
    ~Share() {
      const std::lock_guard lock(gate_.mutex_);
      gate_.free_ += bytes_;
      gate_.changed_.notify_all();
    }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

   private:
    MemoryGate& gate_;
    const int64_t bytes_;
  };

 private:
  const int64_t size_;
  int64_t free_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

/// One list while it is read. Everything that is added is independent of the order of adding.
class PartScan {
 public:
  PartScan(DatasetOptions options, std::vector<ListEntry> list, PartReport report, const Config& config,
           size_t examples)
      : options_(std::move(options)), entries_(std::move(list)), config_(config), examples_(examples) {
    part_.report = std::move(report);
    part_.report.pictures = static_cast<int64_t>(entries_.size());
    part_.report.classes.resize(static_cast<size_t>(config.data.classes) + 1);
    part_.hashes.resize(entries_.size());
  }

  const DatasetOptions& options() const { return options_; }
  /// True for training pictures whose labels are weakened.
  bool is_weak() const { return options_.weak.kind != WeakLabels::Kind::full; }
  const std::vector<ListEntry>& entries() const { return entries_; }

  /// Says that another part has the same list.
  void also(const char* part) { part_.report.name += fmt::format(", {}", part); }

  void add(size_t index, const FileScan& scan) {
    PartReport& report = part_.report;
    for (const FileFault& fault : scan.faults) part_.faults[fault.kind].add(index, fault.message, examples_);
    if (scan.image.width > 0) add_image(index, scan.image);
    if (entries_[index].picture_class >= 0) add_class(static_cast<size_t>(entries_[index].picture_class));
    const LabelScan& label = scan.label;
    if (label.width > 0) {
      report.palette_labels += label.kind.type == PngKind::Type::palette;
      report.color_labels += label.kind.type == PngKind::Type::rgb || label.kind.alpha;
      report.wide_labels += label.kind.bits > 8;
      report.narrow_labels += label.kind.bits < 8 && label.kind.type == PngKind::Type::grey;
      if (label.kind.orientation >= 2 && label.kind.orientation <= 8) {
        part_.turned_labels.add(index, label.kind.orientation, examples_);
      }
      if (label.kind.type == PngKind::Type::palette && palettes_.size() < kMaxPalettes) {
        palettes_.insert(label.kind.palette);
      }
    }
    if (label.read) add_values(index, label);
    add_colors(index, label);
  }

  PartFindings finish() {
    PartReport& report = part_.report;
    report.palettes = static_cast<int64_t>(palettes_.size());
    for (size_t c = 0; c < 3 && pixels_ > 0; ++c) {
      const auto count = static_cast<double>(pixels_);
      const double mean = static_cast<double>(sum_[c]) / count;
      const double variance = static_cast<double>(squares_[c]) / count - mean * mean;
      report.mean[c] = mean / 255;
      report.deviation[c] = std::sqrt(std::max(variance, 0.0)) / 255;
    }
    for (ValueCount& value : report.values) {
      if (value.entry >= 0) value.file = entries_[static_cast<size_t>(value.entry)].label;
    }
    for (auto& [color, count] : report.colors) count.file = entries_[static_cast<size_t>(count.entry)].label;
    part_.entries = std::move(entries_);
    return std::move(part_);
  }

 private:
  static constexpr size_t kMaxPalettes = 64;

  void add_image(size_t index, const ImageScan& image) {
    PartReport& report = part_.report;
    const auto area = [](const std::array<int, 2>& size) { return int64_t{size[0]} * size[1]; };
    const std::array<int, 2> size = {image.width, image.height};
    const auto before = [&](const std::array<int, 2>& a, const std::array<int, 2>& b) {
      return area(a) != area(b) ? area(a) < area(b) : a < b;
    };
    if (report.readable == 0 || before(size, report.smallest)) report.smallest = size;
    if (report.readable == 0 || before(report.largest, size)) report.largest = size;
    ++report.readable;
    report.grey += image.grey;
    if (image.orientation >= 2 && image.orientation <= 8) part_.turned.add(index, image.orientation, examples_);
    report.smaller_than_crop += image.width < config_.train.train_w || image.height < config_.train.train_h;
    for (size_t c = 0; c < 3; ++c) {
      sum_[c] += image.sum[c];
      squares_[c] += image.squares[c];
    }
    pixels_ += area(size);
    part_.hashes[index] = image.hash;
  }

  /// The class of a whole picture, counted as a pixel is elsewhere.
  void add_class(size_t label) {
    PartReport& report = part_.report;
    ++report.labels_read;
    ++report.values[label].pixels;
    ++report.values[label].files;
    ++report.classes[label].pixels;
    ++report.classes[label].pictures;
  }

  void add_values(size_t index, const LabelScan& label) {
    PartReport& report = part_.report;
    ++report.labels_read;
    const LabelTable* table = table_for(entries_[index], options_);
    std::vector<int64_t> classes(report.classes.size());
    for (size_t raw = 0; raw < label.pixels.size(); ++raw) {
      const int64_t pixels = label.pixels[raw];
      if (pixels == 0) continue;
      const int value = table != nullptr ? (*table)[raw] : static_cast<int>(raw);
      ValueCount& count = report.values[raw];
      count.pixels += pixels;
      ++count.files;
      if (value == options_.ignore_label) {
        classes.back() += pixels;
      } else if (value < options_.classes) {
        classes[static_cast<size_t>(value)] += pixels;
      } else {
        count.fits = false;
        keep_first(count, index, static_cast<int>(label.first[raw] % label.width),
                   static_cast<int>(label.first[raw] / label.width));
      }
    }
    for (size_t c = 0; c < classes.size(); ++c) {
      report.classes[c].pixels += classes[c];
      report.classes[c].pictures += classes[c] > 0;
    }
  }

  /// The place (x, y) of entry `index`, unless an earlier one is known.
  static void keep_first(ValueCount& count, size_t index, int x, int y) {
    if (count.entry >= 0 && count.entry <= static_cast<int64_t>(index)) return;
    count.entry = static_cast<int64_t>(index);
    count.x = x;
    count.y = y;
  }

  void add_colors(size_t index, const LabelScan& label) {
    PartReport& report = part_.report;
    report.too_many_colors = report.too_many_colors || label.too_many_colors;
    for (const auto& [color, place] : label.colors) {
      if (report.too_many_colors) break;
      ValueCount& count = report.colors[color];
      count.pixels += place.pixels;
      ++count.files;
      keep_first(count, index, place.x, place.y);
      report.too_many_colors = report.colors.size() > 2 * kMaxColors;
    }
    if (report.too_many_colors) report.colors.clear();
  }

  DatasetOptions options_;
  std::vector<ListEntry> entries_;
  const Config& config_;
  const size_t examples_;
  PartFindings part_;
  std::set<std::vector<Color>> palettes_;
  std::array<uint64_t, 3> sum_{}, squares_{};
  int64_t pixels_ = 0;
};

/// Reads all entries of all parts on num_threads() threads.
void read_parts(const std::vector<std::unique_ptr<PartScan>>& parts, const LabelColors* colors, bool show) {
  std::vector<std::pair<PartScan*, size_t>> entries;
  for (const auto& part : parts) {
    for (size_t i = 0; i < part->entries().size(); ++i) entries.emplace_back(part.get(), i);
  }
  const auto total = static_cast<int64_t>(entries.size());
  std::optional<Progress> progress;
  if (show) progress.emplace("check", total, "pictures");
  MemoryGate gate(int64_t{1} << 30);
  std::mutex mutex;
  int64_t done = 0, faulty = 0;
  parallel_for(total, [&](int64_t number) {
    const auto [part, index] = entries[static_cast<size_t>(number)];
    if (pending_signal() != 0) return;
    const FileScan scan = [&, &entry = part->entries()[index]] {
      const MemoryGate::Share share(gate, scan_bytes(entry));
      return scan_entry(entry, colors);
    }();
    const std::lock_guard lock(mutex);
    part->add(index, scan);
    faulty += !scan.faults.empty();
    ++done;
    if (progress) progress->update(done, fmt::format("{} bad files", faulty));
  });
  if (const int signal = pending_signal()) {
    throw Interrupted(signal, fmt::format("stopped after {} of {} pictures", done, total));
  }
  if (progress) progress->finish(fmt::format("{} bad files", faulty));
}

bool same_files(const std::vector<ListEntry>& a, const std::vector<ListEntry>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ListEntry& x, const ListEntry& y) { return x.image == y.image && x.label == y.label; });
}

/// The parts that the configuration has, listed. A folder layout may lack the parts that training does not need: those
/// go to `problems`, and those that are there but cannot be listed.
std::vector<std::unique_ptr<PartScan>> list_parts(const Config& config, size_t examples,
                                                  std::vector<Problem>& problems) {
  const auto add = [&](Problem::Severity severity, const char* kind, std::string text) {
    const bool known = std::any_of(problems.begin(), problems.end(), [&](const Problem& problem) {
      return problem.message.ends_with(text);  // TEST's part may be another's
    });
    if (!known) problems.push_back({severity, kind, std::move(text), 1, {}});
  };
  std::vector<std::unique_ptr<PartScan>> parts;
  const bool any =
      has_pictures(config, Split::train) || has_pictures(config, Split::val) || has_pictures(config, Split::test);
  if (!any) dataset_options(config, Split::train);  // throws the refusal that says what to give
  for (const Split split : {Split::train, Split::val, Split::test}) {
    if (!has_pictures(config, split)) continue;
    DatasetOptions options = dataset_options(config, split);
    PartReport report;
    report.name = split_name(split);
    report.place = listing_place(options);
    report.labelled = split != Split::test || config.test.split != "test";
    const bool needed =
        options.layout.empty() || split == Split::train || (split == Split::val && config.train.evaluate);
    std::vector<ListEntry> entries;
    try {
      entries = list_pictures(options, report.labelled ? LabelColumn::required : LabelColumn::optional, &report.note);
    } catch (const MissingPart& missing) {
      if (needed) throw;
      add(Problem::Severity::note, "absent", fmt::format("no {} part: {}", split_name(options.split), missing.what()));
      continue;
    } catch (const Refusal& refusal) {
      if (needed) throw;
      add(Problem::Severity::fault, "listing", refusal.what());
      continue;
    }
    if (!report.labelled) {
      for (ListEntry& entry : entries) {
        entry.label.clear();
        entry.picture_class = -1;
      }
    }
    const auto same = std::find_if(parts.begin(), parts.end(),
                                   [&](const auto& part) { return same_files(part->entries(), entries); });
    if (same != parts.end()) {
      (*same)->also(split_name(split));
      continue;
    }
    parts.push_back(
        std::make_unique<PartScan>(std::move(options), std::move(entries), std::move(report), config, examples));
  }
  return parts;
}

}  // namespace

int64_t PartReport::valid_pixels() const {
  int64_t sum = 0;
  for (size_t c = 0; c + 1 < classes.size(); ++c) sum += classes[c].pixels;
  return sum;
}

int64_t DataReport::faults() const {
  return std::count_if(problems.begin(), problems.end(),
                       [](const Problem& problem) { return problem.severity == Problem::Severity::fault; });
}

bool DataReport::can_start() const {
  return ok() && std::none_of(problems.begin(), problems.end(), [](const Problem& problem) {
           return problem.kind == kWeightKind || problem.kind == kStartKind;
         });
}

void DataReport::add_refusal(const std::string& why) {
  const auto notes = std::find_if(problems.begin(), problems.end(),
                                  [](const Problem& problem) { return problem.severity == Problem::Severity::note; });
  problems.insert(notes, {Problem::Severity::warning, kStartKind, "giza train would refuse: " + why, 1, {}});
}

DataReport check_data(const Config& config, const CheckOptions& options) {
  const Stopwatch watch;
  DataReport report;
  report.config = config.file;
  report.classes = config.data.classes;
  report.ignore_label = config.train.ignore_label;
  const ClassFacts facts = read_class_facts(config);
  report.names = facts.names;

  std::unique_ptr<const LabelColors> colors;
  if (!config.data.label_colors.empty()) {
    colors = std::make_unique<LabelColors>(config.data.label_colors, config.train.ignore_label);
  }
  std::vector<Problem> unlisted;
  const std::vector<std::unique_ptr<PartScan>> parts = list_parts(config, options.examples, unlisted);
  {
    const SignalGuard guard;
    read_parts(parts, colors.get(), options.progress);
  }
  std::vector<PartFindings> findings;
  for (const auto& part : parts) findings.push_back(part->finish());
  report.problems = find_problems(config, facts, findings, options.examples);
  for (Problem& problem : unlisted) {
    const bool fault = problem.severity == Problem::Severity::fault;  // faults stand before notes
    report.problems.insert(fault ? report.problems.begin() : report.problems.end(), std::move(problem));
  }
  if (const auto training = std::find_if(parts.begin(), parts.end(), [](const auto& part) { return part->is_weak(); });
      training != parts.end()) {
    const PartFindings& part = findings[static_cast<size_t>(training - parts.begin())];
    const WeakEffect effect = weak_effect((*training)->options(), part.entries, config.test.crf_options);
    report.problems.push_back({Problem::Severity::note,
                               "weak",
                               fmt::format("{}: DATA.weak_labels {}: {}", part.report.name, config.data.weak_labels,
                                           weak_effect_text(effect)),
                               1,
                               {}});
  }
  report.proposals = find_proposals(config, facts, findings);
  for (PartFindings& part : findings) report.parts.push_back(std::move(part.report));
  report.seconds = watch.seconds();
  return report;
}

}  // namespace giza::train
