#!/usr/bin/env python3
"""Times two ranks of one thread each beside one process of two threads, on one machine of at least two cores.

    bench/plan/beside_threads.py --giza build/release/giza [--pairs 5] [KEY VALUE ...]

KEY VALUE change the configuration: PSPNet18 at 193x193, batch 12, 24 iterations. A pair is one training of each kind; the
kinds take turns at being first. Seconds are an iteration's, the median of a training without its first three; the two
checkpoints of a pair have to be equal. Prints Markdown. Needs Open MPI and Python's own library only.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

from ranks import make_data, seconds_of_an_iteration

KINDS = {"ranks": (["mpirun", "-q", "-n", "2", "--bind-to", "none"], 1), "threads": ([], 2)}


def train(giza, kind, folder, keys):
    """-> seconds of an iteration, and the checkpoint's bytes"""
    shutil.rmtree(f"{folder}/run", ignore_errors=True)
    launcher, threads = KINDS[kind]
    subprocess.run([*launcher, giza, "train", "--quiet", "--threads", str(threads), "--config", f"{folder}/config.yaml", *keys],
                   check=True, stdout=subprocess.DEVNULL)
    with open(f"{folder}/run/last.safetensors", "rb") as file:
        return seconds_of_an_iteration(folder), file.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--giza", required=True, type=os.path.abspath)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("keys", nargs="*")
    options, rest = parser.parse_known_args()
    keys = ["TRAIN.batch_size", "12", *options.keys, *rest]
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    speeds = []
    print("| two ranks: s | two threads: s | speed of the ranks |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        make_data(options.giza, folder, keys)
        for pair in range(options.pairs):
            order = list(KINDS) if pair % 2 == 0 else list(KINDS)[::-1]
            done = {kind: train(options.giza, kind, folder, keys) for kind in order}
            if done["ranks"][1] != done["threads"][1]:
                sys.exit("the checkpoints differ")
            ranks, threads = done["ranks"][0], done["threads"][0]
            speeds.append(threads / ranks)
            print(f"| {ranks:.3f} | {threads:.3f} | {speeds[-1]:.3f} |", flush=True)
    print(f"\nmedian {statistics.median(speeds):.3f}; the checkpoints of every pair are equal")


if __name__ == "__main__":
    main()
