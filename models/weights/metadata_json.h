// JSON from the metadata of a file, which may be hostile.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace giza::models {

/// Parses; the conversion of what comes of it to whole numbers of 32 bits or more is then defined. Throws Json's
/// exceptions for what is no JSON, and std::out_of_range for a fraction or power of ten beyond 2^31.
template <class Json>
Json parse_metadata(const std::string& text) {
  return Json::parse(text, [](int /*depth*/, typename Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::value && value.is_number_float()) {
      const auto number = value.template get<double>();
      if (!(std::abs(number) < 2147483648.0)) throw std::out_of_range(fmt::format("the number {}", number));
    }
    return true;
  });
}

/// What is wrong with a JSON text, without the words of the library that found it.
inline std::string json_fault(const std::exception& error) {
  if (const auto* parse = dynamic_cast<const nlohmann::json::parse_error*>(&error)) {
    return fmt::format("no JSON at byte {}", parse->byte);
  }
  const std::string text = error.what();
  if (!text.starts_with("[json.exception")) return text;
  return text.substr(std::min(text.find("] ") + 2, text.size()));
}

/// A whole number. Throws std::out_of_range for any other value.
template <class Json>
int64_t whole_number(const Json& json) {
  if (!json.is_number_integer()) throw std::out_of_range("no whole number where one belongs");
  return json.template get<int64_t>();
}

}  // namespace giza::models
