// The readers of pictures under libFuzzer, built twice, for PNG and for JPEG (which differ in seeds, dictionary and
// mutator): any bytes are read or refused, and a size that was told is the one that is read.
#include "tensor/base/check.h"
#include "tests/fuzz/crc.h"
#include "tests/fuzz/fuzz_file.h"
#include "train/data/image/image.h"
#include "train/data/image/png.h"

namespace {

using giza::train::Image;

/// What `read` gives; {} where it refuses.
template <class Read>
auto result_of(const giza::FuzzFile& file, const Read& read) -> decltype(read()) {
  try {
    return read();
  } catch (const giza::Refusal& refusal) {
    file.check_refusal(refusal.what());
  }
  return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const giza::FuzzFile file(data, size);
  const auto told = result_of(file, [&] { return giza::train::read_image_size(file.path()); });
  if (int64_t{told[0]} * told[1] > 1 << 14) return 0;  // large ones take long and show nothing new
  const Image image = result_of(file, [&] { return giza::train::read_image(file.path()); });
  if (image.width > 0 && (image.width != told[0] || image.height != told[1])) std::abort();
  result_of(file, [&] { return giza::train::read_labels(file.path()); });
  if (giza::train::is_png({data, size})) {
    result_of(file, [&] { return giza::train::png_kind(file.path(), {data, size}); });
  }
  return 0;
}

#ifdef GIZA_FUZZ_PNG
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

/// libFuzzer's own changes, with the chunks' checksums right: a chunk is judged by what it says.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  const size_t result = LLVMFuzzerMutate(data, size, most);
  if (seed % 8 != 0) giza::mend_png(data, result);  // wrong ones are tried too
  return result;
}
#endif
