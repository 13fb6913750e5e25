// Looks at a page of giza in a browser, at the width of a phone and at that of a desktop, without touching it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace giza::train {

struct Visit {
  nlohmann::json phone, desktop;  ///< what report_probe.html finds
  std::string console;            ///< what the pages said
};

/// Fails the test where the browser does not run.
Visit visit(const std::string& html, bool dark);

/// That nothing is too wide, unnamed, hard to read, or fetched from elsewhere.
void check_page(const nlohmann::json& page, int width, bool dark, const std::string& title);

}  // namespace giza::train
