// giza: one program, one subcommand per job; here is the list of them, in the order of `giza --help`.
#include "cli/command.h"

int main(int argc, char** argv) {
  using namespace giza::cli;
  Program program;
  program.add(info_command());
  program.add(scenes_command());
  program.add(init_command());
  program.add(check_command());
  program.add(train_command());
  program.add(eval_command());
  program.add(plan_command());
  program.add(predict_command());
  program.add(compare_command());
  program.add(run_command());
  program.add(convert_command());
  program.add(verify_command());
  program.add(bench_model_command(), program.add_group("bench", "time and memory; `giza bench model --help`"));
  program.add(profile_command());
  return program.main(argc, argv);
}
