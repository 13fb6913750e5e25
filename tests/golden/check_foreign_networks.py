#!/usr/bin/env python3
"""Holds giza against other libraries' own networks, both ways, by hand:

  check_foreign_networks.py GIZA torchvision    needs torchvision (written with 0.29.1 and PyTorch 2.14)
  check_foreign_networks.py GIZA deeplab        kazuto1011's DeepLab v2, whose network is written here again, and its MSC
  check_foreign_networks.py GIZA mmseg          needs mmsegmentation (1.2.2), mmcv-lite (2.1.0), mmengine, ftfy, regex

Networks may be named behind that. Each is built at random by the library, with batch norms that have seen something. `giza run` of its state_dict must
give the library's logits to 1e-5, from giza's formats too; and what giza writes under the library's names must load with
strict=True and give the same numbers to the bit.
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import types

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

GIZA = sys.argv[1]


def giza(*arguments):
    done = subprocess.run([GIZA, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"giza {' '.join(map(str, arguments))}: status {done.returncode}\n{done.stderr}")
    return done.stdout


def stir(model):
    """Batch norms of a new network change nothing: gains of one, means of zero."""
    generator = torch.Generator().manual_seed(3)
    for name, tensor in list(model.named_parameters()) + list(model.named_buffers()):
        if tensor.dim() == 1 and tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.data.copy_(noise + 0.5 if name.endswith(("weight", "running_var")) else 0.4 * (noise - 0.5))
    return model.eval()


def check(name, model, logits, naming):
    """model: the library's; logits(model, x): its scores at x's size. kazuto1011's takes BGR."""
    if len(sys.argv) > 3 and name not in sys.argv[3:]:
        return
    x = torch.randn(2, 3, 97, 65, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), tempfile.TemporaryDirectory() as path:
        folder = pathlib.Path(path)
        expected = logits(model, x)
        state = model.state_dict()
        np.save(folder / "x.npy", x.flip(1).numpy() if naming == "deeplab" else x.numpy())
        torch.save(state, folder / "theirs.pth")
        print(giza("convert", folder / "theirs.pth", folder / "semseg.safetensors", "--naming", "semseg"), end="")
        giza("convert", folder / "semseg.safetensors", folder / "back.pth", "--naming", naming)
        for weights in ("theirs.pth", "semseg.safetensors", "back.pth"):
            giza("run", "--weights", folder / weights, "--input", folder / "x.npy", "--output", folder / "y.npy", "--algorithm", "direct")
            ours = torch.from_numpy(np.load(folder / "y.npy"))
            error = (ours - expected).norm() / expected.norm()
            print(f"{name}, {weights}: relative L2 {error:.1e}, argmax differs at {(ours.argmax(1) != expected.argmax(1)).sum()} of {ours[:, 0].numel()}")
            assert error < 1e-5
        back = torch.load(folder / "back.pth", weights_only=True)
        assert {k: v.shape for k, v in back.items()} == {k: v.shape for k, v in state.items()}
        for tensor in model.state_dict().values():
            tensor.zero_()
        print(name, "strict:", model.load_state_dict(back, strict=True))
        assert torch.equal(logits(model, x), expected)


def torchvision_networks():
    import torchvision.models.segmentation as segmentation
    for name in ("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101"):
        for aux in (True, False):
            torch.manual_seed(2)
            model = stir(getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=21, aux_loss=aux))
            check(f"{name}{'' if aux else ' without aux'}", model, lambda m, x: m(x)["out"], "torchvision_segmentation")


class Missing(types.ModuleType):
    """mmcv's compiled operators, which mmcv-lite leaves out and these networks do not use."""
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


def mmseg_networks():
    for name in ("mmcv.ops", "mmcv.ops.point_sample"):
        sys.modules[name] = Missing(name)
    import mmseg
    from mmengine.config import Config
    from mmseg.registry import MODELS
    from mmseg.utils import register_all_modules
    register_all_modules()
    base = os.path.join(os.path.dirname(mmseg.__file__), ".mim/configs/_base_/models")
    for name in ("pspnet_r50-d8", "fcn_r50-d8", "deeplabv3_r50-d8"):
        config = Config.fromfile(f"{base}/{name}.py").model
        config.pretrained = None
        for part in (config.backbone, config.decode_head, config.auxiliary_head):
            part.norm_cfg.type = "BN"  # SyncBN is for GPUs
        torch.manual_seed(2)
        model = stir(MODELS.build(config))
        resized = lambda m, x: F.interpolate(m(x, mode="tensor"), x.shape[2:], mode="bilinear", align_corners=m.align_corners)
        check(name, model, resized, "mmseg")


