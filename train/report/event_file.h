// TensorBoard event files: scalars and pictures over the steps of a run (docs/tensorboard.md).
#pragma once

#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "train/data/image/image.h"

namespace giza::train {

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
uint32_t crc32c(std::span<const uint8_t> bytes);
/// As event files hold it: rotated right by 15 bits, plus 0xa282ead8.
uint32_t masked_crc32c(std::span<const uint8_t> bytes);

/// False where giza was built without Protocol Buffers.
bool event_files_available();

/// One event file of a run folder: events.out.tfevents.SECONDS.giza.NUMBER, whose name sorts after those already there,
/// which is the order in which TensorBoard reads them. Each record reaches the file system at once; a kill leaves at
/// most a half-written last record, which TensorBoard passes over. Only the times in it differ from run to run.
class EventFile {
 public:
  /// Begins with a record that makes TensorBoard drop what earlier files of the folder hold for `first_step` and later:
  /// a resumed run goes through those steps again. Throws Refusal without event_files_available(), Error when writing
  /// fails, as do all others.
  EventFile(const std::string& folder, int64_t first_step);

  void write_scalars(int64_t step, const std::vector<std::pair<std::string, double>>& scalars);
  void write_picture(int64_t step, const std::string& tag, const Image& picture);

  const std::string& path() const { return path_; }

 private:
  void write_record(std::string_view data);

  std::string path_;
  std::ofstream stream_;
};

}  // namespace giza::train
