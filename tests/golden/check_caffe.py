#!/usr/bin/env python3
"""Holds giza against the graph of the authors' prototxt by hand: python3 check_caffe.py GIZA [LAYERS SIZE] (PyTorch 2.13.0).

Writes a .caffemodel of a whole PSPNet (default 50 layers, 473) with numbers from a formula, as the authors' own cannot be
downloaded without a browser, and holds against PyTorch: `giza run` of it, and of what `giza convert` makes of it.
"""
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch

from make_caffe_goldens import PspNet, mixed

GIZA = sys.argv[1]
LAYERS, SIZE = (int(v) for v in (sys.argv[2:] or (50, 473)))
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}[LAYERS]


def giza(*arguments):
    return subprocess.run([GIZA, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


with tempfile.TemporaryDirectory() as name, torch.no_grad():
    folder = pathlib.Path(name)
    net = PspNet(blocks=BLOCKS, width=64, classes=150, head=512)
    (folder / "net.caffemodel").write_bytes(net.encode())
    x = (mixed("input", 3 * SIZE * SIZE) * 4).float().view(1, 3, SIZE, SIZE)
    np.save(folder / "x.npy", x.numpy())
    net.blobs = {name: [b.float() for b in blobs] for name, blobs in net.blobs.items()}
    expected = net.forward(x)
    begin = time.time()
    print(giza("convert", folder / "net.caffemodel", folder / "net.safetensors"), f"{time.time() - begin:.1f} s", sep="", end="\n")
    giza("convert", folder / "net.safetensors", folder / "net.pth", "--naming", "mmseg")
    for weights in ("net.caffemodel", "net.safetensors", "net.pth"):
        giza("run", "--weights", folder / weights, "--input", folder / "x.npy", "--output", folder / "y.npy", "--algorithm", "direct")
        error = (torch.from_numpy(np.load(folder / "y.npy")) - expected).norm() / expected.norm()
        print(f"{weights}: relative L2 {error:.1e} from PyTorch's float32")
        assert error < 1e-5
