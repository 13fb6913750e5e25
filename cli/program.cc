// Parsing the command line, common flags, and errors as one line and an exit status.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <limits>
#include <new>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>
#include <utility>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/spelling.h"
#include "tensor/base/text.h"
#include "tensor/parallel.h"
#include "tensor/ranks.h"
#include "tensor/simd.h"
#include "train/progress.h"
#include "train/signals.h"

namespace giza::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kRefused = 2;

/// Another rank failed, and ends all, with the status of its failure: not with one of this rank's.
[[noreturn]] void leave_to_another_rank() {
  std::this_thread::sleep_for(std::chrono::seconds(3));
  ranks::abandon(kFailed);
}

/// What a shell or a service may have left undone, or done to us.
void prepare_process() {
  // Without these three open, the first files that we open would take their numbers, and messages would go into them.
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // Read-only, so that writing results to a stdout that was closed is still an error.
    if (::fcntl(descriptor, F_GETFD) < 0 && ::open("/dev/null", O_RDONLY) < 0) std::abort();
  }
  // A reader that has gone, or a file as large as allowed, is an error of the write, not the end of a training.
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
}

constexpr const char* kUnwritten = "stdout: the results could not be written";

/// Hands all results over. Throws Error if that fails, for then they are not where they should be.
void flush_results() {
  if (std::cout.good()) errno = 0;  // else it says why something was not written before
  std::cout.flush();                // and with it stdout, whose buffer it shares
  const int reason = errno;
  check<Error>(std::cout.good() && std::ferror(stdout) == 0, "{}: {}", kUnwritten,
               std::strerror(reason == 0 ? EIO : reason));
}

/// The words of the command line without `--`, behind which none is an option: what begins with a minus sign there is a
/// file, and becomes one that cannot be mistaken.
std::vector<std::string> after_options(int argc, const char* const* argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto end = std::find(words.begin(), words.end(), "--");
  if (end == words.end()) return words;
  for (auto word = end + 1; word != words.end(); ++word) {
    if (word->starts_with('-') && !is_negative_number(*word)) *word = "./" + *word;
  }
  words.erase(end);
  return words;
}

void add_common_flags(CLI::App* app, Common* common) {
  const char* group = "Common";
  app->add_option("--threads", common->threads, "threads of the computation; 0: every processor")
      ->transform(within(0, 1024))
      ->type_name("N")
      ->group(group);
  app->add_option("--isa", common->isa, "SIMD target, as `giza info` lists them; auto: the best")
      ->type_name("NAME")
      ->group(group);
  app->add_option("--conv", common->conv, "convolutions: native, onednn, eigen (1x1 alone) or reference (slow)")
      ->type_name("NAME")
      ->group(group);
  app->add_option("--algorithm", common->algorithm,
                  "native: auto, fast, direct, winograd2, winograd4, winograd5, winograd6")
      ->type_name("NAME")
      ->group(group);
  app->add_option("--seed", common->seed, "seed of all that is random")
      ->transform(within(int64_t{0}, std::numeric_limits<int64_t>::max()))
      ->type_name("S")
      ->group(group);
  app->add_flag("--quiet", common->quiet, "no progress on stderr")->group(group);
  app->add_flag("--json", common->json, "results as JSON")->group(group);
}

/// Refuses flags and arguments without a text, as --out "$FOLDER" has where FOLDER is not set. (KEY VALUE pairs may.)
void refuse_empty(CLI::App* app) {
  for (CLI::Option* option : app->get_options()) {
    if (option->get_type_size() == 0) continue;  // a flag without a value
    option->check(CLI::Validator([](std::string& text) { return text.empty() ? std::string("is empty") : ""; }, ""));
  }
}

/// What CLI11 found wrong with the command `app`, in words that a user need not know CLI11 for.
std::string what_is_wrong(const CLI::ParseError& error, const CLI::App& app) {
  const std::string text = error.what(), name = text.substr(0, text.find(':'));
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && app.get_require_subcommand_min() > 0) {
    std::vector<std::string> names;
    for (const CLI::App* part : app.get_subcommands([](const CLI::App*) { return true; }))
      names.push_back(part->get_name());
    return fmt::format("expected one of these behind it: {}", fmt::join(names, ", "));
  }
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    // A slip in a flag's name, where KEY VALUE pairs may follow, is why another is missed.
    for (const std::string& extra : app.remaining()) {
      if (extra.starts_with("--")) return fmt::format("unknown flag {}", extra);
    }
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    if (text.find("At Most") != std::string::npos) return name + ": is given more than once";
    if (text.find("missing") != std::string::npos) return name + ": expected a value behind it";
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    std::vector<std::string> extra = app.remaining(/*recurse=*/true);
    return fmt::format("not expected: {}", fmt::join(extra, " "));
  }
  return text;
}

}  // namespace

Program::Program() : app_("giza parses scenes: a class for every pixel of a picture, by PSPNet, on CPUs.", "giza") {
  app_.set_version_flag("--version", "giza " GIZA_VERSION);
  app_.require_subcommand(1, 1);
  app_.get_formatter()->column_width(30);
  app_.footer(
      R"(`giza COMMAND --help` tells more about a command.
Results go to stdout, everything else to stderr. Exit status: 0 done; 1 it failed, or the answer is
no; 2 refused: bad usage, configuration, data or weights; 129, 130 or 143 stopped by a signal after
saving.)");
}

void Program::add(std::unique_ptr<Command> command, CLI::App* group) {
  Command& added = *commands_.emplace_back(std::move(command));
  CLI::App* app = (group == nullptr ? &app_ : group)->add_subcommand(added.words.name, added.words.summary);
  app->footer(added.words.help);
  add_common_flags(app, &common_);
  app->callback([this, &added] { chosen_ = &added; });
  added.declare(*app);
  refuse_empty(app);
}

