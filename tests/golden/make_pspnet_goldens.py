#!/usr/bin/env python3
"""Goldens of whole small networks, computed by PyTorch: python3 make_pspnet_goldens.py (PyTorch 2.13.0, NumPy 2).

Writes pspnet_CASE.json beside this file. Weights, inputs and labels come from `mixed`, an integer formula that
tests/models/pspnet_golden_test.cc repeats, so that no weights need to be stored. A case holds the logits of the evaluation mode, both
losses of the training mode (dropout off), running statistics, and for the gradient of main + 0.4 aux of every parameter
its sum, its L2 norm and its product with `mixed` numbers. Computed in double precision.
"""
import json
import pathlib
import zlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

CASES = {
    # width w: channel counts 64 w, ... ; half: the first block of a dilated layer keeps the smaller dilation
    "basic": dict(blocks=(2, 2, 2, 2), bottleneck=False, stem="deep", width=8, bins=(1, 2, 3, 6), pool="average",
                  reduce=True, half=False, size=(33, 41), batch=2, classes=5),
    "bottleneck": dict(blocks=(2, 1, 2, 1), bottleneck=True, stem="deep", width=8, bins=(1, 2, 3, 6), pool="average",
                       reduce=True, half=True, size=(41, 34), batch=2, classes=4),
    "plain": dict(blocks=(1, 1, 1, 1), bottleneck=False, stem="plain", width=8, bins=(1, 9), pool="max",
                  reduce=False, half=False, size=(48, 37), batch=3, classes=3),
    "baseline": dict(blocks=(1, 1, 1, 1), bottleneck=True, stem="plain", width=8, bins=(), pool="average",
                     reduce=True, half=False, size=(17, 25), batch=2, classes=3),
}


