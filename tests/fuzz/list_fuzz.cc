// The text files of a data set under libFuzzer: lists of pictures, names and colours of classes.
#include "tensor/base/check.h"
#include "tests/fuzz/fuzz_file.h"
#include "train/data/list.h"

namespace {

template <class Read>
void read_or_refuse(const giza::FuzzFile& file, const Read& read) {
  try {
    read();
  } catch (const giza::Refusal& refusal) {
    file.check_refusal(refusal.what());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using giza::train::LabelColumn;
  const giza::FuzzFile file(data, size);
  for (const LabelColumn column : {LabelColumn::required, LabelColumn::optional}) {
    read_or_refuse(file, [&] {
      const auto entries = giza::train::read_list(file.path(), "ROOT", column);
      giza::train::check_output_names(file.path(), entries);
      for (const auto& entry : entries) {
        if (entry.image.empty() || entry.line < 1) std::abort();
      }
    });
  }
  read_or_refuse(file, [&] { giza::train::read_names(file.path()); });
  read_or_refuse(file, [&] { giza::train::read_colors(file.path()); });
  return 0;
}
