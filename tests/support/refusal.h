// What an error says, for tests that look at its words.
#pragma once

#include <doctest/doctest.h>

#include <string>

namespace giza {

/// The message of the E that body throws; fails the test if it throws none.
template <class E, class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const E& error) {
    return error.what();
  }
  FAIL("nothing was thrown");
  return {};
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace giza
