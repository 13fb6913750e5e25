// giza: one program, one subcommand per job; here is the list of them, in the order of `giza --help`.
#include "cli/command.h"

int main(int argc, char** argv) {
  namespace cli = giza::cli;
  cli::Program program;
  program.add(cli::info_command());
  program.add(cli::scenes_command());
  program.add(cli::init_command());
  program.add(cli::check_command());
  program.add(cli::train_command());
  program.add(cli::eval_command());
  program.add(cli::plan_command());
  program.add(cli::predict_command());
  program.add(cli::explore_command());
  program.add(cli::compare_command());
  program.add(cli::run_command());
  program.add(cli::convert_command());
  program.add(cli::verify_command());
  program.add(cli::bisect_command());
  program.add(cli::bench_model_command(), program.add_group("bench", "time and memory; `giza bench model --help`"));
  program.add(cli::profile_command());
  program.add(cli::study_command());
  return program.main(argc, argv);
}
