// giza: one program, one subcommand per job.
#include "cli/command.h"

int main(int argc, char** argv) {
  giza::cli::Program program;
  giza::cli::add_info(program);
  giza::cli::add_scenes(program);
  giza::cli::add_check(program);
  giza::cli::add_train(program);
  giza::cli::add_eval(program);
  giza::cli::add_plan(program);
  giza::cli::add_predict(program);
  giza::cli::add_compare(program);
  giza::cli::add_run(program);
  giza::cli::add_convert(program);
  giza::cli::add_verify(program);
  giza::cli::add_bench(program);
  giza::cli::add_profile(program);
  return program.main(argc, argv);
}
