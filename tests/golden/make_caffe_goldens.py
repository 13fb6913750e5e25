#!/usr/bin/env python3
"""Goldens of Caffe's files and of the network in them: python3 make_caffe_goldens.py (PyTorch 2.13.0, NumPy 2).

Writes beside this file
  caffe/forms.caffemodel, caffe/forms.json   layers in every way in which Protocol Buffers and Caffe write blobs, by an
                                             encoder of our own (no Protocol Buffers needed), and what they hold
  caffe_pspnet.json                          logits of a small PSPNet by the graph of the authors' prototxt
Weights and input of the second come from `mixed` and the layers' names, as tests/models/weights/caffe/caffe_testing.h
repeats them. Computed in double precision. check_caffe.py uses this file for whole networks.
"""
import json
import pathlib
import struct

import numpy as np
import torch
import torch.nn.functional as F

from make_pspnet_goldens import mixed

BINS = (6, 3, 2, 1)  # in the order of the prototxt's concat


# Protocol Buffers by hand: https://protobuf.dev/programming-guides/encoding

def varint(value):
    out = b""
    value &= (1 << 64) - 1
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A text, a message or packed numbers as bytes; an integer as a varint."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def floats(numbers):
    return np.asarray(numbers).astype("<f4").tobytes()


def blob(shape, numbers):
    """As Caffe's SnapshotToBinaryProto writes it: packed shape, packed data; the derivatives stand beside."""
    return field(5, floats(numbers)) + field(7, field(1, b"".join(map(varint, shape))))


def layer(name, kind, blobs=()):
    return field(100, field(1, name) + field(2, kind) + b"".join(field(7, b) for b in blobs))


def old_layer(name, kind, blobs):
    return field(2, field(2, "data") + field(3, name) + field(4, name) + field(5, kind) + b"".join(field(6, b) for b in blobs))


def forms():
    """Bytes, and (layer, blob) -> (shape, numbers)."""
    single = lambda number, code, numbers: b"".join(varint(number << 3 | {"f": 5, "d": 1}[code]) + struct.pack("<" + code, v) for v in numbers)
    old_shape = lambda *sides: b"".join(field(i + 1, s) for i, s in enumerate(sides))
    six, expect = [0.5, -1.25, 3e-20, 4.0, 5.5, -6.0], {}
    data = field(1, "forms") + field(3, "data") + field(4, 1) + field(4, 3)
    def add(name, *blobs, old=False):
        nonlocal data
        data += (old_layer(name, 4, [b for b, *_ in blobs]) if old else layer(name, "Convolution", [b for b, *_ in blobs]))
        for i, (_, shape, numbers) in enumerate(blobs):
            expect[f"{name}.blobs.{i}"] = {"shape": shape, "numbers": numbers}
    add("packed", (blob([2, 3, 1, 1], six), [2, 3, 1, 1], six))
    add("single", (single(5, "f", six) + field(7, field(1, 3) + field(1, 2)), [3, 2], six))
    add("doubles", (field(8, struct.pack("<6d", *six)) + field(7, field(1, b"\6")), [6], six))
    add("single doubles, floats beside", (single(8, "d", six) + field(5, floats(six[:2])) + field(7, field(1, b"\6")), [6], six))
    add("in pieces", (field(5, floats(six[:2])) + single(5, "f", six[2:3]) + field(7, field(1, b"\1\6")) + field(5, floats(six[3:])),
                      [1, 6], six))
    add("legacy shape", (old_shape(2, 1, 1, 3) + field(5, floats(six)), [2, 1, 1, 3], six),
        (old_shape(1, 1, 1, 2) + field(5, floats(six[:2])), [1, 1, 1, 2], six[:2]))
    add("derivatives beside", (field(5, floats(six)) + field(6, floats(six[::-1])) + field(9, bytes(48)) + field(7, field(1, b"\6")),
                               [6], six))
    add("no shape", (field(5, floats(six)), [6], six))
    add("scalar", (field(5, floats([7.0])) + field(7, b""), [], [7.0]))
    add("long sides", (field(5, b"") + field(7, field(1, varint(300) + varint(0))), [300, 0], []))
    add("old format", (blob([6], six), [6], six), (blob([2], six[:2]), [2], six[:2]), old=True)
    data += layer("no blobs", "ReLU") + field(100, field(2, "Silence"))
    # Fields in another order, and ones that nobody knows.
    data += field(100, field(7, blob([1], [1.5])) + field(99, "?") + field(1, "blobs before the name") + varint(98 << 3 | 5) + bytes(4))
    expect["blobs before the name.blobs.0"] = {"shape": [1], "numbers": [1.5]}
    return data, expect


# The network.

