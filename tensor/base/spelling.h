// The nearest known name to a misspelt one, for messages.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace giza {

/// Levenshtein distance in bytes, of the first 64 bytes of each.
size_t edit_distance(std::string_view a, std::string_view b);
/// The first of `names` with the smallest distance, upper and lower case being equal; empty without names.
std::string nearest_name(std::string_view name, std::span<const std::string> names);
/// `text` with A-Z as a-z.
std::string lower_case(std::string_view text);

}  // namespace giza