CLI::App* Program::add_group(const std::string& name, const std::string& summary) {
  CLI::App* group = app_.add_subcommand(name, summary);
  group->require_subcommand(1, 1);
  return group;
}

int Program::parse_and_run(int argc, const char* const* argv) {
  if (argc < 2) throw Refusal("no command, expected one of those that `giza --help` lists");
  if (const std::string_view word = argv[1]; word == "help") {  // as other programs have it
    const char* const words[] = {argv[0], argc > 2 ? argv[2] : "--help", "--help"};
    return parse_and_run(argc > 2 ? 3 : 2, words);
  }
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
  std::vector<std::string> words = after_options(argc, argv);
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    app_.parse(std::move(words));
  } catch (const CLI::Success& wanted) {
    const int status = app_.exit(wanted);  // --help, --version
    flush_results();
    return status;
  } catch (const CLI::ParseError& error) {
    throw Refusal(fmt::format("{}: {}; `giza {} --help` shows the usage", first,
                              what_is_wrong(error, *app_.get_subcommand(first)), first));
  }
  if (common_.threads > 0) set_num_threads(common_.threads);
  set_isa(common_.isa);
  common_.conv_engine();  // refuses an unknown name and a backend that is not built in
  train::set_progress_enabled(!common_.quiet);
  const ranks::Place place = ranks::launched_as();
  // Of a command that is not for many, one rank does the work, and the others have nothing to do.
  if (place.count > 1 && !chosen_->for_many()) return place.rank == 0 ? run_chosen() : 0;
  if (place.count > 1) join(place);
  ranks::set_impatience([] { return train::pending_signal() != 0; });
  return run_chosen();
}

void Program::join(const ranks::Place& place) {
  joined_ = true;
  session_.emplace();
  // Ranks that may run everywhere on one machine share its processors out.
  const int processors = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  if (common_.threads == 0 && num_threads() * place.on_machine > processors) {
    set_num_threads(std::max(1, num_threads() / place.on_machine));
  } else if (common_.threads == 0 && num_threads() * place.on_machine < processors && !common_.quiet) {
    tell("{} on this machine, each on {} of its {} processors; mpirun --bind-to none gives them all",
         counted(place.on_machine, "rank"), num_threads(), processors);
  }
}

int Program::run_chosen() {
  const int status = chosen_->run(common_);
  flush_results();
  session_.reset();
  return status;
}

/// Of several ranks one prints.
void Program::silence() {
  set_stderr_enabled(false);
  std::fflush(stdout);
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0 || ::dup2(nowhere, STDOUT_FILENO) < 0) throw Error("/dev/null cannot be opened");
  ::close(nowhere);
}

int Program::main(int argc, const char* const* argv) {
  prepare_process();
  std::string message;
  int status = kFailed;
  try {
    if (ranks::launched_as().rank > 0) silence();
    return parse_and_run(argc, argv);
  } catch (const Refusal& error) {
    message = error.what();
    status = kRefused;
  } catch (const train::Interrupted& error) {
    message = error.what();
    status = 128 + error.signal();
    if (session_) {  // all ranks stop
      tell("{}", message);
      session_.reset();
      return status;
    }
  } catch (const ranks::NoAnswer& error) {
    set_stderr_enabled(error.first());
    tell("{}", error.what());
    ranks::abandon(kFailed);
  } catch (const ranks::Elsewhere&) {
    leave_to_another_rank();
  } catch (const std::bad_alloc&) {
    message = "out of memory: use a smaller batch, crop or model";
  } catch (const std::system_error& error) {  // printing throws it in words of its library
    message = std::ferror(stdout) == 0 ? error.what() : fmt::format("{}: {}", kUnwritten, error.code().message());
  } catch (const std::exception& error) {
    message = error.what();
  }
  // Others may have found nothing wrong, and wait for this one: it comes, and ends them.
  if (!joined_ && ranks::launched_as().count > 1 && is_for_many(argc, argv)) {
    try {
      session_.emplace();
    } catch (const Error&) {  // then nobody can be told
    }
  }
  if (session_) end_all_ranks(message, status);
  // Of a command that is not for many, rank 0 tells, if the launcher does not end it before because of this one.
  if (ranks::launched_as().rank > 0) return 0;
  tell("{}", message);
  return status;
}

bool Program::is_for_many(int argc, const char* const* argv) const {
  return argc > 1 && std::any_of(commands_.begin(), commands_.end(), [&](const auto& command) {
           return command->words.name == std::string_view(argv[1]) && command->for_many();
         });
}

void Program::end_all_ranks(const std::string& message, int status) {
  if (!ranks::leads()) {
    // What all ranks refuse, the one that leads tells.
    if (ranks::failed_elsewhere(std::chrono::milliseconds(500 + 50 * ranks::own()))) leave_to_another_rank();
    set_stderr_enabled(true);
    tell("rank {}: {}", ranks::own(), message);
  } else {
    tell("{}", message);
  }
  ranks::abandon(status);
}

void tell_notes(const std::string& path, const std::vector<std::string>& notes) {
  for (const std::string& note : notes) tell("{}: {}", path, note);
}

std::string to_line(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void print_json(const nlohmann::ordered_json& json) { fmt::print("{}", to_line(json)); }

void print_result(const std::string& file, const std::string& line, bool quiet) {
  if (!is_standard_output(file)) {
    fmt::print("{}\n", line);
  } else if (!quiet) {
    tell("{}", line);
  }
}

void check_not_beside_json(const std::string& flag, const std::string& file, bool json) {
  check<Refusal>(!json || !is_standard_output(file),
                 "{} {}: standard output is where --json writes to; give the name of a file, or leave --json out", flag,
                 file);
}

}  // namespace giza::cli
