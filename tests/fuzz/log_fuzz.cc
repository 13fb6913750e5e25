// The log of a run under libFuzzer: what is no line of a log is counted, and iterations ascend.
#include <cstdlib>

#include "tests/fuzz/fuzz_file.h"
#include "train/report/run_history.h"

namespace {

template <class Point>
void check_ascending(const std::vector<Point>& points) {
  for (size_t i = 0; i < points.size(); ++i) {
    if (points[i].iteration < 0 || (i > 0 && points[i].iteration <= points[i - 1].iteration)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const giza::FuzzFile file(data, size);
  const giza::train::RunHistory history = giza::train::read_history(file.path());
  check_ascending(history.steps);
  check_ascending(history.validations);
  history.best_validation();
  return 0;
}