class PspNet:
    """evaluation/prototxt/pspnet*.prototxt of https://github.com/hszhao/PSPNet, layer by layer. Blobs by layer."""

    def __init__(self, blocks, width, classes, head, aux=True):
        self.blobs, self.order, self.blocks = {}, [], blocks
        conv, c = self.conv_bn, 2 * width
        conv("conv1_1_3x3_s2", 3, width, 3)
        conv("conv1_2_3x3", width, width, 3)
        conv("conv1_3_3x3", width, c, 3)
        for stage in (2, 3, 4, 5):
            planes = width << (stage - 2)
            for b in range(1, blocks[stage - 2] + 1):
                name = f"conv{stage}_{b}_"
                conv(name + "1x1_reduce", c, planes, 1)
                conv(name + "3x3", planes, planes, 3)
                conv(name + "1x1_increase", planes, 4 * planes, 1)
                if b == 1:
                    conv(name + "1x1_proj", c, 4 * planes, 1)
                c = 4 * planes
        last = f"conv5_{blocks[3]}"
        for bin in (1, 2, 3, 6):
            conv(f"{last}_pool{bin}_conv", c, c // 4, 1)
        conv("conv5_4", 2 * c, head, 3)
        self.conv("conv6", head, classes)
        if aux:
            conv(f"conv4_{blocks[2] + 1}", c // 2, head // 2, 3)
            self.conv("conv6_1", head // 2, classes)

    def fill(self, layer, index, shape, scale, shift):
        numbers = (mixed(f"{layer}.blobs.{index}", int(torch.tensor(shape).prod())) * scale + shift).float().double()
        self.blobs.setdefault(layer, []).append(numbers.view(shape))

    def conv_bn(self, name, cin, cout, kernel):
        self.order += [(name, "Convolution"), (name + "/bn", "BN")]
        self.fill(name, 0, (cout, cin, kernel, kernel), 2 * (3.0 / (cin * kernel * kernel)) ** 0.5, 0.0)
        for i, (scale, shift) in enumerate(((1.0, 1.0), (0.4, 0.0), (0.4, 0.0), (1.0, 1.0))):  # slope, bias, mean, variance
            self.fill(name + "/bn", i, (1, cout, 1, 1), scale, shift)

    def conv(self, name, cin, cout):
        self.order.append((name, "Convolution"))
        self.fill(name, 0, (cout, cin, 1, 1), 2 * (3.0 / cin) ** 0.5, 0.0)
        self.fill(name, 1, (cout,), 0.4, 0.0)

    def encode(self):
        return field(1, "pspnet") + b"".join(
            layer(name, kind, [blob(b.shape, b.flatten().numpy()) for b in self.blobs[name]]) for name, kind in self.order)

    def forward(self, rgb):
        """Pictures with the mean subtracted, in RGB."""
        def conv(name, x, stride=1, dilation=1, relu=True):
            (w,) = self.blobs[name]
            x = F.conv2d(x, w, None, stride, w.shape[2] // 2 * dilation, dilation)
            slope, bias, mean, variance = self.blobs[name + "/bn"]
            x = (x - mean) / (variance + 1e-5).sqrt() * slope + bias
            return F.relu(x) if relu else x
        x = rgb.flip(1)  # BGR
        x = conv("conv1_3_3x3", conv("conv1_2_3x3", conv("conv1_1_3x3_s2", x, 2)))
        x = F.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        for stage in (2, 3, 4, 5):
            dilation = {4: 2, 5: 4}.get(stage, 1)
            for b in range(1, self.blocks[stage - 2] + 1):
                name, stride = f"conv{stage}_{b}_", 2 if (stage, b) == (3, 1) else 1
                skip = conv(name + "1x1_proj", x, stride, relu=False) if b == 1 else x
                y = conv(name + "1x1_reduce", x, stride)
                y = conv(name + "3x3", y, 1, dilation)
                x = F.relu(conv(name + "1x1_increase", y, relu=False) + skip)
        size, parts = x.shape[2:], [x]
        for bin in BINS:
            assert size[0] % bin == 0 and size[1] % bin == 0
            kernel = (size[0] // bin, size[1] // bin)
            pooled = conv(f"conv5_{self.blocks[3]}_pool{bin}_conv", F.avg_pool2d(x, kernel, kernel))
            parts.append(F.interpolate(pooled, size, mode="bilinear", align_corners=True))
        x = conv("conv5_4", torch.cat(parts, 1))
        w, b = self.blobs["conv6"]
        x = F.conv2d(x, w, b)
        return F.interpolate(x, [s + (s - 1) * 7 for s in x.shape[2:]], mode="bilinear", align_corners=True)


def main():
    torch.set_default_dtype(torch.float64)
    here = pathlib.Path(__file__).parent
    data, expect = forms()
    (here / "caffe").mkdir(exist_ok=True)
    (here / "caffe" / "forms.caffemodel").write_bytes(data)
    (here / "caffe" / "forms.json").write_text(json.dumps(expect))
    options = dict(blocks=(2, 1, 2, 1), width=8, classes=5, head=16)
    net, (n, h, w) = PspNet(**options), (2, 41, 41)
    x = (mixed("input", n * 3 * h * w) * 4).float().double().view(n, 3, h, w)
    logits = net.forward(x)
    assert logits.shape == (n, 5, h, w)
    (here / "caffe_pspnet.json").write_text(json.dumps({
        "torch": torch.__version__, "options": {**options, "batch": n, "size": [h, w]},
        "logits_every_7th": [float(f"{v:.9g}") for v in logits.flatten()[::7]]}))
    print(len(data), "bytes of forms;", len(net.encode()), "bytes of PSPNet, logits of deviation", logits.std().item())


if __name__ == "__main__":
    main()