class Unit(nn.Sequential):
    def __init__(self, cin, out, kernel, stride=1, dilation=1):
        super().__init__()
        self.conv = nn.Conv2d(cin, out, kernel, stride, kernel // 2 * dilation, dilation, bias=False)
        self.bn = nn.BatchNorm2d(out)


class Block(nn.Module):
    """Caffe's: the stride is the first convolution's."""

    def __init__(self, cin, mid, stride, dilation):
        super().__init__()
        self.reduce, self.conv3x3 = Unit(cin, mid, 1, stride), Unit(mid, mid, 3, 1, dilation)
        self.increase = Unit(mid, 4 * mid, 1)
        self.shortcut = Unit(cin, 4 * mid, 1, stride) if stride != 1 or cin != 4 * mid else nn.Identity()

    def forward(self, x):
        return F.relu(self.increase(F.relu(self.conv3x3(F.relu(self.reduce(x))))) + self.shortcut(x))


class DeepLab(nn.Module):
    def __init__(self, classes, blocks):
        super().__init__()
        self.base = nn.Module()
        self.base.layer1 = nn.Module()
        self.base.layer1.conv1 = Unit(3, 64, 7, 2)
        self.stages, cin = [], 64
        for i, (count, stride, dilation) in enumerate(zip(blocks, (1, 2, 1, 1), (1, 1, 2, 4))):
            stage = nn.Sequential()
            for b in range(count):
                stage.add_module(f"block{b + 1}", Block(cin, 64 << i, stride if b == 0 else 1, dilation))
                cin = 4 * (64 << i)
            setattr(self.base, f"layer{i + 2}", stage)
            self.stages.append(stage)
        self.base.aspp = nn.Module()
        for i, rate in enumerate((6, 12, 18, 24)):
            self.base.aspp.add_module(f"c{i}", nn.Conv2d(cin, classes, 3, 1, rate, rate))

    def scores(self, x):
        y = F.max_pool2d(F.relu(self.base.layer1.conv1(x)), 3, 2, 1, ceil_mode=True)
        for stage in self.stages:
            y = stage(y)
        return sum(conv(y) for conv in self.base.aspp.children())

    def forward(self, x, scales=()):
        """scales: of its MSC, beside 1."""
        y = self.scores(x)
        for scale in scales:
            small = self.scores(F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False))
            y = torch.maximum(y, F.interpolate(small, y.shape[2:], mode="bilinear", align_corners=False))
        return F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=False)


def describe(path, **options):
    """Changes the description of the network in a safetensors file."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    metadata = header["__metadata__"]
    metadata["giza.model"] = json.dumps({**json.loads(metadata["giza.model"]), **options})
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length:])


def deeplab_msc():
    """The whole of it with its inputs of three scales, whatever remainder the sides leave."""
    torch.manual_seed(2)
    model = stir(DeepLab(21, (3, 4, 6, 3)))
    with torch.no_grad(), tempfile.TemporaryDirectory() as path:
        folder = pathlib.Path(path)
        torch.save(model.state_dict(), folder / "theirs.pth")
        giza("convert", folder / "theirs.pth", folder / "msc.safetensors", "--naming", "semseg")
        describe(folder / "msc.safetensors", aspp_msc=True)
        for height, width in ((97, 65), (96, 66), (99, 64)):
            x = torch.randn(1, 3, height, width)
            np.save(folder / "x.npy", x.flip(1).numpy())
            giza("run", "--weights", folder / "msc.safetensors", "--input", folder / "x.npy", "--output", folder / "y.npy", "--algorithm", "direct")
            ours, expected = torch.from_numpy(np.load(folder / "y.npy")), model(x, (0.5, 0.75))
            error = (ours - expected).norm() / expected.norm()
            print(f"DeepLab v2 with MSC, {height}x{width}: relative L2 {error:.1e}, against one scale {(model(x) - expected).norm() / expected.norm():.1e}")
            assert error < 1e-5


def deeplab_networks():
    torch.manual_seed(2)
    check("DeepLab v2", stir(DeepLab(21, (3, 4, 23, 3))), lambda m, x: m(x), "deeplab")
    if len(sys.argv) <= 3 or "MSC" in sys.argv[3:]:
        deeplab_msc()


{"torchvision": torchvision_networks, "deeplab": deeplab_networks, "mmseg": mmseg_networks}[sys.argv[2]]()
print("all agree")
