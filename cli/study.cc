// giza study: flags and printing around train/study.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "train/config/keys.h"
#include "train/study/page.h"
#include "train/study/runner.h"
#include "train/study/summary.h"

namespace giza::cli {
namespace {

constexpr int kMostSeeds = 1000;

const std::string& help_text() {
  static const std::string text = fmt::format(
      R"(Trains and tests every row of a table of the paper with each seed, all with the same data, schedule and
trunk, and prints the figures beside the published ones. The studies:

{}
--data is scenes (made by the study itself), camvid (the folder that configs/camvid/psp.yaml names) or the
path of a configuration. KEY VALUE pairs replace its keys for all rows. Each training has a run folder below
--out; started again after an interruption, the same command goes on to the same bits. DIR/report.html has
the table, the curves, and the pictures on which the rows differ most; DIR/study.json the numbers.
docs/study.md tells what came out.

  giza study table1 --quick)",
      train::study_list());
  return text;
}

class StudyCommand : public Command {
 public:
  StudyCommand() : Command("study", "an experiment of the paper at small scale, row by row", help_text().c_str()) {}

  void declare(CLI::App& app) override {
    words_.declare(app, "NAME [KEY VALUE ...]");
    app.add_option("--data", data_, "what to train on")->type_name("scenes|camvid|FILE")->capture_default_str();
    app.add_option("--seeds", seeds_, "trainings of each row; their seeds count up from --seed, or 1")
        ->transform(within(1, kMostSeeds))
        ->capture_default_str();
    app.add_flag("--quick", quick_, "fewer pictures and epochs: the table in minutes, with wider deviations");
    app.add_option("--out", out_, "the study's folder; without it studies/NAME-DATA, with -quick behind it")
        ->type_name("DIR");
  }

  bool for_many() const override { return true; }

  int run(const Common& common) override {
    const std::vector<std::string> given = words_.get();
    check<Refusal>(!given.empty(), "study: no name, expected that of a study; `giza study --help` lists all");
    const std::string& name = given.front();
    const std::vector<std::string> settings(given.begin() + 1, given.end());
    train::find_study(name, train::StudyScale::small);  // before anything is read or written

    train::StudyOptions options;
    options.seeds = seeds_;
    options.first_seed = common.seed.value_or(1);
    check<Refusal>(options.first_seed <= INT64_MAX - seeds_, "study: there are no {} seeds from --seed {} on", seeds_,
                   options.first_seed);
    options.out = !out_.empty()
                      ? out_
                      : fmt::format("studies/{}-{}{}", name, train::study_data_name(data_), quick_ ? "-quick" : "");
    train::StudyData data = train::study_data(data_, quick_, options.out, settings);
    if (common.threads > 0) data.config.train.threads = common.threads;
    if (!common.conv.empty()) data.config.train.conv = common.conv;
    if (!common.algorithm.empty()) data.config.train.algorithm = common.algorithm;
    data.config.command = shell_command(name, options, settings, common);

    const train::Study study = train::find_study(name, data.scale);
    const train::StudyResult result = train::run_study(study, data, options, train::write_study);
    if (!ranks::leads()) return 0;
    if (!common.quiet) tell("the report is {}/report.html", options.out);
    if (common.json) {
      fmt::print("{}\n", train::study_json(result));
    } else {
      fmt::print("{}", train::study_table(result));
    }
    return 0;
  }

 private:
  std::string shell_command(const std::string& name, const train::StudyOptions& options,
                            const std::vector<std::string>& settings, const Common& common) const {
    std::string line = fmt::format("giza study {} --data {} --seeds {} --out {}", name, quoted_for_shell(data_),
                                   options.seeds, quoted_for_shell(options.out));
    if (options.first_seed != 1) line += fmt::format(" --seed {}", options.first_seed);
    if (quick_) line += " --quick";
    // Other weights, so another study; --threads and --isa are not.
    if (!common.conv.empty()) line += " --conv " + common.conv;
    if (!common.algorithm.empty()) line += " --algorithm " + common.algorithm;
    for (const std::string& word : settings) line += " " + quoted_for_shell(word);
    return line;
  }

  TrailingArguments words_;
  std::string data_ = "scenes", out_;
  int seeds_ = 3;
  bool quick_ = false;
};

}  // namespace

std::unique_ptr<Command> study_command() { return std::make_unique<StudyCommand>(); }

}  // namespace giza::cli
