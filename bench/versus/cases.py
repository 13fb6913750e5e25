"""What is measured: the cases, the presets and the peers. Standard library only."""
from __future__ import annotations

import dataclasses

PEERS = {
    "eager": "PyTorch eager, plain (NCHW)",
    "eager-cl": "PyTorch eager, channels_last",
    "compile": "torch.compile, plain",
    "compile-cl": "torch.compile, channels_last",
    "compile-autotune-cl": "torch.compile max-autotune, channels_last",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
}
ONNX_PEERS = ("onnxruntime", "openvino")
DEPTHS = (18, 34, 50, 101, 152, 269)
MALLOC = "+malloc"  # after a peer's name: with the allocator's settings in environment.py
# Left out: max-autotune, which on CPUs has no other convolutions to choose from and takes long to say so.
TRAIN_DEFAULT = ("eager", "eager-cl", "eager-cl+malloc", "compile", "compile-cl+malloc")
INFER_DEFAULT = (*TRAIN_DEFAULT, *ONNX_PEERS)


def base(name: str) -> str:
    """The peer without its allocator's settings."""
    return name.removesuffix(MALLOC)


def allocator_tuned(name: str) -> bool:
    return name.endswith(MALLOC)


def label(name: str) -> str:
    return PEERS.get(base(name), name) + (", tuned malloc" if allocator_tuned(name) else "")


def default_peers(mode: str) -> tuple[str, ...]:
    return INFER_DEFAULT if mode == "infer" else TRAIN_DEFAULT


@dataclasses.dataclass(frozen=True)
class Case:
    """One network, size and batch, for inference or a training step."""

    mode: str
    depth: int
    size: int
    batch: int
    classes: int = 150

    @staticmethod
    def parse(text: str) -> Case:
        """mode:depth:size:batch[:classes]"""
        mode, *numbers = text.split(":")
        sound = mode in ("infer", "train") and len(numbers) in (3, 4) and all(n.isdecimal() and int(n) for n in numbers)
        if not sound or int(numbers[0]) not in DEPTHS:
            raise ValueError(f"{text!r} is not MODE:DEPTH:SIZE:BATCH, such as infer:50:473:1, of depth {DEPTHS}")
        return Case(mode, *(int(number) for number in numbers))

    def __str__(self) -> str:
        return f"{self.mode}:{self.depth}:{self.size}:{self.batch}:{self.classes}"

    def title(self) -> str:
        what = "training step" if self.mode == "train" else "inference"
        return f"PSPNet{self.depth} {what}, {self.size}x{self.size}, batch {self.batch}, {self.classes} classes"


def preset(name: str) -> list[Case]:
    """Training takes batch 2 and more: batch norm over the 1x1 bin needs two values."""
    if name == "headline":
        return [Case("infer", 50, 473, 1), Case("train", 50, 473, 2)]
    depths, sizes = (18, 50, 101), (97, 241, 473, 713)
    infer = [Case("infer", d, s, b) for d in depths for s in sizes for b in ((1, 4) if s <= 473 else (1,))]
    train = [Case("train", d, s, b) for d in depths for s in sizes for b in ((2, 8) if s <= 241 else (2,))]
    return infer + train
