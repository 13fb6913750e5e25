// The folder of a run, held by one process at a time.
#pragma once

#include <string>
#include <vector>

namespace giza::train {

/// Files of every run, beside its checkpoints.
inline constexpr const char *kConfigFile = "config.yaml", *kLogFile = "log.jsonl", *kReportFile = "report.html";

/// Creates the folder and locks it until destruction or the end of the process, however it ends. The lock is on the
/// folder itself (flock), so that nothing has to be written for it and no file is in anybody's way; file systems that
/// lock files alone get a `.lock` in it. Folders that it made go again where nothing was written into them: a run that
/// was refused leaves none.
class RunFolder {
 public:
  /// Throws Refusal if the folder cannot be made, another run holds it, or what bears the name of one of the run's
  /// files is a folder, a pipe or a device: a pipe without a reader would block for ever. `setting` is what the refusal
  /// says to change. With `holds` false nothing is made or locked: of several ranks one holds the folder.
  explicit RunFolder(const std::string& path, const char* setting = "TRAIN.save_path", bool holds = true);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::string& path() const { return path_; }
  /// The path of a file in it.
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  int lock() const;  // 0, or errno
  void check_files(const char* setting) const;

  std::string path_;
  std::vector<std::string> made_;  // the innermost first
  int descriptor_ = -1;
};

}  // namespace giza::train
