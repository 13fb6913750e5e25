#!/usr/bin/env python3
"""giza against PyTorch, ONNX Runtime and OpenVINO on this machine: time and peak memory.

  bench/versus/versus.py --preset headline                      # PSPNet50 at 473: inference and a training step
  bench/versus/versus.py --preset small --steps 20              # the demo's net and CamVid's: training steps
  bench/versus/versus.py --case infer:50:473:1 --peers eager-cl,openvino --rounds 5
  bench/versus/versus.py --preset table --json table.json --markdown

Makes a virtual environment with the peers on first use. Progress goes to stderr, the tables to stdout.
Status: 0 measured; 1 giza's logits are not PyTorch's, or giza failed; 2 bad usage.
"""
from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

import report  # noqa: E402
from cases import ONNX_PEERS, PEERS, PRESETS, Case, allocator_tuned, base, default_peers, label  # noqa: E402
from cases import parse, preset  # noqa: E402
from environment import ALLOCATOR, HERE, ROOT, Outcome, installed, machine, make_venv, python_of, run, say  # noqa: E402

BOUND = 1e-4  # relative L2 of fp32 logits, Winograd included
NEEDS = {"onnxruntime": ("onnxruntime", "onnx", "onnxscript"), "openvino": ("openvino", "onnx", "onnxscript")}


