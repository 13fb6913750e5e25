// A test that cannot run on this machine says so, and its program's status tells ctest.
#pragma once

#include <string>

namespace giza {

/// The exit status of a test program none of whose cases failed and at least one of which could not run.
constexpr int kSkipped = 77;

/// True under the thread sanitizer, whose own memory would be measured by tests of memory.
#ifdef __SANITIZE_THREAD__
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif

/// Prints "SKIPPED: REASON"; the case returns after it. Such cases are in a test suite "needs ..." that has a ctest
/// entry of its own (tests/CMakeLists.txt), so that ctest counts them as skipped, and nothing else with them.
void skip_test(const std::string& reason);

}  // namespace giza
