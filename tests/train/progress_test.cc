// Progress lines, spelling, and signals as a flag.
#include "train/progress.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "tensor/base/spelling.h"
#include "tests/support/scopes.h"
#include "train/signals.h"

namespace giza::train {
namespace {

/// What `body` writes to stderr.
template <class Body>
std::string stderr_of(Body&& body) {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  const int before = ::dup(STDERR_FILENO);
  ::dup2(::fileno(file), STDERR_FILENO);
  body();
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  std::rewind(file);
  std::string text(4096, ' ');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

}  // namespace

TEST_CASE("durations") {
  CHECK(format_duration(0) == "0s");
  CHECK(format_duration(59.4) == "59s");
  CHECK(format_duration(185) == "3m05s");
  CHECK(format_duration(3600) == "1h00m");
  CHECK(format_duration(7661) == "2h07m");
  CHECK(format_duration(-1) == "0s");
  CHECK(format_duration(1e300).size() < 20);
}

TEST_CASE("a progress line has count, figure, rate and time left") {
  const QuietScope quiet;
  Progress progress("train", 10, "it", 4);
  CHECK(progress.line() == "4/10");  // nothing done by this process yet: no rate
  progress.update(6, "loss 0.5");
  CHECK(progress.line().starts_with("6/10  loss 0.5  "));
  CHECK(progress.line().find("it/s") != std::string::npos);
  CHECK(progress.line().find(" left") != std::string::npos);
  progress.finish("loss 0.4");
  CHECK(progress.line().find("loss 0.4") != std::string::npos);
  CHECK(progress.line().find("in all") != std::string::npos);
  Progress empty("eval", 0, "images");
  empty.finish();
  CHECK(empty.line() == "0/0");
}

TEST_CASE("signals set a flag while a guard lives") {
  // Whoever runs the test may have handlers of its own.
  struct sigaction before = {};
  sigaction(SIGINT, nullptr, &before);
  for (const int signal : {SIGINT, SIGTERM}) {
    const SignalGuard guard;
    CHECK(pending_signal() == 0);
    std::raise(signal);
    CHECK(pending_signal() == signal);
    CHECK(Interrupted(signal, "stopped").signal() == signal);
    // The second one would end the process: the handler is gone.
    struct sigaction now = {};
    sigaction(signal, nullptr, &now);
    CHECK((now.sa_handler == SIG_DFL));
  }
  struct sigaction after = {};
  sigaction(SIGINT, nullptr, &after);
  CHECK((after.sa_handler == before.sa_handler));
  const SignalGuard forget;  // no later test is to find a signal pending
}

TEST_CASE("a guard within another leaves signals and handlers to it") {
  struct sigaction before = {}, now = {};
  sigaction(SIGTERM, nullptr, &before);
  {
    const SignalGuard outer;
    { const SignalGuard inner; }
    sigaction(SIGTERM, nullptr, &now);
    CHECK((now.sa_handler != before.sa_handler));  // still guarded
    std::raise(SIGTERM);
    const SignalGuard later;
    CHECK(pending_signal() == SIGTERM);  // arrived between two parts of the work, and is not forgotten
  }
  sigaction(SIGTERM, nullptr, &now);
  CHECK((now.sa_handler == before.sa_handler));
  const SignalGuard forget;
}

TEST_CASE("within a pause only the progress of the whole is shown") {
  const std::string text = stderr_of([] {
    Progress whole("study", 2, "it");
    {
      const ProgressPause pause(whole);
      for (int i = 0; i < 2; ++i) {
        Progress part("train", 2, "it");
        part.note("a part");
        part.warn("beware");
        part.finish();
      }
    }
    whole.note("the whole");
    Progress after("test", 1, "it");
    after.update(1);
    after.finish();
  });
  CHECK(text.find("part") == std::string::npos);
  CHECK(text.find("train") == std::string::npos);
  CHECK(text.starts_with("giza: beware\nthe whole\n"));
  CHECK(text.find("test 100%") != std::string::npos);
}

TEST_CASE("the nearest name") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("same", "same") == 0);
  const std::vector<std::string> names = {"epochs", "power", "momentum"};
  CHECK(nearest_name("EPOCH", names) == "epochs");
  CHECK(nearest_name("momentom", names) == "momentum");
  CHECK(nearest_name("x", {}) == "");
  CHECK(edit_distance(std::string(1 << 20, 'a'), std::string(1 << 20, 'b')) == 64);  // long texts are cut
}

}  // namespace giza::train