def mixed(name, count):
    """Numbers in [-0.5, 0.5) from a name and a position: a multiplicative hash of both."""
    key = np.uint64(zlib.crc32(name.encode()))
    i = np.arange(count, dtype=np.uint64)
    x = (i * np.uint64(2654435761) + key * np.uint64(40503)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(15)
    x = (x * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(13)
    return torch.from_numpy((x >> np.uint64(8)).astype(np.float64) / 2**24 - 0.5)


def conv_bn(cin, cout, kernel, stride=1, dilation=1):
    return nn.Conv2d(cin, cout, kernel, stride, dilation * (kernel // 2), dilation, bias=False), nn.BatchNorm2d(cout)


class Block(nn.Module):
    def __init__(self, cin, planes, stride, dilation, bottleneck):
        super().__init__()
        out = planes * (4 if bottleneck else 1)
        shapes = ([(cin, planes, 1, 1, 1), (planes, planes, 3, stride, dilation), (planes, out, 1, 1, 1)]
                  if bottleneck else [(cin, planes, 3, stride, dilation), (planes, out, 3, 1, dilation)])
        self.count = len(shapes)
        for i, shape in enumerate(shapes, 1):
            conv, bn = conv_bn(*shape)
            setattr(self, f"conv{i}", conv)
            setattr(self, f"bn{i}", bn)
        self.downsample = nn.Sequential(*conv_bn(cin, out, 1, stride)) if stride != 1 or cin != out else None

    def forward(self, x):
        skip = x if self.downsample is None else self.downsample(x)
        for i in range(1, self.count + 1):
            x = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x))
            x = F.relu(x + skip if i == self.count else x)
        return x


class Pyramid(nn.Module):
    def __init__(self, cin, bins, pool, reduce):
        super().__init__()
        pools = nn.AdaptiveAvgPool2d if pool == "average" else nn.AdaptiveMaxPool2d
        self.pools = [pools(b) for b in bins]
        self.features = nn.ModuleList(
            nn.Sequential(nn.Identity(), *(conv_bn(cin, cin // len(bins), 1) if reduce else ()), *([nn.ReLU()] if reduce else []))
            for _ in bins)

    def forward(self, x):
        return torch.cat([x] + [F.interpolate(f(p(x)), x.shape[2:], mode="bilinear", align_corners=True)
                                for p, f in zip(self.pools, self.features)], 1)


def head(cin, mid, classes):
    return nn.Sequential(*conv_bn(cin, mid, 3), nn.ReLU(), nn.Identity(), nn.Conv2d(mid, classes, 1))


class Net(nn.Module):
    STRIDES = {8: ((1, 1), (2, 1), (1, 2), (1, 4)), 32: ((1, 1), (2, 1), (2, 1), (2, 1))}  # stride and dilation

    def __init__(self, blocks, bottleneck, stem, width, bins, pool, reduce, half, classes, output_stride=8, **_):
        super().__init__()
        if stem == "deep":
            shapes = [(3, width, 3, 2), (width, width, 3), (width, 2 * width, 3)]
        else:
            shapes = [(3, width, 7, 2)]
        self.layer0 = nn.Sequential(*[m for s in shapes for m in (*conv_bn(*s), nn.ReLU())], nn.MaxPool2d(3, 2, 1))
        channels = shapes[-1][1]
        expand = 4 if bottleneck else 1
        for i, (stride, dilation) in enumerate(self.STRIDES[output_stride]):
            stage = []
            for b in range(blocks[i]):
                d = dilation // 2 if half and b == 0 and dilation > 1 else dilation
                stage.append(Block(channels, width << i, stride if b == 0 else 1, d, bottleneck))
                channels = (width << i) * expand
            setattr(self, f"layer{i + 1}", nn.Sequential(*stage))
            if i == 2:
                middle = channels
        self.ppm = Pyramid(channels, bins, pool, reduce) if bins else None
        wide = channels * (2 if reduce else 1 + len(bins)) if bins else channels
        mid = (512 if bottleneck else 128) * width // 64
        self.cls = head(wide, mid, classes)
        self.aux = head(middle, mid // 2, classes)

    def forward(self, x):
        up = lambda t: F.interpolate(t, x.shape[2:], mode="bilinear", align_corners=True)
        m = self.layer3(self.layer2(self.layer1(self.layer0(x))))
        f = self.layer4(m)
        return up(self.cls(f if self.ppm is None else self.ppm(f))), up(self.aux(m))


def fill(model):
    for name, p in list(model.named_parameters()) + list(model.named_buffers()):
        if name.endswith("num_batches_tracked"):
            continue
        if p.dim() == 4:
            scale, shift = 2 * (3.0 / (p.shape[1] * p.shape[2] * p.shape[3])) ** 0.5, 0.0
        elif name.endswith("running_var") or (name.endswith("weight") and p.dim() == 1):
            scale, shift = 1.0, 1.0
        else:
            scale, shift = 0.4, 0.0
        p.data.copy_((mixed(name, p.numel()) * scale + shift).float().double().view(p.shape))


def short(number):
    return float(f"{number:.9g}")


def golden(model, options, losses_of):
    """What a case holds; losses_of(outputs of the training mode, labels) -> main and auxiliary loss."""
    fill(model)
    (h, w), n, classes = options["size"], options["batch"], options["classes"]
    x = (mixed("input", n * 3 * h * w) * 4).float().double().view(n, 3, h, w)
    y = ((mixed("label", n * h * w) + 0.5) * (classes + 1)).long().view(n, h, w)
    y[y == classes] = 255
    model.eval()
    with torch.no_grad():
        logits = model(x)[0]
    model.train()
    losses = losses_of(model(x), y)
    (losses[0] + 0.4 * losses[1]).backward()
    grads = {}
    for name, p in model.named_parameters():
        g = torch.zeros(p.numel()) if p.grad is None else p.grad.flatten()
        grads[name] = [short(v) for v in (g.sum(), g.norm(), (g * mixed("dot." + name, g.numel())).sum())]
    stats = {name: short(b.norm()) for name, b in model.named_buffers() if "running" in name}
    return {"torch": torch.__version__, "options": options, "loss": [l.item() for l in losses],
            "logits_norm": logits.norm().item(), "logits_every_7th": [short(v) for v in logits.flatten()[::7]],
            "gradients": grads, "running": stats}


def cross_entropies(outputs, y):
    return [F.cross_entropy(t, y, ignore_index=255) for t in outputs]


def main():
    torch.set_default_dtype(torch.float64)
    here = pathlib.Path(__file__).parent
    for case, options in CASES.items():
        out = golden(Net(**options), options, cross_entropies)
        (here / f"pspnet_{case}.json").write_text(json.dumps(out))
        print(case, out["loss"], len(out["logits_every_7th"]))


if __name__ == "__main__":
    main()
