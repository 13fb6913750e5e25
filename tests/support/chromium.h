// A page in a real browser, without a window: Chromium told what to do through its DevTools protocol, so that clicks
// and keys are those of a user, with all that the browser itself makes of them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/temp_folder.h"

namespace giza {

/// The name of a Chromium on this machine; empty without one.
std::string find_chromium();

class Chromium {
 public:
  struct Screen {
    int width = 1200, height = 900;
    bool dark = false;
  };
  /// Starts the browser and opens a file. Throws Error where something takes longer than a minute.
  Chromium(const std::string& path, const Screen& screen);
  ~Chromium();
  Chromium(const Chromium&) = delete;
  Chromium& operator=(const Chromium&) = delete;

  /// The value of a JavaScript expression; a promise is waited for. Throws Error for an exception.
  nlohmann::json evaluate(const std::string& expression);
  /// Evaluates until it is true, at most for a minute.
  void wait_for(const std::string& condition);
  /// The left button, at a part of the element that a selector finds, which is scrolled to: (0, 0) is its upper left
  /// corner, (1, 1) its lower right one.
  void click(const std::string& selector, double x = 0.5, double y = 0.5);
  /// A key by its name in KeyboardEvent.key: "ArrowLeft", "Tab", "2", " ".
  void press(const std::string& key, bool shift = false);
  /// What the page has written to the console, exceptions and blocked requests included.
  const std::string& console() const { return console_; }

 private:
  nlohmann::json call(const std::string& method, const nlohmann::json& parameters = nlohmann::json::object());
  nlohmann::json read_message();
  void hear(const nlohmann::json& message);

  int to_ = -1, from_ = -1, process_ = -1;
  int id_ = 0;
  bool loaded_ = false;
  std::string session_, pending_, console_;
  TempFolder profile_;
};

}  // namespace giza
