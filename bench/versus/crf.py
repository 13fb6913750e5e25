#!/usr/bin/env python3
"""giza's fully connected CRF against pydensecrf2 on this machine: the same Q, and the time for it.

  bench/versus/crf.py                                            # made-up pictures of 97x193 and 360x480
  bench/versus/crf.py --picture street.png --classes 11 --rounds 9
  bench/versus/crf.py --callgrind                                # instructions, for machines that are not idle

Needs build/release/bench/giza_dense_crf, and NumPy, Pillow and pydensecrf2 1.1 in this Python. Both get the same picture,
the same probabilities and DeepLab's parameters for ResNet101, and take turns: a round times giza with one thread,
pydensecrf (which has only one), and giza with all. Times are of the whole CRF, filters included, after one run to warm
up; seconds of the processor too, because a busy machine stretches the others.
Status: 0 measured; 1 giza's Q is not pydensecrf's; 2 bad usage.
"""
from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent.parent
# Relative L2 of Q. Single numbers may differ by 1e-4: where two classes are about even, ten iterations enlarge the
# rounding errors of floats, in either program.
BOUND = 1e-5
SETTINGS = (10, 4, 67, 3, 3, 1)  # iterations, bilateral weight, xy, rgb, Gaussian weight, xy


def pydensecrf_q(picture: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """As its users call it."""
    import pydensecrf.densecrf as dcrf
    from pydensecrf.utils import unary_from_softmax
    classes, height, width = probabilities.shape
    iterations, w1, xy1, rgb, w2, xy2 = SETTINGS
    crf = dcrf.DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(np.ascontiguousarray(unary_from_softmax(probabilities)))
    crf.addPairwiseBilateral(sxy=xy1, srgb=rgb, rgbim=picture, compat=w1)
    crf.addPairwiseGaussian(sxy=xy2, compat=w2)
    return np.array(crf.inference(iterations)).reshape(probabilities.shape)


def made_up_picture(height: int, width: int) -> np.ndarray:
    """Regions of one colour with noise, about as smooth as a photograph."""
    random = np.random.default_rng(0)
    seeds = random.integers(0, (height, width), (24, 2))
    y, x = np.mgrid[:height, :width]
    region = np.argmin([(y - sy) ** 2 + (x - sx) ** 2 for sy, sx in seeds], axis=0)
    colors = random.integers(20, 220, (24, 3))
    shade = (12 * np.sin(x / 23) + 12 * np.cos(y / 17))[..., None]
    return np.clip(colors[region] + shade + random.normal(0, 2, (height, width, 3)), 0, 255).astype(np.uint8)


def made_up_probabilities(picture: np.ndarray, classes: int) -> np.ndarray:
    """Of a network that goes by colour and place, and is not sure."""
    random = np.random.default_rng(1)
    height, width, _ = picture.shape
    coarse = random.normal(0, 1, (classes, (height + 15) // 16, (width + 15) // 16))
    scores = np.kron(coarse, np.ones((16, 16)))[:, :height, :width] * 1.5
    scores = scores + np.einsum("ck,hwk->chw", random.normal(0, 1, (classes, 3)), picture / 64.0)
    scores -= scores.max(0)
    return (np.exp(scores) / np.exp(scores).sum(0)).astype(np.float32)


class Pair:
    """One picture and its probabilities in a folder, to be run by either."""

    def __init__(self, folder: str, picture: np.ndarray, probabilities: np.ndarray, giza: str) -> None:
        self.folder, self.picture, self.probabilities, self.giza = folder, picture, probabilities, giza
        Image.fromarray(picture).save(f"{folder}/picture.png")
        np.save(f"{folder}/p.npy", probabilities[None])

    def giza_command(self, threads: int, runs: int) -> list[str]:
        settings = [*map(str, SETTINGS), "symmetric", "lattice"]
        return [self.giza, f"{self.folder}/picture.png", f"{self.folder}/p.npy", f"{self.folder}/q.npy", str(threads),
                str(runs), *settings]

    def time_giza(self, threads: int) -> dict:
        done = subprocess.run(self.giza_command(threads, 3), capture_output=True, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    def time_pydensecrf(self) -> dict:
        pydensecrf_q(self.picture, self.probabilities)
        wall, cpu = time.perf_counter(), time.process_time()
        pydensecrf_q(self.picture, self.probabilities)
        return {"best_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}

    def check(self) -> tuple[float, float]:
        """Relative L2, and the largest difference of a number."""
        self.time_giza(1)
        expected = pydensecrf_q(self.picture, self.probabilities)
        difference = np.load(f"{self.folder}/q.npy")[0] - expected
        return float(np.linalg.norm(difference) / np.linalg.norm(expected)), float(np.abs(difference).max())

    def instructions(self, command: list[str], name: str) -> int:
        out = f"{self.folder}/{name}.callgrind"
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *command],
                              capture_output=True, text=True, check=True)
        return int(re.search(r"Collected : (\d+)", done.stderr)[1])

    def count(self) -> tuple[int, int]:
        """Instructions of giza and of pydensecrf: of two runs less those of one, so that starting does not count."""
        # valgrind knows no AVX-512, so giza counts on AVX2.
        giza = [self.instructions([*self.giza_command(1, runs), "AVX2"], f"giza{runs}") for runs in (1, 2)]
        peer = [self.instructions([sys.executable, __file__, "--peer-runs", str(runs), "--folder", self.folder],
                                  f"peer{runs}") for runs in (1, 2)]
        return giza[1] - giza[0], peer[1] - peer[0]


def run_peer(folder: str, runs: int) -> None:
    picture, probabilities = np.array(Image.open(f"{folder}/picture.png")), np.load(f"{folder}/p.npy")[0]
    for _ in range(runs):
        pydensecrf_q(picture, probabilities)


def compare(title: str, pair: Pair, args: argparse.Namespace) -> bool:
    relative, largest = pair.check()
    print(f"{title}: Q differs by {relative:.1e} (relative L2), a number by {largest:.1e} at most", flush=True)
    if not relative < BOUND:
        return False
    if args.callgrind:
        giza, peer = pair.count()
        print(f"  instructions: giza {giza / 1e6:.0f} M (AVX2), pydensecrf {peer / 1e6:.0f} M: {peer / giza:.2f} times")
        return True
    rounds = []
    for index in range(args.rounds):
        turns = [("one", lambda: pair.time_giza(1)), ("peer", pair.time_pydensecrf),
                 ("all", lambda: pair.time_giza(args.threads))]
        rounds.append({name: work() for name, work in turns[index % 3:] + turns[:index % 3]})
    for name, what in (("one", "1 thread"), ("all", f"{args.threads} threads")):
        ratios = [r["peer"]["best_s"] / r[name]["best_s"] for r in rounds]
        print(f"  giza, {what}: {1e3 * statistics.median(r[name]['best_s'] for r in rounds):.0f} ms, pydensecrf "
              f"{1e3 * statistics.median(r['peer']['best_s'] for r in rounds):.0f} ms: "
              f"{statistics.median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})")
    ratios = [r["peer"]["cpu_s"] / r["one"]["cpu_s"] for r in rounds]
    print(f"  processor time, 1 thread: {statistics.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--giza", default=str(ROOT / "build/release/bench/giza_dense_crf"))
    parser.add_argument("--picture", type=Path, help="a picture in place of made-up ones")
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--callgrind", action="store_true", help="count instructions, with valgrind")
    parser.add_argument("--peer-runs", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer_runs:
        run_peer(args.folder, args.peer_runs)
        return 0
    if not os.access(args.giza, os.X_OK):
        parser.error(f"{args.giza}: not a program; build giza_dense_crf or name it with --giza")
    if args.picture:
        pictures = {str(args.picture): np.array(Image.open(args.picture).convert("RGB"))}
    else:
        pictures = {f"{h}x{w}, {args.classes} classes": made_up_picture(h, w) for h, w in ((97, 193), (360, 480))}
    good = True
    for title, picture in pictures.items():
        with tempfile.TemporaryDirectory() as folder:
            pair = Pair(folder, picture, made_up_probabilities(picture, args.classes), args.giza)
            good = compare(title, pair, args) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
