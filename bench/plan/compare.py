#!/usr/bin/env python3
"""Holds `giza plan` against real runs: peak memory and seconds of training and testing.

    bench/plan/compare.py --giza build/giza [--rounds 3] [--case NAME ...] [--memory-only]

For each case a few pictures are made (`giza scenes`), the plan is asked, and `giza train` and `giza eval` run for a few
iterations and pictures; rounds alternate both, and medians are compared, since other programs on the machine move times
by more than the plan is off. Prints a table in Markdown. Needs Python's own library only.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

# name: (pictures' size, overrides of the configuration, iterations[, pictures to test[, a configuration of the project's])
CASES = {
    "psp18-97-b2": ("120x160", {"TRAIN.layers": 18, "TRAIN.train_h": 97, "TRAIN.train_w": 97,
                                "TEST.test_h": 97, "TEST.test_w": 97, "TEST.base_size": 160}, 24, 32),
    "psp50-241-b2": ("260x300", {"TRAIN.train_h": 241, "TRAIN.train_w": 241, "TEST.test_h": 241, "TEST.test_w": 241,
                                 "TEST.base_size": 300}, 4),
    "psp50-241-b2-recompute": ("260x300", {"TRAIN.train_h": 241, "TRAIN.train_w": 241, "TEST.test_h": 241,
                                           "TEST.test_w": 241, "TEST.base_size": 300, "TRAIN.recompute": "true"}, 4),
    "psp50-473-b2": ("480x640", {}, 3),
    "psp50-473-b4": ("480x640", {"TRAIN.batch_size": 4}, 2),
    "scenes": ("97x193", {}, 24, 48, "configs/scenes/psp.yaml"),
    "camvid": (None, {"TRAIN.evaluate": "false"}, 46, 24, "configs/camvid/psp.yaml"),
    "psp50-713-b2": ("720x960", {"TRAIN.train_h": 713, "TRAIN.train_w": 713, "TEST.test_h": 713, "TEST.test_w": 713,
                                 "TEST.base_size": 960}, 2),
}
CONFIG = """
DATA: {{data_root: {dir}, train_list: {dir}/train.txt, val_list: {dir}/val.txt, classes: 150}}
TRAIN: {{layers: 50, train_h: 473, train_w: 473, batch_size: 2, epochs: 1, print_freq: 1, save_freq: 1,
  save_path: {dir}/run, tensorboard: false, cache_mb: 64}}
TEST: {{test_list: {dir}/val.txt, base_size: 640, test_h: 473, test_w: 473, scales: [1.0], mirror: true,
  model_path: {dir}/run/last.safetensors, save_folder: {dir}/results}}
"""


def run(arguments):
    """-> stdout, seconds, peak resident bytes"""
    start = time.monotonic()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(arguments, stdout=out, stderr=subprocess.PIPE)
        message = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            sys.exit(f"{' '.join(arguments)}: {message.decode()}")
        out.seek(0)
        return out.read().decode(), time.monotonic() - start, usage.ru_maxrss * 1024


def one_round(giza, path, folder, overrides, pictures, memory_only):
    figures = {}
    config = ["--config", path, "--quiet"]
    flags = [str(x) for pair in overrides.items() for x in pair]
    plan = json.loads(run([giza, "plan", *config, "--json", *(["--quick"] if memory_only else []), *flags,
                           "TEST.index_step", str(pictures)])[0])
    subprocess.run(["rm", "-rf", f"{folder}/run", f"{folder}/results"], check=True)
    _, _, peak = run([giza, "train", *config, *flags])
    lines = [json.loads(line) for line in open(f"{folder}/run/log.jsonl", encoding="utf-8")]
    marks = [line["seconds"] for line in lines if line["type"] == "train"]
    steps = [b - a for a, b in zip(marks, marks[1:])]  # the first meets fresh pages
    figures["train GB"] = (plan["train"]["memory"]["peak_gb"], peak / 1e9)
    figures["train s"] = (plan["train"]["iteration_s"], statistics.median(steps))
    # Pictures beyond the first few: those meet fresh pages, and weights are transformed once.
    first = json.loads(run([giza, "eval", *config, "--json", *flags, "TEST.index_step", str(pictures // 4)])[0])
    out, _, peak = run([giza, "eval", *config, "--json", *flags, "TEST.index_step", str(pictures)])
    result = json.loads(out)
    figures["test GB"] = (plan["test"]["memory"]["peak_gb"], peak / 1e9)
    figures["test s"] = (plan["test"]["network_s"] + (plan["test"]["files_s"] or 0),
                         (result["seconds"] - first["seconds"]) / (result["images"] - first["images"]))
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--giza", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--camvid", help="folder of the CamVid data set, for the case of that name")
    parser.add_argument("--memory-only", action="store_true", help="no measuring of kernels; times mean nothing then")
    options = parser.parse_args()
    print("| case | figure | predicted | measured | deviation |\n|---|---|---|---|---|", flush=True)
    for name in options.case or CASES:
        size, overrides, iterations, *more = CASES[name]
        pictures, given = (more + [8, None][len(more):])[:2]
        if size is None and not options.camvid:
            continue
        with tempfile.TemporaryDirectory() as folder:
            overrides = dict(overrides)
            batch = overrides.get("TRAIN.batch_size", 8 if given else 2)
            data = options.camvid
            if size is not None:
                data = folder
                run([options.giza, "scenes", "--out", folder, "--train", str(batch * iterations), "--val", str(pictures),
                     "--size", size])
            if given:
                path = os.path.join(os.path.dirname(__file__), "..", "..", given)
                overrides.update({"DATA.data_root": data, "TRAIN.epochs": 1, "TRAIN.print_freq": 1,
                                  "TRAIN.save_path": f"{folder}/run",
                                  "TEST.model_path": f"{folder}/run/last.safetensors",
                                  "TEST.save_folder": f"{folder}/results"})
            else:
                path = f"{folder}/config.yaml"
                with open(path, "w", encoding="utf-8") as file:
                    file.write(CONFIG.format(dir=folder))
            rounds = [one_round(options.giza, path, folder, overrides, pictures, options.memory_only)
                      for _ in range(options.rounds)]
        for figure in rounds[0]:
            if options.memory_only and figure.endswith(" s"):
                continue
            predicted = statistics.median(r[figure][0] for r in rounds)
            measured = statistics.median(r[figure][1] for r in rounds)
            spread = "" if figure.endswith("GB") else " (" + "-".join(
                f"{f(r[figure][1] for r in rounds):.3g}" for f in (min, max)) + ")"
            print(f"| {name} | {figure} | {predicted:.3g} | {measured:.3g}{spread} | "
                  f"{(predicted / measured - 1) * 100:+.1f} % |", flush=True)


if __name__ == "__main__":
    main()
