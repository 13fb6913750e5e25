"""What is measured: the cases, the presets and the peers. Standard library only."""
from __future__ import annotations

import dataclasses
import json
import math

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
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3),
          269: (3, 30, 48, 8)}
MALLOC = "+malloc"  # after a peer's name: with the allocator's settings in environment.py
# Left out: max-autotune, which on CPUs has no other convolutions to choose from and takes long to say so.
TRAIN_DEFAULT = ("eager", "eager-cl", "eager-cl+malloc", "compile", "compile-cl+malloc")
INFER_DEFAULT = (*TRAIN_DEFAULT, *ONNX_PEERS)
MODES = {"infer": "inference", "train": "training step"}


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
class Network:
    """A PSPNet and its loss, in the words of giza's configurations. Channels of 0 follow from the rest."""

    name: str
    blocks: tuple[int, ...]
    bottleneck: bool
    classes: int
    width: float = 1
    stem_channels: int = 64
    output_stride: int = 8
    head_channels: int = 0
    aux_channels: int = 0
    bins: tuple[int, ...] = (1, 2, 3, 6)
    dropout: float = 0.1
    aux_weight: float = 0.4
    ignore_label: int = 255
    class_weights: tuple[float, ...] = ()
    description: str = ""  # giza's own, for its files of weights, where tensors do not tell enough

    @staticmethod
    def of_depth(depth: int, classes: int) -> Network:
        return Network(f"PSPNet{depth}", BLOCKS[depth], depth >= 50, classes)

    @staticmethod
    def of_config(file: str, network: dict, loss: dict) -> Network:
        """From what `giza info --config FILE --json` prints. Raises ValueError for options that pspnet.py has not."""
        expected = {"arch": "psp", "stem": "deep", "first_block": "full", "aux": True, "align_corners": True,
                    "pool": "average", "ppm_reduce": True}
        for key, value in expected.items():
            if network.get(key, value) != value:
                raise ValueError(f"{file}: {key} is {network[key]!r}, and the peer has only {value!r}")
        same = ("classes", "width", "stem_channels", "output_stride", "head_channels", "aux_channels", "dropout")
        return Network(file, tuple(network["blocks"]), network["block"] == "bottleneck", bins=tuple(network["bins"]),
                       **{key: network[key] for key in same if key in network},
                       **{**loss, "class_weights": tuple(loss["class_weights"])}, description=json.dumps(network))

    def scaled(self, channels: int) -> int:
        """channels * width, rounded up to a multiple of 8."""
        return max(8, 8 * math.ceil(channels * self.width / 8))


@dataclasses.dataclass(frozen=True)
class Case:
    """A network with its input, for inference or a training step."""

    mode: str
    network: Network
    batch: int
    height: int
    width: int
    giza: tuple[str, ...]  # arguments of giza bench model

    @staticmethod
    def of_depth(mode: str, depth: int, size: int, batch: int, classes: int = 150) -> Case:
        giza = (f"--depth={depth}", f"--size={size}", f"--batch={batch}", f"--classes={classes}")
        return Case(mode, Network.of_depth(depth, classes), batch, size, size, giza)

    @staticmethod
    def of_config(mode: str, file: str, info: dict) -> Case:
        """From what `giza info --config FILE --json` prints: the training step, or one picture of the test crop."""
        batch, height, width, _ = info["steps"][0 if mode == "train" else 1]["input"]
        network = Network.of_config(file, info["network"], info["loss"])
        return Case(mode, network, batch, height, width, ("--config", file))

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> Case:
        fields = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(text).items()}
        network = {key: tuple(v) if isinstance(v, list) else v for key, v in fields.pop("network").items()}
        return Case(network=Network(**network), **fields)

    def of_size(self, height: int, width: int) -> Case:
        """One picture of that size through the same network."""
        return dataclasses.replace(self, mode="infer", batch=1, height=height, width=width)

    def title(self) -> str:
        return (f"{self.network.name} {MODES[self.mode]}, {self.height}x{self.width}, batch {self.batch}, "
                f"{self.network.classes} classes")


def parse(text: str) -> tuple[str, str] | Case:
    """MODE:DEPTH:SIZE:BATCH[:CLASSES] as a case; MODE:FILE.yaml, which giza has to explain, as the pair (MODE, FILE)."""
    mode, _, rest = text.partition(":")
    if mode in MODES and rest.endswith(".yaml"):
        return mode, rest
    numbers = rest.split(":")
    sound = mode in MODES and len(numbers) in (3, 4) and all(n.isdecimal() and int(n) for n in numbers)
    if not sound or int(numbers[0]) not in BLOCKS:
        raise ValueError(f"{text!r} is neither MODE:DEPTH:SIZE:BATCH, such as infer:50:473:1, of depth "
                         f"{tuple(BLOCKS)}, nor MODE:FILE.yaml")
    return Case.of_depth(mode, *(int(number) for number in numbers))


PRESETS = {
    "headline": "PSPNet50 at 473, inference and training",
    "small": "the demo's net and CamVid's, training steps",
    "table": "every depth, size and batch",
}


def preset(name: str, configs: str) -> list[str]:
    """The cases as texts for parse(); `configs` is the folder of giza's configurations.

    Training takes batch 2 and more: batch norm over the 1x1 bin needs two values.
    """
    if name == "headline":
        return ["infer:50:473:1", "train:50:473:2"]
    if name == "small":
        return [f"train:{configs}/scenes/psp.yaml", f"train:{configs}/camvid/psp.yaml"]
    depths, sizes = (18, 50, 101), (97, 241, 473, 713)
    infer = [f"infer:{d}:{s}:{b}" for d in depths for s in sizes for b in ((1, 4) if s <= 473 else (1,))]
    train = [f"train:{d}:{s}:{b}" for d in depths for s in sizes for b in ((2, 8) if s <= 241 else (2,))]
    return infer + train
