// Kills a training at random moments, resumes it, and again, until it is done; then begins anew:
//   fault_kills [KILLS]     at least so many (default 100)
// Holds each time: the run goes on, no file of an unfinished write stays for good, and the last checkpoint has the
// bytes of a training that nobody disturbed. Status 0 if that held, 1 otherwise.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "tests/faults/process.h"
#include "tests/support/temp_folder.h"

int main(int argc, char** argv) {
  using giza::faults::Ended, giza::faults::make_fixture, giza::faults::run_giza, giza::faults::temporaries_below;
  const long wanted = argc > 1 ? std::atol(argv[1]) : 100;
  const giza::TempFolder temp;
  const std::filesystem::path folder = temp.path();
  make_fixture(folder);
  const std::vector<std::string> train = {"train", "--config", "tiny.yaml", "--quiet"};
  const auto start = std::chrono::steady_clock::now();
  if (run_giza(train, folder).status != 0) return 2;
  const std::chrono::duration<double, std::micro> whole = std::chrono::steady_clock::now() - start;
  const std::string last = temp.file("run/last.safetensors"), reference = giza::read_bytes(last);
  if (reference.empty()) return 2;

  std::mt19937 random(1);
  std::uniform_real_distribution<double> moment(0, whole.count());
  long kills = 0, runs = 0, failures = 0;
  while (kills < wanted) {
    std::filesystem::remove_all(folder / "run");
    ++runs;
    for (bool done = false; !done;) {
      const auto after = std::chrono::microseconds(static_cast<int64_t>(moment(random)));
      const Ended ended = run_giza(train, folder, {}, after);
      kills += ended.status == -SIGKILL ? 1 : 0;
      done = ended.status == 0;
      if (done || ended.status == -SIGKILL) continue;
      ++failures;
      std::printf("run %ld, after %ld kills: status %d: %s\n", runs, kills, ended.status, ended.err.c_str());
      break;
    }
    const std::string result = giza::read_bytes(last);
    const bool clean = temporaries_below(folder / "run").empty();
    if (result == reference && clean) continue;
    ++failures;
    std::printf("run %ld, after %ld kills: %s\n", runs, kills, clean ? "other bytes" : "temporary files stayed");
  }
  std::printf("%ld kills in %ld trainings of %.0f ms: %ld failures\n", kills, runs, whole.count() / 1000, failures);
  return failures == 0 ? 0 : 1;
}