class Versus:
    """One run of the script: its settings, and the record that becomes the JSON file."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.python = args.python or python_of(args.venv)
        self.missing: dict[str, str] = {} if args.python else make_venv(args.venv, args.pip_args)
        args.work.mkdir(parents=True, exist_ok=True)
        self.giza = self.copy_giza()
        threads = str(args.threads)
        self.env = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
                    "TORCHINDUCTOR_CACHE_DIR": str(args.work.resolve() / "inductor")}
        versions = installed(self.python)
        self.unusable = {peer: self.why_not(peer, versions) for peer in PEERS}
        self.record: dict = {
            "machine": machine(), "versions": versions, "giza": self.giza_version(), "checks": [], "cases": [],
            "settings": {"threads": args.threads, "rounds": args.rounds, "steps": args.steps,
                         "giza_args": args.giza_args}}

    def copy_giza(self) -> Path:
        """A copy, so that a build in between does not change what is measured."""
        return Path(shutil.copy2(self.args.giza, self.args.work / "giza")).resolve()

    def giza_version(self) -> str:
        done = subprocess.run([str(self.giza), "--version"], capture_output=True, text=True, check=False)
        commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True,
                                text=True, check=False)
        return f"{done.stdout.strip()} ({commit.stdout.strip() or 'no commit'})"

    def why_not(self, peer: str, versions: dict[str, str]) -> str:
        """Empty if the environment has what the peer needs."""
        lacking = [package for package in ("torch", "numpy", *NEEDS.get(peer, ())) if package not in versions]
        return "; ".join(f"{p} is not installed: {self.missing.get(p, 'not in this environment')}" for p in lacking)

    def worker(self, job: str, folder: Path, *options: str, tuned: bool = False) -> Outcome:
        command = [str(self.python), str(HERE / "worker.py"), job, "--folder", str(folder), *options,
                   "--threads", str(self.args.threads), "--steps", str(self.args.steps)]
        return run(command, self.args.limit, {**self.env, **(ALLOCATOR if tuned else {})})

    def run_giza(self, *options: str) -> Outcome:
        command = [str(self.giza), *options, "--threads", str(self.args.threads), "--quiet"]
        return run(command, self.args.limit, self.env)

    def case_of(self, text: str) -> Case:
        """Of a --case. A configuration is explained by giza itself, so that both sides have the same network."""
        found = parse(text)
        if isinstance(found, Case):
            return found
        mode, file = found
        info = self.run_giza("info", "--config", file, "--json")
        if info.result is None:
            raise SystemExit(f"versus: {file}: {info.reason}")
        try:
            return Case.of_config(mode, file, info.result)
        except ValueError as error:
            raise SystemExit(f"versus: {error}") from error

    # Agreement

    def check(self, of: Case) -> None:
        """Who computes other logits than PyTorch must not be timed: giza ends the run, a peer loses its row."""
        case = of.of_size(self.args.check_size, self.args.check_size)
        with tempfile.TemporaryDirectory(dir=self.args.work) as name:
            folder = Path(name)
            made = self.worker("reference", folder, "--case", case.to_json())
            if made.result is None:
                reason = self.unusable["eager"] or made.reason
                raise SystemExit(f"versus: PyTorch computes no reference, so nothing can be checked: {reason}")
            self.check_giza(case, folder)
            peers = [p for p in self.peers_of(case) if not allocator_tuned(p) and self.is_checked(p)]
            if any(peer in ONNX_PEERS for peer in peers):
                self.worker("export", folder, "--case", case.to_json())  # a failure shows in what reads it
            for peer in peers:
                found = self.worker("check", folder, "--peer", peer, "--case", case.to_json())
                self.judge(peer, case.network.name, found)

    def is_checked(self, peer: str) -> bool:
        """Compiling for one small picture takes a minute, so that only --check-compiled does it."""
        return not self.unusable[peer] and (self.args.check_compiled or not peer.startswith("compile"))

    def check_giza(self, case: Case, folder: Path) -> None:
        output = folder / "giza.npy"
        ran = self.run_giza("run", "--weights", str(folder / "weights.safetensors"), "--input",
                            str(folder / "input.npy"), "--output", str(output), *shlex.split(self.args.giza_run_args))
        if not output.exists():
            raise SystemExit(f"versus: giza run failed on PyTorch's weights: {ran.reason}")
        found = self.worker("compare", folder, "--output", str(output))
        if found.result is None or not found.result["relative_l2"] < BOUND:
            what = found.reason if found.result is None else f"relative L2 {found.result['relative_l2']:.1e}"
            raise SystemExit(f"versus: giza's logits are not PyTorch's for {case.title()}: {what}, allowed {BOUND:.0e}")
        self.note(f"giza, {case.network.name}: relative L2 {found.result['relative_l2']:.1e}")

    def judge(self, peer: str, network: str, found: Outcome) -> None:
        if found.result is None:
            self.unusable[peer] = f"failed the check of {network}: {found.reason}"
        elif not found.result["relative_l2"] < BOUND or found.result["precision"] != "f32":
            self.unusable[peer] = (f"wrong for {network}: relative L2 {found.result['relative_l2']:.1e}, "
                                   f"precision {found.result['precision']}")
        else:
            self.note(f"{PEERS[peer]}, {network}: relative L2 {found.result['relative_l2']:.1e}")

    def note(self, line: str) -> None:
        say(line)
        self.record["checks"].append(line)

    # Measurement

    def peers_of(self, case: Case) -> list[str]:
        chosen = self.args.peers or default_peers(case.mode)
        return [peer for peer in chosen if case.mode == "infer" or base(peer) not in ONNX_PEERS]

    def measure(self, case: Case) -> dict:
        """All rounds of one case. The order rotates, so that nobody always runs after the same other."""
        names = [report.GIZA, *self.peers_of(case)]
        rows = {name: {"label": label(name), "reason": "" if name == report.GIZA else self.unusable[base(name)],
                       "rounds": {}} for name in names}
        entry = {"case": dataclasses.asdict(case), "title": case.title(), "rows": rows}
        self.record["cases"].append(entry)
        with tempfile.TemporaryDirectory(dir=self.args.work) as name:
            folder = Path(name)
            entry["work"] = self.worker("work", folder, "--case", case.to_json()).result
            self.export(case, folder, rows)
            for i in range(self.args.rounds):
                start = i % len(names)
                for program in names[start:] + names[:start]:
                    self.measure_once(case, folder, program, i, rows[program])
                    report.summarize(rows)
                    self.save()
        return entry

    def export(self, case: Case, folder: Path, rows: dict[str, dict]) -> None:
        wanting = [row for name, row in rows.items() if base(name) in ONNX_PEERS and not row["reason"]]
        if wanting:
            made = self.worker("export", folder, "--case", case.to_json())
            for row in wanting:
                row["reason"] = f"no ONNX file: {made.reason}" if made.result is None else ""

    def measure_once(self, case: Case, folder: Path, name: str, i: int, row: dict) -> None:
        """A program that failed once is not tried again: its row says why."""
        if row["reason"]:
            return
        if name == report.GIZA:
            found = self.run_giza("bench", "model", *case.giza, f"--mode={case.mode}", "--json",
                                  f"--runs={self.args.steps}", *shlex.split(self.args.giza_args))
        else:
            found = self.worker("measure", folder, "--peer", base(name), "--case", case.to_json(),
                                tuned=allocator_tuned(name))
        if found.result is None:
            row["reason"] = found.reason
        elif found.result.get("precision", "f32") != "f32":
            row["reason"] = f"ran in {found.result['precision']}, so its time says nothing about fp32"
        else:
            row["rounds"][i] = found.result
        what = row["reason"] or f"{found.result['median_s']:.3f} s, {found.result['peak_rss_gb']:.2f} GB"
        say(f"{case.title()}, round {i + 1} of {self.args.rounds}, {row['label']}: {what}")

    def save(self) -> None:
        """After each measurement: a long run that is stopped keeps what it has."""
        if self.args.json:
            self.args.json.write_text(json.dumps(self.record, indent=1) + "\n", encoding="utf-8")


def is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def show(entry: dict, markdown: bool) -> None:
    work = entry["work"]
    title = entry["title"] + (f" ({work['parameters'] / 1e6:.1f} M parameters, {work['gmac']:.1f} GMAC forward)"
                              if work else "")
    print(f"\n### {title}\n" if markdown else f"\n{title}\n")
    print(report.table(entry["rows"], markdown))
    for line in report.conclusions(entry["rows"]):
        print(f"\n{line}" if markdown else line)
    sys.stdout.flush()


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--case", type=parse_case, action="append", default=[], metavar="CASE",
        help="MODE:DEPTH:SIZE:BATCH[:CLASSES], such as infer:50:473:1 or train:50:473:2, 150 classes; or "
        "MODE:FILE.yaml, the network and sizes of a configuration of giza; repeatable")
    add("--preset", choices=tuple(PRESETS), help="; ".join(f"{name}: {text}" for name, text in PRESETS.items()))
    add("--peers", type=parse_peers, metavar="A,B", help="of " + ", ".join(PEERS) + "; +malloc after a name keeps the "
        "heap and asks for huge pages")
    add("--rounds", type=int, default=3)
    add("--steps", type=int, default=3, help="timed steps of each process (default 3)")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of every program (default: all processors)")
    add("--limit", type=float, default=1800, metavar="SECONDS", help="of one process (default 1800)")
    add("--giza", type=Path, default=ROOT / "build/release/giza", metavar="PATH")
    add("--giza-args", default="", metavar="'...'", help="added to giza bench model")
    add("--giza-run-args", default="", metavar="'...'", help="added to giza run in the agreement check")
    add("--venv", type=Path, default=ROOT / "build/versus-venv", help="made where it is not there")
    add("--python", type=Path, help="of an existing environment, in place of --venv")
    add("--pip-args", default="", metavar="'...'", help="added to pip install, such as an index of CPU builds")
    add("--work", type=Path, default=ROOT / "build/versus", help="folder for exported networks and compiled kernels")
    add("--check-size", type=int, default=97, help="side of the picture of the agreement check")
    add("--check-compiled", action="store_true", help="check torch.compile's logits too")
    add("--json", type=Path, metavar="FILE", help="all figures")
    add("--markdown", action="store_true", help="tables as Markdown")
    args = parser.parse_args()
    args.case += preset(args.preset, os.path.relpath(ROOT / "configs")) if args.preset else []
    if not args.case:
        parser.error("name a --case or a --preset")
    if min(args.rounds, args.steps, args.threads) < 1:
        parser.error("--rounds, --steps and --threads are at least 1")
    check_files(args, parser)
    return args


def parse_case(text: str) -> str:
    try:
        parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def parse_peers(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if base(name) not in PEERS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PEERS)}")
    return names


def check_files(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """What would end the run later, after packages are installed and things measured."""
    if not is_program(args.giza):
        parser.error(f"{args.giza}: not a program; build giza (cmake --preset release && cmake --build --preset "
                     "release) or name one with --giza")
    if args.python and not is_program(args.python):
        parser.error(f"--python {args.python}: not a program")
    if args.json and not args.json.resolve().parent.is_dir():
        parser.error(f"--json {args.json}: there is no folder {args.json.resolve().parent}")
    for text in args.case:
        found = parse(text)
        if not isinstance(found, Case) and not Path(found[1]).is_file():
            parser.error(f"--case {text}: there is no file {found[1]}")


def main() -> int:
    args = parse_args()
    versus = Versus(args)
    cases = [versus.case_of(text) for text in args.case]
    for case in {case.network: case for case in cases}.values():
        versus.check(case)
    print(report.header(versus.record), flush=True)
    entries = []
    for case in cases:
        entries.append(versus.measure(case))
        show(entries[-1], args.markdown)
    return 1 if any(entry["rows"][report.GIZA]["reason"] for entry in entries) else 0


if __name__ == "__main__":
    sys.exit(main())
