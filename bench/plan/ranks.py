#!/usr/bin/env python3
"""Holds `giza plan --ranks --network` against trainings by as many machines, which are network namespaces of this one.

    bench/plan/ranks.py --giza build/giza --link build/tests/ranks/rank_link [--ranks 2] [--rounds 3]
                        [--network 1Gb/s,1ms ...] [KEY VALUE ...]

Each rank has one thread. The network is Linux's own bridge, with its token buckets (tc tbf) for the speed; a packet takes
some 10 us. Where a network is to have a longer latency, or --switch is given, it is a switch of our own
(tests/ranks/link.cc), which takes more of this machine's processors. "none" is as fast as this machine is. As many plans
are made at once as there are ranks, so that their kernels meet the neighbours that the ranks have. KEY VALUE change the
configuration, PSPNet18 at 193x193, batch 4. Rounds alternate the networks; the table has medians. Prints Markdown. Needs
root, Open MPI, iproute2, and Python's own library only.
"""
import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

CONFIG = """
DATA: {{data_root: {dir}, train_list: {dir}/train.txt, val_list: {dir}/val.txt, names_path: {dir}/names.txt, classes: 12}}
TRAIN: {{layers: 18, train_h: 193, train_w: 193, batch_size: 4, epochs: 1, print_freq: 1, save_freq: 1, evaluate: false,
  save_path: {dir}/run, tensorboard: false, workers: 1}}
TEST: {{test_list: {dir}/val.txt, model_path: {dir}/run/last.safetensors}}
"""
ITERATIONS = 24
switch_s = []  # processor time of our own switch, an iteration of each training with it


def make_data(giza, folder, keys):
    """Pictures for ITERATIONS of the batch that the keys ask for, and config.yaml."""
    last = len(keys) - keys[::-1].index("TRAIN.batch_size") if "TRAIN.batch_size" in keys else 0
    batch = int(keys[last]) if last else 4
    subprocess.run([giza, "scenes", "--quiet", "--out", folder, "--train", str(batch * ITERATIONS), "--val", "4",
                    "--size", "200x260"], check=True, stdout=subprocess.DEVNULL)
    with open(f"{folder}/config.yaml", "w", encoding="utf-8") as file:
        file.write(CONFIG.format(dir=folder))


def seconds_of_an_iteration(folder):
    """The median of a training's iterations, without the first three."""
    lines = [json.loads(line) for line in open(f"{folder}/run/log.jsonl", encoding="utf-8")]
    marks = [line["seconds"] for line in lines if line["type"] == "train"]
    return statistics.median([b - a for a, b in zip(marks, marks[1:])][3:])


def bits_and_microseconds(network):
    """"1Gb/s,1ms" -> 1e9, 1000"""
    speed, latency = network.split(",")
    units = {"Mb/s": 1e6, "Gb/s": 1e9, "us": 1, "ms": 1000}
    value = lambda text: next(float(text[:-len(u)]) * f for u, f in units.items() if text.endswith(u))
    return value(speed), value(latency)


def call(*words, space=None):
    subprocess.run([*(["ip", "netns", "exec", space] if space else []), *words], check=True)


@contextlib.contextmanager
def namespaces(names):
    for name in names:
        call("ip", "netns", "add", name)
    try:
        yield
    finally:
        for name in names:
            call("ip", "netns", "del", name)


