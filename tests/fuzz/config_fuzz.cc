// Configurations under libFuzzer: the text of a YAML file, and behind each zero byte a word of the command line.
// Whatever is accepted is written, and what was written is read back to the same configuration.
#include <cstdlib>
#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "tests/fuzz/fuzz_file.h"
#include "train/config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> parts(1);
  for (const uint8_t byte : std::string_view(reinterpret_cast<const char*>(data), size)) {
    if (byte == 0) {
      parts.emplace_back();
    } else {
      parts.back() += static_cast<char>(byte);
    }
  }
  giza::train::Config config;
  try {
    config = giza::train::parse_config(parts[0], "FILE", {parts.begin() + 1, parts.end()});
  } catch (const giza::Refusal& refusal) {
    giza::check_one_line(refusal.what());
    return 0;
  }
  const std::string text = giza::train::to_yaml(config);
  const giza::train::Config again = giza::train::parse_config(text, "WRITTEN");  // a refusal ends the fuzzer
  if (again.data != config.data || again.train != config.train || again.test != config.test) std::abort();
  if (giza::train::training_hash(again) != giza::train::training_hash(config)) std::abort();
  return 0;
}
