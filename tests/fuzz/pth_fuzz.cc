// The reader of PyTorch's .pth files, both forms under libFuzzer: any bytes are read or refused.
#include "models/weights/pth.h"
#include "tensor/base/check.h"
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
