#!/usr/bin/env python3
"""Checks `giza convert` against PyTorch by hand: python3 check_convert.py GIZA (PyTorch 2.13.0, torchvision 0.28,
safetensors 0.8, NumPy 2). Makes PSPNets with both stems, converts their weights through every format and naming, and holds
names, numbers and logits against PyTorch's; trains one with giza and loads its checkpoint with strict=True."""
import pathlib
import subprocess
import sys
import tempfile
import types

import numpy as np
import safetensors.torch
import torch

from make_pspnet_goldens import Net

GIZA = sys.argv[1]


def giza(*arguments):
    return subprocess.run([GIZA, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def same(a, b, what):
    assert list(a) == list(b), (what, set(a) ^ set(b))
    assert all(torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a), what
    print("same names, order, types and bits:", what)


def compare_logits(model, weights, folder, what):
    x = torch.randn(2, 3, 57, 42)
    np.save(folder / "x.npy", x.numpy())
    giza("run", "--weights", weights, "--input", folder / "x.npy", "--output", folder / "y.npy")
    model.eval()
    with torch.no_grad():
        expected = model(x)[0]
    error = (torch.from_numpy(np.load(folder / "y.npy")) - expected).norm() / expected.norm()
    print(f"logits of {what}: relative L2 {error:.1e}")
    assert error < 1e-5


def net(stem, bottleneck=True):
    torch.manual_seed(3)
    return Net((1, 2, 1, 1), bottleneck, stem, 16, (1, 2, 3, 6), "average", True, False, 7)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    for stem in ("deep", "plain"):
        model = net(stem)
        state = model.state_dict()
        torch.save(state, folder / "a.pth")
        giza("convert", folder / "a.pth", folder / "a.safetensors")
        same(dict(state), {k: v for k, v in torch.load(folder / "a.pth").items()}, "torch itself")
        read = safetensors.torch.load_file(folder / "a.safetensors")
        same(dict(sorted(state.items())), dict(sorted(read.items())), f"{stem}: .pth -> .safetensors")
        giza("convert", folder / "a.safetensors", folder / "b.pth")
        back = torch.load(folder / "b.pth", weights_only=True)
        same(state, back, f"{stem}: .safetensors -> .pth, weights_only=True")
        net(stem).load_state_dict(back, strict=True)
        giza("convert", folder / "a.pth", folder / "m.pth", "--naming", "mmseg")
        giza("convert", folder / "m.pth", folder / "c.pth", "--naming", "semseg")
        same(state, torch.load(folder / "c.pth"), f"{stem}: to mmsegmentation's names and back")
        compare_logits(model, folder / "m.pth", folder, f"{stem}, mmsegmentation's names")
        compare_logits(model, folder / "a.pth", folder, f"{stem}, .pth")
        # As a semseg checkpoint: DataParallel's prefix, an optimizer beside, and the stream form before PyTorch 1.6.
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        model(torch.randn(2, 3, 40, 40))[0].sum().backward()
        optimizer.step()
        state = model.state_dict()
        whole = {"epoch": 3, "state_dict": {"module." + k: v for k, v in state.items()},
                 "optimizer": optimizer.state_dict()}
        for form in (True, False):
            torch.save(whole, folder / "s.pth", _use_new_zipfile_serialization=form)
            giza("convert", folder / "s.pth", folder / "d.pth")
            same(state, torch.load(folder / "d.pth"), f"{stem}: a checkpoint with optimizer, zip form {form}")
            compare_logits(model, folder / "s.pth", folder, f"{stem}, the checkpoint")
        for half in (torch.half, torch.bfloat16, torch.double):
            torch.save({k: v.to(half) if v.is_floating_point() else v for k, v in state.items()}, folder / "h.pth")
            giza("convert", folder / "h.pth", folder / "i.pth")
            rounded = {k: v.to(half).float() if v.is_floating_point() else v for k, v in state.items()}
            same(rounded, dict(torch.load(folder / "i.pth")), f"{stem}: {half}")

    # Its detection operators fail to register where its wheel was built for another torch; no need of them here.
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
    import torchvision

    resnet = torchvision.models.resnet50(weights=None)
    torch.save(resnet.state_dict(), folder / "r.pth")
    print(giza("convert", folder / "r.pth", folder / "r.safetensors", "--naming", "semseg"), end="")
    print(giza("convert", folder / "r.safetensors", folder / "t.pth", "--naming", "torchvision"), end="")
    back = torch.load(folder / "t.pth")
    same({k: v for k, v in resnet.state_dict().items() if not k.startswith("fc.")}, dict(back), "torchvision resnet50")
    missing = resnet.load_state_dict(back, strict=False)
    assert missing.missing_keys == ["fc.weight", "fc.bias"] and not missing.unexpected_keys

    giza("scenes", "--out", folder / "scenes", "--train", 8, "--val", 2, "--size", "96x96")
    (folder / "c.yaml").write_text(f"""
DATA: {{data_root: {folder}/scenes, train_list: {folder}/scenes/train.txt, val_list: {folder}/scenes/val.txt, classes: 12}}
TRAIN: {{layers: 50, blocks: [1, 2, 1, 1], width: 0.25, train_h: 41, train_w: 41, batch_size: 4, epochs: 2, save_path: {folder}/run}}
""")
    classes = len((folder / "scenes" / "names.txt").read_text().split("\n")) - 1
    giza("train", "--config", folder / "c.yaml", "DATA.classes", classes)
    giza("convert", folder / "run" / "last.safetensors", folder / "trained.pth")
    model = Net((1, 2, 1, 1), True, "deep", 16, (1, 2, 3, 6), "average", True, False, classes)
    print(model.load_state_dict(torch.load(folder / "trained.pth", weights_only=True), strict=True))
    compare_logits(model, folder / "run" / "last.safetensors", folder, "a checkpoint that giza trained")
print("all agree")
