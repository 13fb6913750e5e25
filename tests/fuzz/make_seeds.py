#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets below a folder, one folder for each: make_seeds.py FOLDER. Needs Python alone.

Pictures and .pth files are the golden ones; a pickle's first byte says where its storages are, and that of metadata which
kind follows, as the targets expect.
"""
import json
import math
import pathlib
import struct
import sys
import zipfile

root = pathlib.Path(__file__).resolve().parent.parent.parent
golden = root / "tests" / "golden"
to = pathlib.Path(sys.argv[1])


def seed(target, name, data):
    folder = to / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


for path in sorted((golden / "pth").glob("*.pth")):
    seed("pth", path.name, path.read_bytes())
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            if archive.getinfo(name).CRC != 0:  # Python reads none without
                seed("pickle", path.stem, b"\0" + archive.read(name))

header = json.dumps({"__metadata__": {"a": "b"}, "x": {"dtype": "F32", "shape": [2, 1], "data_offsets": [8, 16]},
                     "y": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]},
                     "z": {"dtype": "F16", "shape": [0], "data_offsets": [16, 16]}}).encode()
seed("safetensors", "small", struct.pack("<Q", len(header)) + header + bytes(16))


def wire(number, value):
    """A field of Protocol Buffers: an integer, or bytes of fewer than 128."""
    tag = number << 3 | (0 if isinstance(value, int) else 2)
    tag = bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])
    return tag + (bytes([value]) if isinstance(value, int) else bytes([len(value)]) + value)


def caffe_layer(name, *shapes):
    blobs = b""
    for shape in shapes:
        count = math.prod(shape)
        blobs += wire(7, wire(5, struct.pack(f"<{count}f", *range(count))) + wire(7, wire(1, bytes(shape))))
    return wire(100, wire(1, name.encode()) + wire(2, b"Convolution") + blobs)


seed("caffemodel", "forms", (golden / "caffe" / "forms.caffemodel").read_bytes())
seed("caffemodel", "conv", wire(1, b"net") + caffe_layer("conv1_1_3x3_s2", (2, 3, 1, 1)) + caffe_layer("conv1_1_3x3_s2/bn", (2,)))
seed("caffemodel", "pyramid", b"".join(caffe_layer(f"conv5_3_pool{b}_conv", (1, 2, 1, 1)) for b in (1, 2, 3, 6)) +
     caffe_layer("conv5_4", (2, 6, 1, 1)) + caffe_layer("conv6", (2, 2, 1, 1), (2,)))
seed("caffemodel", "scale", caffe_layer("conv1", (2, 3, 1, 1), (2,)) + caffe_layer("bn_conv1", (2,), (2,), (1,)) +
     caffe_layer("scale_conv1", (2,), (2,)) + caffe_layer("res2a_branch2b", (1, 2, 1, 1)) + caffe_layer("fc1000", (1, 1, 2, 2)))
seed("caffemodel", "old", wire(2, wire(2, b"data") + wire(4, b"conv6") + wire(6, wire(1, 1) + wire(2, 1) + wire(3, 1) + wire(4, 2) + wire(5, bytes(8)))))


def npy(descr, order, shape, data, version=1):
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"
    text += " " * (63 - (len(text) + 10) % 64) + "\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text.encode() + data


seed("npy", "c", npy("<f4", False, (2, 3), struct.pack("<6f", *range(6))))
seed("npy", "fortran", npy("<f8", True, (2, 3), struct.pack("<6d", *range(6)), version=2))
seed("npy", "scalar", npy("<f4", False, (), bytes(4)))
seed("npy", "labels", npy("<i8", False, (2,), struct.pack("<2q", 1, 255)))

variants = (golden / "picture_variants.bin").read_bytes()
for entry in json.loads((golden / "picture_variants.json").read_text()):
    data = variants[entry["begin"]:entry["begin"] + entry["size"]]
    target = "jpeg" if data[:2] == b"\xff\xd8" else "png"
    seed(target, entry["name"], data)
    at = data.find(b"Exif\0\0")
    if at >= 0:
        seed("exif", entry["name"], data[at + 6:at + 6 + 200])
for order, sign in (("<", b"II"), (">", b"MM")):
    for orientation in (1, 6, 8):
        seed("exif", f"{sign.decode()}{orientation}", sign + struct.pack(
            order + "HIHHHIHH", 42, 8, 2, 0x0112, 3, 1, orientation, 0) + struct.pack(order + "HHIII", 0x8769, 4, 1, 38, 0))

for path in sorted((root / "configs").glob("*/*.yaml")) + sorted(golden.glob("semseg_*.yaml")):
    seed("config", f"{path.parent.name}_{path.name}", path.read_bytes())
seed("config", "words", "TRAIN:\n  bins: [1, 2, 3, 6]\n\0TRAIN.epochs\0003\0base_lr\0" "0.1\0TRAIN.layers\0018\0TEST.scales\0(0.5, 1.0)")
seed("config", "labels", "DATA: {classes: 2, label_map: {0: 0, 7: 1, 255: -1}}\nTRAIN:\n  class_weights: [1, 2.5]\n"
                         "  weight: ~\n  manual_seed: 9223372036854775807\n")

seed("list", "blanks", "a.png a_label.png\n# note\n\nb/c.jpg b/c.png\r\n")
seed("list", "tabs", "my pictures/a.png\tmasks/a.png\n")
seed("list", "commas", "\ufeffa.png,b.png\nc d.png , 'e, f.png'\n")
seed("list", "quotes", "\"a b.png\" \"c d.png\";\n")
seed("list", "colors", "0 0 0\n128 64 128\n255 255 255\n")
seed("list", "names", "road\ntraffic light\n")

line = {"type": "train", "iteration": 10, "epoch": 1, "lr": 0.01, "loss": 2.5, "main_loss": 2.0, "aux_loss": 1.0,
        "accuracy": 0.5, "images_per_second": 10.0, "seconds": 1.0}
test = {"type": "validation", "iteration": 10, "epoch": 1, "mIoU": 0.5, "mAcc": 0.5, "allAcc": 0.5,
        "mIoU_present": 0.5, "images": 4, "protocol": "crops of 97 x 97", "seconds": 2.0}
lines = [line, test, {**line, "iteration": 20, "loss": None}, line]
seed("log", "run", "".join(json.dumps(line) + "\n" for line in lines))
seed("log", "torn", json.dumps(line)[:40])

network = {"arch": "psp", "blocks": [2, 2, 2, 2], "block": "basic", "stem": "deep", "width": 0.5, "first_block": "full",
           "output_stride": 8, "bn_momentum": 0.1, "classes": 2, "head_channels": 64, "aux_channels": 32, "dropout": 0.1,
           "aux": True, "bins": [1, 2, 3, 6], "pool": "average", "ppm_reduce": True}
sums = {"steps": 3, "loss": 1.5, "main_loss": 1.0, "aux_loss": 0.5, "right": 10, "valid": 20}
protocol = {"base_size": 512, "crop_h": 97, "crop_w": 97, "scales": [0.5, 1.0], "mirror": True, "stride_rate": 2 / 3,
            "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
for kind, value in enumerate([network, sums, ["road", "sky"], [[0, 0, 0], [255, 0, 0]], protocol]):
    seed("metadata", f"kind{kind}", bytes([kind]) + json.dumps(value).encode())
old = {key: value for key, value in network.items() if key not in ("ppm_reduce", "arch")}
seed("metadata", "old", b"\0" + json.dumps({**old, "pyramid": True, "reduce": True}).encode())

for number, text in enumerate(["n1h60w60c512k512r3d4", "h7w9c3k8r1x3s2p0", "n2h1w1c1k1", "h8w8c4k4r2d3p1"]):
    seed("spec", str(number), text)
