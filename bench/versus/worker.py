"""One job in a process of its own, run by versus.py with the peers' Python; prints one JSON line last.

  worker.py measure   --peer NAME --case CASE      seconds of a step and peak memory
  worker.py check     --peer NAME --case CASE      the peer's distance from the reference logits
  worker.py reference --case CASE                  the reference: weights, input and eager PyTorch's logits
  worker.py compare   --output FILE                the distance of some other program's logits
  worker.py export    --case CASE                  the network as ONNX
  worker.py work      --case CASE                  parameters and multiply-adds
Files are read from and written to --folder.
"""
from __future__ import annotations

import argparse
import contextlib
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cases import ONNX_PEERS, Case


def make_step(peer: str, case: Case, x: np.ndarray, folder: Path, threads: int,
              weights: Path | None) -> tuple[Callable[[], np.ndarray | None], str]:
    """Imports no more than the peer needs: the memory of the process is part of the result."""
    if peer in ONNX_PEERS:
        import onnx_peers

        if peer == "openvino":
            return onnx_peers.openvino_step(folder / "model.onnx", x, threads)
        shape = (case.batch, case.network.classes, case.height, case.width)
        return onnx_peers.onnxruntime_step(folder / "model.onnx", x, shape, threads)
    import torch_peers

    if case.mode == "train":
        return torch_peers.train_step(peer, case, x, threads)
    return torch_peers.infer_step(peer, case, x, weights, threads)


def peak_rss_gb() -> float:
    """Of this process alone, compile workers excluded; in units of 10^6 KiB, as `giza bench model` prints it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def forget_peak() -> None:
    """Lets the kernel start its high-water mark anew; where it cannot, the steady peak is the whole one."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_since_gb() -> float:
    """The high-water mark since forget_peak()."""
    line = next(line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e6


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Warms up (twice where the first step compiles or plans), then times the steps."""
    case = args.case
    x = np.random.default_rng(0).standard_normal((case.batch, 3, case.height, case.width), dtype=np.float32)
    start = time.perf_counter()
    step, precision = make_step(args.peer, case, x, args.folder, args.threads, None)
    for _ in range(1 if case.mode == "train" and args.peer.startswith("eager") else 2):
        step()
    setup = time.perf_counter() - start
    peak = peak_rss_gb()
    forget_peak()
    seconds = []
    for _ in range(args.steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    steady = peak_since_gb()
    return {"median_s": statistics.median(seconds), "best_s": min(seconds), "peak_rss_gb": max(peak, steady),
            "steady_rss_gb": steady, "setup_s": setup, "precision": precision}


def distance(logits: np.ndarray, reference: np.ndarray) -> float:
    """Relative L2, in double."""
    if logits.shape != reference.shape:
        raise SystemExit(f"logits have shape {logits.shape}, expected {reference.shape}")
    wanted = reference.astype(np.float64)
    return float(np.linalg.norm(logits - wanted) / np.linalg.norm(wanted))


def check(args: argparse.Namespace) -> dict[str, object]:
    x = np.load(args.folder / "input.npy")
    step, precision = make_step(args.peer, args.case, x, args.folder, args.threads, args.folder / "weights.pt")
    return {"relative_l2": distance(step(), np.load(args.folder / "logits.npy")), "precision": precision}


def compare(args: argparse.Namespace) -> dict[str, object]:
    return {"relative_l2": distance(np.load(args.output), np.load(args.folder / "logits.npy"))}


def reference(args: argparse.Namespace) -> dict[str, object]:
    import torch_peers

    torch_peers.write_reference(args.case, args.folder)
    return {}


def export(args: argparse.Namespace) -> dict[str, object]:
    """Of the reference's weights where the folder has them, else of random ones."""
    import torch_peers

    weights = args.folder / "weights.pt"
    torch_peers.export_onnx(args.case, weights if weights.exists() else None, args.folder / "model.onnx")
    return {}


def work(args: argparse.Namespace) -> dict[str, object]:
    import pspnet

    return dict(pspnet.count_work(args.case))


def main() -> None:
    jobs = {job.__name__: job for job in (measure, check, compare, reference, export, work)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=jobs)
    parser.add_argument("--peer")
    parser.add_argument("--case", type=Case.from_json)
    parser.add_argument("--folder", type=Path, default=Path("."))
    parser.add_argument("--output", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3)
    args = parser.parse_args()
    print(json.dumps(jobs[args.job](args)))


if __name__ == "__main__":
    main()
