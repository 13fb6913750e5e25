// The reader of PyTorch's .pth files, both forms under libFuzzer: any bytes are read or refused.
#include "models/weights/pth.h"
#include "tensor/base/check.h"
#include "tests/fuzz/crc.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const giza::FuzzFile file(data, size);
  try {
    giza::models::read_pth(file.path());
  } catch (const giza::Refusal& refusal) {
    file.check_refusal(refusal.what());
  }
  return 0;
}

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

/// libFuzzer's own changes, with the zip's checksums right: a record's bytes are refused for what they are.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  const size_t result = LLVMFuzzerMutate(data, size, most);
  if (seed % 8 != 0) giza::mend_zip(data, result);  // wrong ones are tried too
  return result;
}
