// The .caffemodel reader and what makes giza's networks of it, under libFuzzer: any bytes are read or refused.
#include "models/weights/caffe/caffemodel.h"
#include "models/weights/caffe/pspnet.h"
#include "tensor/base/check.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const giza::FuzzFile file(data, size);
  (void)giza::models::is_caffemodel({reinterpret_cast<const char*>(data), size});
  try {
    giza::models::WeightFile weights = giza::models::read_caffemodel(giza::InputFile(file.path()));
    size_t bytes = 0;
    for (const auto& tensor : weights.tensors) bytes += tensor.data.size() * sizeof(float);
    if (bytes > size) std::abort();
    if (giza::models::has_caffe_names(weights)) giza::models::semseg_from_caffe(std::move(weights), file.path());
  } catch (const giza::Refusal& refusal) {
    file.check_refusal(refusal.what());
  }
  return 0;
}
