// Parsing the command line, common flags, and errors as one line and an exit status.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <new>
#include <utility>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "tensor/base/spelling.h"
#include "tensor/base/text.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "train/progress.h"
#include "train/signals.h"

namespace giza::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kRefused = 2;

/// A message is one line, whatever a library or a file name put into it.
void complain(std::string message) {
  std::replace_if(message.begin(), message.end(), is_control, ' ');
  // Unicode's own line ends, U+0085, U+2028 and U+2029, in UTF-8.
  for (const std::string_view line_end : {"\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"}) {
    for (size_t at = message.find(line_end); at != std::string::npos; at = message.find(line_end, at)) {
      message.replace(at, line_end.size(), " ");
    }
  }
  fmt::print(stderr, "giza: {}\n", message);
}

void add_common_flags(CLI::App* app, Common* common) {
  const char* group = "Common";
  app->add_option("--threads", common->threads, "threads of the computation; 0: every processor")
      ->check(within(0, 1024))
      ->type_name("N")
      ->group(group);
  app->add_option("--isa", common->isa, "SIMD target, as `giza info` lists them; auto: the best")
      ->type_name("NAME")
      ->group(group);
  app->add_option("--conv", common->conv,
                  "convolutions: native, onednn, eigen (1x1 alone) or reference (slow, double precision)")
      ->type_name("NAME")
      ->group(group);
  app->add_option("--algorithm", common->algorithm,
                  "of native convolutions: auto, fast, direct, winograd2, winograd4, winograd5 or winograd6")
      ->type_name("NAME")
      ->group(group);
  app->add_option("--seed", common->seed, "seed of all that is random")
      ->check(within(int64_t{0}, std::numeric_limits<int64_t>::max()))
      ->type_name("S")
      ->group(group);
  app->add_flag("--quiet", common->quiet, "no progress on stderr")->group(group);
  app->add_flag("--json", common->json, "results as JSON")->group(group);
}

}  // namespace

Program::Program() : app_("giza parses scenes: a class for every pixel of a picture, by PSPNet, on CPUs.", "giza") {
  app_.set_version_flag("--version", "giza " GIZA_VERSION);
  app_.require_subcommand(1, 1);
  app_.get_formatter()->column_width(30);
  app_.footer(
      R"(`giza COMMAND --help` tells more about a command.
Results go to stdout, everything else to stderr. Exit status: 0 done; 1 it failed, or the answer is
no; 2 refused: bad usage, configuration, data or weights; 130, 143 stopped by a signal after saving.)");
}

void Program::add(std::unique_ptr<Command> command, CLI::App* group) {
  Command& added = *commands_.emplace_back(std::move(command));
  CLI::App* app = (group == nullptr ? &app_ : group)->add_subcommand(added.name(), added.summary());
  app->footer(added.help());
  add_common_flags(app, &common_);
  app->callback([this, &added] { chosen_ = &added; });
  added.declare(*app);
}

CLI::App* Program::add_group(const std::string& name, const std::string& summary) {
  CLI::App* group = app_.add_subcommand(name, summary);
  group->require_subcommand(1, 1);
  return group;
}

int Program::parse_and_run(int argc, const char* const* argv) {
  if (argc < 2) throw Refusal("no command, expected one of those that `giza --help` lists");
  const std::string first = argv[1];
  std::vector<std::string> names;
  for (const CLI::App* command : app_.get_subcommands([](CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  if (first[0] != '-' && std::find(names.begin(), names.end(), first) == names.end()) {
    throw Refusal(fmt::format("{}: unknown command, the nearest is {}; `giza --help` lists all", first,
                              nearest_name(first, names)));
  }
  if (first[0] == '-' && first != "-h" && first != "--help" && first != "--version") {
    throw Refusal(fmt::format("{}: flags come after a command, as in `giza info --json`", first));
  }
  try {
    app_.parse(argc, argv);
  } catch (const CLI::Success& wanted) {
    return app_.exit(wanted);  // --help, --version
  } catch (const CLI::ParseError& error) {
    throw Refusal(fmt::format("{}: {}; `giza {} --help` shows the usage", first, error.what(), first));
  }
  if (common_.threads > 0) set_num_threads(common_.threads);
  set_isa(common_.isa);
  common_.conv_engine();  // refuses an unknown name and a backend that is not built in
  train::set_progress_enabled(!common_.quiet);
  const int status = chosen_->run(common_);
  check<Error>(std::fflush(stdout) == 0 && std::ferror(stdout) == 0, "stdout: the results could not be written");
  return status;
}

int Program::main(int argc, const char* const* argv) {
  try {
    return parse_and_run(argc, argv);
  } catch (const Refusal& error) {
    complain(error.what());
    return kRefused;
  } catch (const train::Interrupted& error) {
    complain(error.what());
    return 128 + error.signal();
  } catch (const std::bad_alloc&) {
    complain("out of memory: use a smaller batch, crop or model");
  } catch (const std::exception& error) {
    complain(error.what());
  }
  return kFailed;
}

}  // namespace giza::cli
