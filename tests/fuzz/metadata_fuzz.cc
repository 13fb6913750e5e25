// What the metadata of a file of weights tells under libFuzzer, each as JSON: the network, class names, colours, the
// test protocol, the state of a training's log. The first byte says which. What is accepted is written as it was read.
#include <cstdlib>
#include <string>

#include "models/weights/infer.h"
#include "tensor/base/check.h"
#include "tests/fuzz/fuzz_file.h"
#include "train/config/card.h"
#include "train/train_log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string json(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (const int kind = data[0] % 5; kind) {
      case 0: {
        const std::string text = giza::models::options_to_json(giza::models::options_from_json(json, "FILE"));
        if (giza::models::options_to_json(giza::models::options_from_json(text, "FILE")) != text) std::abort();
        break;
      }
      case 1:
        giza::train::step_sums_from_json(json, "FILE");
        break;
      default: {
        const std::string key = giza::train::kCardKeys[kind - 2];
        const auto written = giza::train::to_metadata(giza::train::card_from_metadata({{key, json}}, 2, "FILE"));
        if (giza::train::to_metadata(giza::train::card_from_metadata(written, 2, "WRITTEN")) != written) std::abort();
      }
    }
  } catch (const giza::Refusal& refusal) {
    if (std::string_view(refusal.what()).starts_with("WRITTEN")) std::abort();
    giza::check_one_line(refusal.what());
  }
  return 0;
}
