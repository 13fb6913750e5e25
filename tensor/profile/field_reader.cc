// Words of letters with numbers.
#include "tensor/profile/field_reader.h"

#include <algorithm>
#include <charconv>

#include "tensor/base/check.h"

namespace giza::profile {

std::string read_fields(std::string_view text, std::span<const Field> fields, std::string_view expected) {
  constexpr int64_t kMaxSize = 1 << 20;
  size_t at = 0;
  const auto number = [&](char letter, int64_t low) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), value);
    check<Refusal>(error == std::errc() && value >= low && value <= kMaxSize, "{}: {} needs a number from {} to {}; {}",
                   text, letter, low, kMaxSize, expected);
    at = static_cast<size_t>(end - text.data());
    return value;
  };
  std::string seen;
  while (at < text.size()) {
    const char letter = text[at++];
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.letter == letter; });
    check<Refusal>(field != fields.end(), "{}: unknown letter '{}'; {}", text, letter, expected);
    check<Refusal>(field->all != nullptr || seen.find(letter) == std::string::npos, "{}: {} stands there twice; {}",
                   text, letter, expected);
    seen += letter;
    const int64_t value = number(letter, field->low);
    if (field->all != nullptr) {
      field->all->push_back(value);
      continue;
    }
    *field->value = value;
    if (field->second == nullptr) continue;
    const bool two = at < text.size() && text[at] == 'x';
    at += two ? 1 : 0;
    *field->second = two ? number('x', field->low) : value;
  }
  return seen;
}

}  // namespace giza::profile
