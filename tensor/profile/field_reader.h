// Words such as "n1h60w60c512k512r3x1": letters with numbers, in any order.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace giza::profile {

/// A letter, and where its number goes.
struct Field {
  char letter;
  int64_t* value;
  int64_t low = 1;                      ///< the least number allowed
  int64_t* second = nullptr;            ///< of a letter with one number or two: "r3" sets both, "r3x1" each
  std::vector<int64_t>* all = nullptr;  ///< for a letter that may stand more than once, in place of value
};

/// Reads `text` into the fields and returns the letters that it has. Throws Refusal "TEXT: what is wrong; expected" for
/// an unknown letter, one that stands there twice, and a number that is missing, too small or above 2^20.
std::string read_fields(std::string_view text, std::span<const Field> fields, std::string_view expected);

}  // namespace giza::profile