@contextlib.contextmanager
def own_switch(link, names, bits, microseconds):
    cable = subprocess.Popen([link, str(bits), str(int(microseconds)), "0", *names], stdout=subprocess.PIPE, text=True)
    try:
        if cable.stdout.readline().strip() != "ready":
            sys.exit("there can be no network here")
        for name in names:
            call("ip", "link", "set", "giza0", "mtu", "65000", space=name)  # large packets, so that it carries few
        yield
        with open(f"/proc/{cable.pid}/stat", encoding="ascii") as stat:
            ticks = stat.read().rsplit(")", 1)[1].split()[11:13]
        switch_s.append(sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") / ITERATIONS)
    finally:
        cable.kill()
        cable.wait()


@contextlib.contextmanager
def bridge(names, bits):
    """A bridge in a namespace of its own, and a cable to each of the others, limited at both ends."""
    middle = names[0].rsplit("-", 1)[0] + "-bridge"
    with namespaces([middle]):
        call("ip", "link", "add", "bridge", "type", "bridge", space=middle)
        call("ip", "link", "set", "bridge", "up", space=middle)
        for k, name in enumerate(names):
            call("ip", "link", "add", "giza0", "netns", name, "type", "veth", "peer", "name", f"port{k}", "netns", middle)
            call("ip", "link", "set", f"port{k}", "master", "bridge", "up", space=middle)
            for space, device in ((name, "giza0"), (middle, f"port{k}")) if bits else ():
                call("tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{int(bits)}bit", "burst", "256kb",
                     "latency", "400ms", space=space)
        yield


@contextlib.contextmanager
def machines(options, network):
    """Namespaces with a network between them, while it lasts."""
    names = [f"giza-{os.getpid()}-{k}" for k in range(1, options.ranks + 1)]
    bits, microseconds = (0, 0) if network == "none" else bits_and_microseconds(network)
    own = options.switch or microseconds > 10
    with namespaces(names), own_switch(options.link, names, bits, microseconds) if own else bridge(names, bits):
        for k, name in enumerate(names, 1):
            for words in ("link set lo up", f"addr add 10.78.0.{k}/24 dev giza0", "link set giza0 up"):
                call("ip", *words.split(), space=name)
        yield names


def train(giza, names, folder, keys):
    """-> seconds of an iteration, the median"""
    shell = f"{folder}/remote_shell"  # starts a command on another machine, as ssh does
    with open(shell, "w", encoding="utf-8") as file:
        file.write('#!/bin/bash\nhost=$1; shift\nexec ip netns exec "' + names[0].rsplit("-", 1)[0] +
                   '-${host##*.}" unshare --uts bash -c "hostname host${host##*.}; $*"\n')
    os.chmod(shell, 0o755)
    shutil.rmtree(f"{folder}/run", ignore_errors=True)
    words = ["mpirun", "-q", "--host", ",".join(f"10.78.0.{k}" for k in range(1, len(names) + 1)), "-n", str(len(names)),
             "--bind-to", "none", "--mca", "plm_rsh_agent", shell, "--mca", "btl", "self,tcp",
             "--mca", "btl_tcp_if_include", "giza0", "--mca", "oob_tcp_if_include", "giza0",
             giza, "train", "--quiet", "--threads", "1", "--config", f"{folder}/config.yaml", *keys]
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    done = subprocess.run(["ip", "netns", "exec", names[0], "unshare", "--uts", "bash", "-c", 'hostname host1; "$@"', "_",
                           *words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return seconds_of_an_iteration(folder)


def plan(giza, ranks, folder, keys, network):
    words = [giza, "plan", "--json", "--quiet", "--threads", "1", "--config", f"{folder}/config.yaml", "--ranks", str(ranks),
             "--network", "1000Gb/s,0us" if network == "none" else network, *keys]
    plans = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(ranks)]
    out = [each.communicate()[0] for each in plans]
    return next(row for row in json.loads(out[0])["ranks"]["rows"] if row["ranks"] == ranks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--giza", required=True, type=os.path.abspath)
    parser.add_argument("--link", required=True, type=os.path.abspath)
    parser.add_argument("--switch", action="store_true", help="our own switch for all networks")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--network", nargs="+", default=["none", "10Gb/s,10us", "1Gb/s,10us", "1Gb/s,1ms"])
    parser.add_argument("keys", nargs="*")
    options, rest = parser.parse_known_args()
    keys = options.keys + rest
    with tempfile.TemporaryDirectory() as folder:
        make_data(options.giza, folder, keys)
        measured = {network: [] for network in options.network}
        planned = {network: [] for network in options.network}
        for _ in range(options.rounds):
            for network in options.network:
                with machines(options, network) as names:
                    measured[network].append(train(options.giza, names, folder, keys))
                planned[network].append(plan(options.giza, options.ranks, folder, keys, network))
    print("| network | measured s | from, to | planned s | of it exchanges | deviation |\n|---|---|---|---|---|---|")
    for network in options.network:
        middle = sorted(planned[network], key=lambda p: p["iteration_s"])[len(planned[network]) // 2]
        took = statistics.median(measured[network])
        print(f"| {network} | {took:.3f} | {min(measured[network]):.3f}, {max(measured[network]):.3f} "
              f"| {middle['iteration_s']:.3f} | {middle['iteration_s'] - middle['work_s']:.3f} | {100 * (middle['iteration_s'] / took - 1):+.0f} % |")
    if switch_s:
        print(f"\nour own switch took {statistics.median(switch_s):.3f} s of processor time an iteration")


if __name__ == "__main__":
    main()
