#!/usr/bin/env python3
"""Makes classifiers/mean and classifiers/spp for `giza verify` with PyTorch: python3 make_classifier_folders.py (PyTorch
2.13.0, NumPy 2).

mean: a small ResNet as torchvision's, its last map averaged, under torchvision's names, with steps of SGD. spp: a dilated
one with spatial pyramid pooling, windows of ceil(side / n) that lie floor(side / n) apart, n in each direction (He et al.,
ECCV 2014), on a map of 9 x 10, which 6 does not divide; a safetensors file that describes the network. Computed in float32.
"""
import json
import pathlib
import struct

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from make_pspnet_goldens import Block

CLASSES, WIDTH, BINS = 4, 8, (6, 3, 2, 1)


def strided(x, n):
    kernel = [-(-side // n) for side in x.shape[2:]]
    stride = [side // n for side in x.shape[2:]]
    return F.max_pool2d(x, kernel, stride)[:, :, :n, :n]


class Classifier(nn.Module):
    """strides and dilations: of layer1 to layer4. bins of the pyramid, () for the mean; windows: their rule."""

    def __init__(self, strides, dilations, bins, windows=strided):
        super().__init__()
        self.bins, self.windows = bins, windows
        self.conv1, self.bn1 = nn.Conv2d(3, WIDTH, 7, 2, 3, bias=False), nn.BatchNorm2d(WIDTH)
        channels = WIDTH
        for i, (stride, dilation) in enumerate(zip(strides, dilations)):
            setattr(self, f"layer{i + 1}", nn.Sequential(Block(channels, WIDTH << i, stride, dilation, False)))
            channels = WIDTH << i
        self.fc = nn.Linear(channels * (sum(n * n for n in bins) if bins else 1), CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        if not self.bins:
            return self.fc(x.mean((2, 3)))
        return self.fc(torch.cat([self.windows(x, n).flatten(1) for n in self.bins], 1))


def save_safetensors(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        bytes_ = np.ascontiguousarray(tensor.numpy()).tobytes()
        kind = "I64" if tensor.dtype == torch.int64 else "F32"
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def batch(size):
    return torch.randn(3, 3, *size), torch.randint(0, CLASSES, (3,))


def stir(model):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # a fresh one is the identity, which hides mistakes
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)


def description(arch, output_stride, **settings):
    """giza's metadata for a network of this file, as models/weights/infer.cc writes it."""
    return {"arch": arch, "blocks": [1, 1, 1, 1], "block": "basic", "stem": "plain", "width": WIDTH / 64,
            "first_block": "full", "output_stride": output_stride, "bn_momentum": 0.1, "classes": CLASSES,
            "head_channels": 0, "aux_channels": 0, "dropout": 0.0, "aux": False, **settings}


def make(name, model, size, description=None, steps=0):
    out = pathlib.Path(__file__).parent / "classifiers" / name
    out.mkdir(parents=True, exist_ok=True)
    stir(model)
    if description:
        save_safetensors(out / "weights.safetensors", model.state_dict(), {"giza.model": json.dumps(description)})
    else:
        torch.save(model.state_dict(), out / "weights.pth")
    x, labels = batch(size)
    np.save(out / "input.npy", x.numpy())
    np.save(out / "label.npy", labels.numpy().astype(np.uint8))
    model.eval()
    with torch.no_grad():
        np.save(out / "logits.npy", model(x).numpy())
    model.train()
    loss = F.cross_entropy(model(x), labels)
    loss.backward()
    np.save(out / "loss.npy", np.array([loss.item(), 0.0]))
    torch.save({key: p.grad for key, p in model.named_parameters()}, out / "grads.pth")
    if not steps:
        return
    schedule = {"base_lr": 0.05, "iterations": steps, "power": 0.9, "momentum": 0.9, "weight_decay": 1e-4,
                "new_layer_lr": 10, "aux_weight": 0}
    fc = [p for key, p in model.named_parameters() if key.startswith("fc.")]
    trunk = [p for key, p in model.named_parameters() if not key.startswith("fc.")]
    optimizer = torch.optim.SGD([{"params": trunk}, {"params": fc}], lr=0.05, momentum=0.9, weight_decay=1e-4)
    batches, rows = [batch(size) for _ in range(steps)], []
    for t, (x, labels) in enumerate(batches):
        rate = schedule["base_lr"] * (1 - t / steps) ** schedule["power"]
        optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"] = rate, 10 * rate
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        rows.append([loss.item(), 0.0])
    (out / "sgd.json").write_text(json.dumps(schedule, indent=1) + "\n")
    np.save(out / "sgd_input.npy", np.stack([x.numpy() for x, _ in batches]))
    np.save(out / "sgd_label.npy", np.stack([labels.numpy().astype(np.uint8) for _, labels in batches]))
    np.save(out / "sgd_loss.npy", np.array(rows))


if __name__ == "__main__":
    torch.manual_seed(1)
    make("mean", Classifier((1, 2, 2, 2), (1, 1, 1, 1), ()), (67, 45), steps=2)
    make("spp", Classifier((1, 2, 1, 1), (1, 1, 2, 4), BINS), (65, 75),
         description("spp", 8, spp_bins=list(BINS), spp_windows="strided"))
