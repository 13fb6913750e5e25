"""PyTorch as a peer: eager and compiled, inference and training, and the way out to ONNX."""
from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pspnet
from cases import Case

Step = Callable[[], np.ndarray | None]


class StaticAveragePool(nn.Module):
    """AdaptiveAvgPool2d with the shapes of one input size written out.

    ONNX has no adaptive pool. Where the bins divide the map this is one AveragePool (473 and 713 pixels), else the
    means of slices, whose cost is small.
    """

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.bins = bins

    def forward(self, x: Tensor) -> Tensor:
        side = x.shape[2]
        if side % self.bins == 0 and x.shape[3] == side:
            return F.avg_pool2d(x, side // self.bins)
        rows = [self.cut(x, 2, i).mean(2, keepdim=True) for i in range(self.bins)]
        return torch.cat([torch.cat([self.cut(row, 3, j).mean(3, keepdim=True) for j in range(self.bins)], 3)
                          for row in rows], 2)

    def cut(self, x: Tensor, axis: int, i: int) -> Tensor:
        """The i-th cell's range, from floor(i n / bins) to ceil((i + 1) n / bins)."""
        n = x.shape[axis]
        start, end = i * n // self.bins, -(-(i + 1) * n // self.bins)
        return x.narrow(axis, start, end - start)


def build(case: Case, weights: Path | None) -> pspnet.PSPNet:
    """The network, of the given weights or random ones."""
    torch.manual_seed(0)
    model = pspnet.PSPNet(case.network)
    if weights is not None:
        model.load_state_dict(torch.load(weights, weights_only=True))
    return model


def settings(peer: str, threads: int) -> None:
    """What holds for the process: threads, strict fp32, and the compiler's inference mode."""
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    if peer.startswith("compile"):
        import torch._inductor.config as inductor

        inductor.freezing = True  # folds batch norms, packs weights; it applies where gradients are off


def precision() -> str:
    """The internal precision of fp32 convolutions and products; anything but ieee would be less than fp32."""
    found = {torch.get_float32_matmul_precision()}
    with contextlib.suppress(AttributeError):
        found |= {torch.backends.mkldnn.conv.fp32_precision, torch.backends.mkldnn.matmul.fp32_precision}
    # "none" is PyTorch's word for not set, which is ieee; "highest" is the older name of the same.
    return "f32" if found <= {"highest", "ieee", "none"} else "/".join(sorted(found))


def compiler(peer: str) -> Callable[..., Callable]:
    """torch.compile as the peer's name says, or no compilation."""
    if not peer.startswith("compile"):
        return lambda function: function
    mode = "max-autotune" if "autotune" in peer else "default"
    return lambda function: torch.compile(function, mode=mode, dynamic=False)


def memory_format(peer: str) -> torch.memory_format:
    return torch.channels_last if peer.endswith("-cl") else torch.contiguous_format


def infer_step(peer: str, case: Case, x: np.ndarray, weights: Path | None, threads: int) -> tuple[Step, str]:
    """One forward pass in inference mode, and the precision it runs in."""
    settings(peer, threads)
    model = build(case, weights).eval().to(memory_format=memory_format(peer))
    pictures = torch.from_numpy(x).to(memory_format=memory_format(peer))
    run = compiler(peer)(model)

    def step() -> np.ndarray:
        with torch.inference_mode():
            return run(pictures).numpy()

    return step, precision()


def train_step(peer: str, case: Case, x: np.ndarray, threads: int) -> tuple[Step, str]:
    """Forward, both losses, backward and SGD with momentum; the loss is compiled with the network."""
    settings(peer, threads)
    model = build(case, None).train().to(memory_format=memory_format(peer))
    pictures = torch.from_numpy(x).to(memory_format=memory_format(peer))
    labels = torch.randint(0, case.network.classes, (case.batch, case.height, case.width))
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=1e-4, fused=True)
    cross_entropy = pspnet.make_loss(case.network)

    def training_loss(x: Tensor, y: Tensor) -> Tensor:
        main, aux = model(x)
        return cross_entropy(main, y) + case.network.aux_weight * cross_entropy(aux, y)

    loss = compiler(peer)(training_loss)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(pictures, labels).backward()
        optimizer.step()

    return step, precision()


def write_reference(case: Case, folder: Path) -> None:
    """weights.pt, the same as weights.safetensors, input.npy, and the logits that eager PyTorch computes."""
    model = build(case, None).eval()
    pspnet.randomize_batch_norms(model)
    x = torch.randn(case.batch, 3, case.height, case.width)
    torch.save(model.state_dict(), folder / "weights.pt")
    tensors = {name: value.numpy() for name, value in model.state_dict().items() if value.dim()}
    write_safetensors(tensors, case.network.description, folder / "weights.safetensors")
    np.save(folder / "input.npy", x.numpy())
    with torch.inference_mode():
        np.save(folder / "logits.npy", model(x).numpy())


def write_safetensors(tensors: dict[str, np.ndarray], description: str, path: Path) -> None:
    """The format is a length, a JSON header and the bytes: less to write than to depend on."""
    header, offset = {"__metadata__": {"giza.model": description}} if description else {}, 0
    for name, value in tensors.items():
        if value.dtype != np.float32:
            raise TypeError(f"{name} is {value.dtype}, expected float32")
        header[name] = {"dtype": "F32", "shape": value.shape, "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for value in tensors.values():
            out.write(np.ascontiguousarray(value).tobytes())


def export_onnx(case: Case, weights: Path | None, path: Path) -> None:
    """The network at the case's fixed size, which is what lets a runtime plan best."""
    model = build(case, weights).eval()
    for branch in model.ppm.features:
        branch[0] = StaticAveragePool(branch[0].output_size)
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for the result
        torch.onnx.export(model, (torch.randn(case.batch, 3, case.height, case.width),), path, dynamo=True,
                          external_data=False, input_names=["pictures"], output_names=["logits"])
