// A page in a real browser, told what to do through the DevTools protocol: JSON messages that end in a zero byte, over
// the pipes 3 and 4 of the browser.
#include "tests/support/chromium.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "tensor/base/check.h"
#include "tensor/base/stopwatch.h"

namespace giza {
namespace {

using Json = nlohmann::json;

constexpr int kPatienceMs = 60000;

/// Two pipes whose numbers are above 4, so that none is closed when the browser's are put in their places.
struct Pipe {
  int read = -1, write = -1;
  Pipe() {
    int ends[2];
    check<Error>(::pipe(ends) == 0, "chromium: no pipe");
    read = ::fcntl(ends[0], F_DUPFD_CLOEXEC, 10);
    write = ::fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
    ::close(ends[0]);
    ::close(ends[1]);
  }
};

/// The browser as a process that reads from one pipe and writes to the other.
int start_chromium(const std::string& profile, const Pipe& to, const Pipe& from) {
  const std::string name = find_chromium(), folder = "--user-data-dir=" + profile;
  const int process = ::fork();
  check<Error>(process >= 0, "chromium: no process");
  if (process > 0) return process;
  // A group of its own, so that all of the browser's processes can be ended together.
  ::setpgid(0, 0);
  ::dup2(to.read, 3);
  ::dup2(from.write, 4);
  const int quiet = ::open("/dev/null", O_RDWR);
  for (const int stream : {0, 1, 2}) ::dup2(quiet, stream);
  // No sandbox: the pages are ours, and containers often have none.
  ::execlp(name.c_str(), name.c_str(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
           "--hide-scrollbars", "--no-first-run", "--remote-debugging-pipe", folder.c_str(), "about:blank", nullptr);
  ::_exit(127);
}

}  // namespace

std::string find_chromium() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    if (std::system(fmt::format("command -v {} >/dev/null 2>&1", name).c_str()) == 0) return name;
  }
  return "";
}

Chromium::Chromium(const std::string& path, const Screen& screen) {
  const Pipe to, from;
  process_ = start_chromium(profile_.path(), to, from);
  ::close(to.read);
  ::close(from.write);
  to_ = to.write;
  from_ = from.read;
  const Json target = call("Target.createTarget", {{"url", "about:blank"}});
  session_ = call("Target.attachToTarget", {{"targetId", target.at("targetId")}, {"flatten", true}}).at("sessionId");
  for (const char* domain : {"Page.enable", "Runtime.enable", "Log.enable"}) call(domain);
  call("Emulation.setDeviceMetricsOverride",
       {{"width", screen.width}, {"height", screen.height}, {"deviceScaleFactor", 1}, {"mobile", false}});
  call("Emulation.setEmulatedMedia",
       {{"features", {{{"name", "prefers-color-scheme"}, {"value", screen.dark ? "dark" : "light"}}}}});
  call("Page.navigate", {{"url", "file://" + path}});
  while (!loaded_) hear(read_message());
}

Chromium::~Chromium() {
  ::close(to_);
  ::close(from_);
  ::kill(-process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

Json Chromium::read_message() {
  size_t end = 0;
  while ((end = pending_.find('\0')) == std::string::npos) {
    pollfd wait = {from_, POLLIN, 0};
    check<Error>(::poll(&wait, 1, kPatienceMs) == 1, "chromium: no answer");
    char bytes[1 << 16];
    const ssize_t count = ::read(from_, bytes, sizeof(bytes));
    check<Error>(count > 0, "chromium: it has ended");
    pending_.append(bytes, static_cast<size_t>(count));
  }
  Json message = Json::parse(pending_.substr(0, end));
  pending_.erase(0, end + 1);
  return message;
}

void Chromium::hear(const Json& message) {
  const std::string method = message.value("method", "");
  if (method == "Page.loadEventFired") loaded_ = true;
  if (method == "Runtime.consoleAPICalled" || method == "Runtime.exceptionThrown" || method == "Log.entryAdded") {
    console_ += message.at("params").dump() + "\n";
  }
}

Json Chromium::call(const std::string& method, const Json& parameters) {
  Json message = {{"id", ++id_}, {"method", method}, {"params", parameters}};
  if (!session_.empty()) message["sessionId"] = session_;
  const std::string text = message.dump() + '\0';
  for (size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(to_, text.data() + done, text.size() - done);
    check<Error>(count > 0, "chromium: it does not listen");
    done += static_cast<size_t>(count);
  }
  while (true) {
    Json answer = read_message();
    if (answer.value("id", 0) != id_) {
      hear(answer);
      continue;
    }
    check<Error>(!answer.contains("error"), "chromium: {}: {}", method, answer.dump());
    return answer.at("result");
  }
}

Json Chromium::evaluate(const std::string& expression) {
  const Json result =
      call("Runtime.evaluate", {{"expression", expression}, {"returnByValue", true}, {"awaitPromise", true}});
  check<Error>(!result.contains("exceptionDetails"), "chromium: {}: {}", expression, result.dump());
  return result.at("result").value("value", Json());
}

void Chromium::wait_for(const std::string& condition) {
  const Stopwatch watch;
  while (!evaluate(condition).get<bool>()) {
    check<Error>(watch.seconds() < kPatienceMs / 1e3, "chromium: waited in vain for {}", condition);
    ::usleep(20000);
  }
}

void Chromium::click(const std::string& selector, double x, double y) {
  const Json box = evaluate(fmt::format(
      "(() => {{ const it = document.querySelector({}); it.scrollIntoView({{ block: 'center', behavior: 'instant' }}); "
      "const box = it.getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; }})()",
      Json(selector).dump()));
  const double left = box[0].get<double>() + x * box[2].get<double>(),
               top = box[1].get<double>() + y * box[3].get<double>();
  call("Input.dispatchMouseEvent", {{"type", "mouseMoved"}, {"x", left}, {"y", top}});
  for (const char* type : {"mousePressed", "mouseReleased"}) {
    call("Input.dispatchMouseEvent",
         {{"type", type}, {"x", left}, {"y", top}, {"button", "left"}, {"buttons", 1}, {"clickCount", 1}});
  }
}

void Chromium::press(const std::string& key, bool shift) {
  struct Known {
    const char* key;
    int code;
  };
  constexpr Known kKeys[] = {{"Tab", 9},      {" ", 32},          {"ArrowLeft", 37},
                             {"ArrowUp", 38}, {"ArrowRight", 39}, {"ArrowDown", 40}};
  Json event = {{"key", key}, {"modifiers", shift ? 8 : 0}};
  if (key.size() == 1) {
    event["text"] = key;
    event["windowsVirtualKeyCode"] = static_cast<int>(key[0]);
  }
  for (const Known& each : kKeys) {
    if (key == each.key) event["windowsVirtualKeyCode"] = each.code;
  }
  for (const char* type : {"keyDown", "keyUp"}) {
    event["type"] = type;
    if (std::string(type) == "keyUp") event.erase("text");
    call("Input.dispatchKeyEvent", event);
  }
}

}  // namespace giza
