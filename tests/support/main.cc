// The main function of every test program.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "tests/support/skip.h"

namespace giza {
namespace {

int skipped = 0;

}  // namespace

void skip_test(const std::string& reason) {
  ++skipped;
  MESSAGE("SKIPPED: " << reason);
}

}  // namespace giza

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  const int status = context.run();
  return status == 0 && giza::skipped > 0 ? giza::kSkipped : status;
}
