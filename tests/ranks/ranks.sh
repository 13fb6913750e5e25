# What the tests of several ranks share. Sourced, not run: GIZA is the program, and the work is done in a folder of its own.
# shellcheck shell=bash
set -euo pipefail

giza=$(realpath "$1")
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
skip() {
  printf 'skipped: %s\n' "$*"
  exit 77
}
"$giza" info --json --no-peak 2>/dev/null | grep -q '"mpi":true' || skip "giza was built without MPI"
command -v mpirun >/dev/null || skip "there is no mpirun"
mpirun --version 2>/dev/null | grep -q 'Open MPI' || skip "mpirun is not Open MPI's, whose flags these tests know"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
work=$(mktemp -d)
trap '[[ -n ${KEEP:-} ]] || rm -rf "$work"' EXIT
cd "$work"
"$giza" scenes --quiet --out scenes --train 24 --val 7 --size 49x65 --seed 1 >/dev/null

failures=0
complain() {
  printf 'FAILED: %s\n' "$*"
  [[ -z ${ABORT:-} ]] || exit 1
  failures=$((failures + 1))
}
finish() {
  ((failures == 0)) || exit 1
  printf 'passed\n'
}

# start N COMMAND...: the command at N ranks, more than there are processors if need be.
start() { mpirun -q --oversubscribe --bind-to none -n "$1" "${@:2}"; }

# settings FOLDER [KEY VALUE]...: the words of a small training into the folder, a line each; later keys replace these.
settings() {
  local -A keys=([DATA.data_root]=scenes [DATA.train_list]=scenes/train.txt [DATA.val_list]=scenes/val.txt
    [DATA.names_path]=scenes/names.txt [DATA.colors_path]=scenes/colors.txt [TEST.test_list]=scenes/val.txt
    [TRAIN.save_path]=$1 [TRAIN.train_h]=49 [TRAIN.train_w]=65 [TEST.test_h]=49 [TEST.test_w]=65 [TRAIN.epochs]=2
    [TRAIN.save_freq]=1 [TRAIN.tensorboard]=false [TRAIN.print_freq]=2 [TRAIN.width]=0.125)
  shift
  while (($# >= 2)); do
    keys[$1]=$2
    shift 2
  done
  printf '%s\n' --config "$source/configs/scenes/psp.yaml"
  for key in "${!keys[@]}"; do printf '%s\n' "$key" "${keys[$key]}"; done
}

# train N FOLDER [KEY VALUE]...: trains at N ranks, of one thread each or of $threads.
train() {
  local words
  mapfile -t words < <(settings "${@:2}")
  start "$1" "$giza" train --quiet --threads "${threads:-1}" "${words[@]}"
}
# children PID: the processes that it started, in their order. (Not by pgrep, which small systems lack.)
children() { grep -lsE "^PPid:[[:space:]]+$1\$" /proc/[0-9]*/status | cut -d/ -f3 | sort -n || true; }

hash_of() { sha256sum <"$1" | cut -c1-16; }

# same WHAT FILE FILE: both are there and equal.
same() { cmp -s "$2" "$3" || complain "$1: $2 and $3 differ"; }
