# What the scripts share: the project's root, a cmake that is new enough, and printing. Sourced, not run.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly root
readonly cmake_needed=3.25

say() { printf '%s\n' "$*"; }
fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# duration SECONDS: "7 s" or "2 min 05 s"
duration() {
  if (($1 < 60)); then
    printf '%d s' "$1"
  else
    printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
  fi
}

# step TITLE COMMAND...: runs the command under a heading and says how long it took. Stops the script if it fails.
step() {
  local title=$1 start=$SECONDS status=0
  shift
  printf '\n== %s\n' "$title"
  "$@" || status=$?
  if ((status != 0)); then
    printf '%s: "%s" failed with status %d after %s\n' "$(basename "$0")" "$title" "$status" \
      "$(duration $((SECONDS - start)))" >&2
    exit "$status"
  fi
  printf '   %s: %s\n' "$title" "$(duration $((SECONDS - start)))"
}

# find_cmake: prints the first cmake of at least $cmake_needed: $CMAKE, those on the PATH, /usr/bin/cmake. Fails if none.
find_cmake() {
  local candidate version
  while IFS= read -r candidate; do
    [[ -n $candidate ]] || continue
    version=$("$candidate" --version 2>/dev/null | sed -n '1s/^cmake version \([0-9.]*\).*/\1/p') || continue
    [[ -n $version ]] || continue
    if [[ $(printf '%s\n' "$cmake_needed" "$version" | sort -V | head -n 1) == "$cmake_needed" ]]; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done < <(
    printf '%s\n' "${CMAKE:-}"
    type -aP cmake || true
    printf '%s\n' /usr/bin/cmake
  )
  return 1
}

# build TARGET OPTION...: configures build/$preset (release, unless the script says otherwise) with the options and builds
# the target.
preset=release
build() {
  local target=$1 cmake
  shift
  cmake=$(find_cmake) || fail "no cmake $cmake_needed or later found; scripts/install-deps installs one"
  cd "$root"
  "$cmake" --preset "$preset" "$@"
  "$cmake" --build "build/$preset" --target "$target"
}
