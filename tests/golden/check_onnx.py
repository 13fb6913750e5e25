#!/usr/bin/env python3
"""Holds exported ONNX models against PyTorch and giza, by hand: needs PyTorch, ONNX and ONNX Runtime, which the tests must not.

  check_onnx.py --giza build/dev/giza                     small networks of every option, and small classifiers
  check_onnx.py --giza build/dev/giza --peer pspnet_torch.py --depth 50 --size 473 --classes 150
                                                          a whole network of the PyTorch peer

Each network's weights go to a safetensors file, `giza convert` makes the ONNX file, twice, which must be the same bytes;
onnx.checker (full check) and strict shape inference must be content, and ONNX Runtime's logits are held against
PyTorch's (small networks in double precision) and `giza run`'s. Prints a line per network; exits 1 above 1e-5 relative
L2 error (1e-4 for giza, whose convolutions may be Winograd's). Written with PyTorch 2.13.0, onnx 1.23.2, onnxruntime 1.31.1.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import make_classifier_folders as classifiers  # noqa: E402
import make_pspnet_goldens as goldens  # noqa: E402

PLAIN_OPS = {"Conv", "Relu", "MaxPool", "Add", "AveragePool", "MatMul", "Gather", "Concat", "Resize", "Slice", "Flatten",
             "Gemm", "Reshape"}
SMALL = dict(blocks=(1, 1, 1, 1), bottleneck=True, stem="deep", width=8, bins=(1, 2, 3, 6), pool="average", reduce=True,
             half=False, stride=8, size=(33, 41), batch=1, classes=5, align_corners=True, stem_channels=64)
CASES = {
    "depth 18": dict(blocks=(2, 2, 2, 2), bottleneck=False),
    "depth 34": dict(blocks=(3, 4, 6, 3), bottleneck=False),
    "depth 50": dict(blocks=(3, 4, 6, 3)),
    "depth 101": dict(blocks=(3, 4, 23, 3)),
    "depth 152": dict(blocks=(3, 8, 36, 3)),
    "depth 269": dict(blocks=(3, 30, 48, 8)),
    "plain stem": dict(stem="plain"),
    "baseline": dict(bins=()),
    "baseline, basic blocks, plain stem": dict(bins=(), bottleneck=False, stem="plain"),
    "half dilation of the first block": dict(blocks=(2, 2, 2, 2), half=True, size=(97, 90)),
    "output stride 4": dict(stride=4),
    "output stride 16": dict(stride=16, size=(97, 129)),
    "output stride 32": dict(stride=32, size=(97, 129)),
    "output stride 32, half": dict(stride=32, half=True, size=(97, 129)),
    "no reduction": dict(reduce=False),
    "one bin": dict(bins=(1,)),
    "bins 2, 5, 9": dict(bins=(2, 5, 9)),
    "max": dict(pool="max"),
    "max, no reduction, bins 1 4 7": dict(pool="max", reduce=False, bins=(1, 4, 7)),
    "max, 90x97": dict(pool="max", size=(90, 97), batch=2),
    "473": dict(size=(473, 473)),
    "90x97, batch 2": dict(size=(90, 97), batch=2),
    "33x17": dict(size=(33, 17)),
    "33x17, batch 3, max": dict(size=(33, 17), batch=3, pool="max"),
    "8x8: a map of one pixel": dict(size=(8, 8)),
    "1x1": dict(size=(1, 1), batch=2),
    "5x200": dict(size=(5, 200)),
    "half-pixel enlargement": dict(align_corners=False, size=(90, 97)),
    "half-pixel, 1x1": dict(align_corners=False, size=(1, 1)),
    "mmsegmentation's stem": dict(align_corners=False, stem_channels=32, width=16),
    "41x41: every bin even": dict(size=(41, 41)),
}


def set_dilation(model, output_stride, half):
    """Strides and dilations of layer1 to layer4 for any output stride, by the rule of models/resnet.cc."""
    so_far, dilation = 4, 1
    for i in range(1, 5):
        stride, before = (1 if i == 1 else 2), dilation
        if so_far * stride > output_stride:
            dilation, stride = dilation * stride, 1
        so_far *= stride
        for b, block in enumerate(getattr(model, f"layer{i}")):
            d = before if half and b == 0 else dilation
            spatial = [m for m in (getattr(block, f"conv{k}") for k in range(1, block.count + 1)) if m.kernel_size == (3, 3)]
            for k, conv in enumerate(spatial):
                own = d if k == 0 else dilation
                conv.dilation, conv.padding = (own, own), (own, own)
                conv.stride = (stride, stride) if b == 0 and k == 0 else (1, 1)
            if block.downsample is not None:
                block.downsample[0].stride = (stride, stride) if b == 0 else (1, 1)


def description(o):
    """giza's metadata for a network, as models/weights/infer.cc writes it."""
    return json.dumps({
        "blocks": list(o["blocks"]), "block": "bottleneck" if o["bottleneck"] else "basic", "stem": o["stem"],
        "width": o["width"] / 64, "first_block": "half" if o["half"] else "full", "output_stride": o["stride"],
        "bn_momentum": 0.1, "classes": o["classes"], "pyramid": bool(o["bins"]), "bins": list(o["bins"] or (1, 2, 3, 6)),
        "pool": o["pool"], "reduce": o["reduce"], "head_channels": 0, "aux_channels": 0, "dropout": 0.0, "aux": True,
        **({} if o["align_corners"] else {"align_corners": False}),
        **({} if o["stem_channels"] == 64 else {"stem_channels": o["stem_channels"]})})


