#!/usr/bin/env python3
"""Holds what `giza profile --cores N` computes against the clock, on a machine of at least two cores.

    bench/profile/many_cores.py --giza build/release/giza [--rounds 5] [GIZA PROFILE'S FLAGS, such as --depth 18 --size 97]

A round profiles the same steps on one thread, on two, and on four; the order turns from round to round. Of one thread's
tasks the time on two cores is computed, and of two threads' tasks that on one. Four threads on two cores should take what
two do. Prints Markdown: medians over the rounds. Needs Python's own library only.
"""
import argparse
import json
import os
import statistics
import subprocess

COMPUTED = {1: 2, 2: 1, 4: 2}  # threads that ran: cores computed


def profile(giza, threads, flags):
    done = subprocess.run([giza, "profile", "--quiet", "--json", "--threads", str(threads),
                           "--cores", str(COMPUTED[threads]), *flags], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--giza", required=True, type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=5)
    options, flags = parser.parse_known_args()
    measured = {threads: [] for threads in COMPUTED}
    own = {threads: [] for threads in COMPUTED}
    other = {threads: [] for threads in COMPUTED}
    for index in range(options.rounds):
        for turn in range(3):
            threads = list(COMPUTED)[(index + turn) % 3]
            result = profile(options.giza, threads, flags)
            measured[threads].append(result["step_s"])
            own[threads].append(result["here"]["cores_s"])
            other[threads].append(result["many_cores"]["cores_s"])
    middle = {name: {threads: statistics.median(values) for threads, values in table.items()}
              for name, table in {"measured": measured, "own": own, "other": other}.items()}
    print("| threads that ran | s a step, by the clock | computed for them | computed for | s | by the clock there | error |")
    print("|---|---|---|---|---|---|---|")
    for threads, cores in COMPUTED.items():
        clock, computed = middle["measured"][threads], middle["own"][threads]
        elsewhere, there = middle["other"][threads], middle["measured"][cores]
        print(f"| {threads} | {clock:.4f} | {computed:.4f} ({100 * (computed / clock - 1):+.1f} %) | {cores} cores "
              f"| {elsewhere:.4f} | {there:.4f} | {100 * (elsewhere / there - 1):+.1f} % |")


if __name__ == "__main__":
    main()