class HalfPixel:
    """torch.nn.functional as the goldens see it, without align_corners."""

    def __getattr__(self, name):
        return getattr(torch.nn.functional, name)

    @staticmethod
    def interpolate(x, size, mode, align_corners):
        return torch.nn.functional.interpolate(x, size, mode=mode, align_corners=False)


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stderr}")


def compare(got, want):
    got, want = got.astype(np.float64), want.astype(np.float64)
    return (np.linalg.norm(got - want) / np.linalg.norm(want), np.abs(got - want).max(),
            int((got.argmax(1) != want.argmax(1)).sum()))


def check_file(path, state, shape):
    """state: of the network; shape: of its logits."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path))
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    assert {n.op_type for n in model.graph.node} <= PLAIN_OPS, {n.op_type for n in model.graph.node}
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    (logits,) = model.graph.output
    assert [d.dim_value for d in logits.type.tensor_type.shape.dim] == list(shape)
    # Each weight of the state_dict but batch norm's and the auxiliary head's is there under its name and shape.
    shapes = {i.name: tuple(i.dims) for i in model.graph.initializer}
    weights = {k: tuple(v.shape) for k, v in state.items() if v.dim() > 1 and not k.startswith("aux.")}
    assert {k: v for k, v in shapes.items() if k.endswith(".weight")} == weights
    return len(model.graph.node)


def check_network(args, name, state, metadata, x, want, bound):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        save_file({k: v.float().contiguous() if v.is_floating_point() else v for k, v in state.items()},
                  folder / "net.safetensors", metadata)
        np.save(folder / "x.npy", x)
        size = ["--size", f"{x.shape[2]}x{x.shape[3]}", "--batch", x.shape[0]]
        for out in ("a.onnx", "b.onnx"):
            run(args.convert or args.giza, "convert", folder / "net.safetensors", folder / out, *size)
        assert (folder / "a.onnx").read_bytes() == (folder / "b.onnx").read_bytes(), "not the same bytes"
        nodes = check_file(folder / "a.onnx", state, want.shape)
        session = onnxruntime.InferenceSession(str(folder / "a.onnx"), providers=["CPUExecutionProvider"])
        (got,) = session.run(["logits"], {"input": x})
        run(args.giza, "run", "--weights", folder / "net.safetensors", "--input", folder / "x.npy", "--output", folder / "y.npy")
        giza = np.load(folder / "y.npy")
    against_torch, against_giza = compare(got, want), compare(got, giza)
    ok = got.shape == want.shape and against_torch[0] <= bound and against_giza[0] <= 1e-4
    print(f"{name:36} {nodes:4} nodes | PyTorch: L2 {against_torch[0]:.1e}, max {against_torch[1]:.1e}, argmax differs "
          f"{against_torch[2]} of {got[:, 0].size} | giza: L2 {against_giza[0]:.1e}, max {against_giza[1]:.1e}, "
          f"argmax {against_giza[2]}{'' if ok else '   TOO FAR'}", flush=True)
    return ok


def small_networks(args):
    ok = True
    for name, changes in CASES.items():
        if args.only and args.only not in name:
            continue
        o = {**SMALL, **changes}
        model = goldens.Net(**o)
        if o["bins"] and o["reduce"]:  # a number of bins may leave a remainder of the channels
            old, channels = model.cls[0], model.layer4[0].downsample[0].out_channels
            wide = channels + channels // len(o["bins"]) * len(o["bins"])
            model.cls[0] = torch.nn.Conv2d(wide, old.out_channels, 3, 1, 1, bias=False)
        if o["stem_channels"] != 64:  # of the first two convolutions, half of the third's
            narrow = o["stem_channels"] * o["width"] // 64
            model.layer0[0] = torch.nn.Conv2d(3, narrow, 3, 2, 1, bias=False)
            model.layer0[3] = torch.nn.Conv2d(narrow, narrow, 3, 1, 1, bias=False)
            model.layer0[6] = torch.nn.Conv2d(narrow, 2 * narrow, 3, 1, 1, bias=False)
            model.layer0[1], model.layer0[4] = torch.nn.BatchNorm2d(narrow), torch.nn.BatchNorm2d(narrow)
            model.layer0[7] = torch.nn.BatchNorm2d(2 * narrow)
            first = model.layer1[0]
            first.conv1 = torch.nn.Conv2d(2 * narrow, first.conv1.out_channels, 1, bias=False)
            first.downsample[0] = torch.nn.Conv2d(2 * narrow, first.downsample[0].out_channels, 1, bias=False)
        model.double()
        goldens.F = torch.nn.functional if o["align_corners"] else HalfPixel()
        set_dilation(model, o["stride"], o["half"])
        goldens.fill(model)
        model.eval()
        n, (h, w) = o["batch"], o["size"]
        x = (goldens.mixed("input", n * 3 * h * w) * 4).float().view(n, 3, h, w)
        with torch.no_grad():
            want = model(x.double())[0].numpy()
        ok &= check_network(args, name, model.state_dict(), {"giza.model": description(o)}, x.numpy(), want, 1e-5)
    return ok


def small_classifiers(args):
    strided, adaptive = classifiers.strided, torch.nn.functional.adaptive_max_pool2d
    ok = True
    for name, output_stride, bins, windows, size, batch in [
            ("classifier", 32, (), None, (67, 45), 2),
            ("classifier, 1x1", 32, (), None, (1, 1), 1),
            ("SPP-net", 8, (6, 3, 2, 1), strided, (65, 75), 3),
            ("SPP-net, map of 6x8", 8, (6, 3, 2, 1), strided, (48, 64), 1),
            ("SPP-net, one bin", 32, (2,), strided, (97, 65), 1),
            ("SPP-net, adaptive", 8, (4, 2, 1), adaptive, (65, 75), 2),
            ("SPP-net, more bins than map", 16, (7, 3), adaptive, (33, 40), 1)]:
        if args.only and args.only not in name:
            continue
        torch.manual_seed(0)
        strides = {32: (1, 2, 2, 2), 16: (1, 2, 2, 1), 8: (1, 2, 1, 1)}[output_stride]
        dilations = {32: (1, 1, 1, 1), 16: (1, 1, 1, 2), 8: (1, 1, 2, 4)}[output_stride]
        model = classifiers.Classifier(strides, dilations, bins, windows)
        classifiers.stir(model)
        model.eval()
        x = torch.randn(batch, 3, *size)
        with torch.no_grad():
            want = model.double()(x.double())[:, :, None, None].numpy()  # giza's logits are a map of one pixel
        settings = {"spp_bins": list(bins), "spp_windows": "strided" if windows is strided else "adaptive"} if bins else {}
        description = classifiers.description("spp" if bins else "classifier", output_stride, **settings)
        state = {key.replace("conv1.", "layer0.0.") if key.startswith("conv1.") else
                 key.replace("bn1.", "layer0.1.") if key.startswith("bn1.") else key: value
                 for key, value in model.state_dict().items()}
        ok &= check_network(args, name, state, {"giza.model": json.dumps(description)}, x.numpy(), want, 1e-5)
    return ok


def peer(args):
    sys.path.insert(0, str(pathlib.Path(args.peer).parent))
    module = __import__(pathlib.Path(args.peer).stem)
    torch.manual_seed(args.seed)
    model = module.PSPNet(args.depth, args.classes)
    for m in model.modules():  # statistics as training would leave them: not 0 and 1
        if isinstance(m, torch.nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.5, 1.5)
    model.eval()
    x = torch.randn(args.batch, 3, args.size, args.size)
    with torch.no_grad():
        want = model(x).numpy()
    return check_network(args, f"PSPNet{args.depth} at {args.size}", model.state_dict(), None, x.numpy(), want, 1e-4)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--giza", required=True, help="the program")
    parser.add_argument("--convert", help="another program to convert with")
    parser.add_argument("--only", help="small networks whose name contains this")
    parser.add_argument("--peer", help="pspnet_torch.py, for a whole network")
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--size", type=int, default=473)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--classes", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    ok = peer(args) if args.peer else small_networks(args) & small_classifiers(args)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
