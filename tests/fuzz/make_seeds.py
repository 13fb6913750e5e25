#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets below a folder: make_seeds.py FOLDER. Needs NumPy alone (tried with 2.x).

The .pth seeds are the golden files; their pickles seed pickle_fuzz, with the first byte that it expects. The pictures are
the golden ones too.
"""
import json
import pathlib
import shutil
import struct
import sys
import zipfile

import numpy

golden = pathlib.Path(__file__).resolve().parent.parent / "golden"
goldens = golden / "pth"
folders = {kind: pathlib.Path(sys.argv[1]) / kind for kind in ("pth", "pickle", "safetensors", "npy", "picture")}
for folder in folders.values():
    folder.mkdir(parents=True, exist_ok=True)
for path in goldens.glob("*.pth"):
    shutil.copy(path, folders["pth"])
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            (folders["pickle"] / path.stem).write_bytes(b"\0" + archive.read(name))
header = json.dumps({"__metadata__": {"a": "b"}, "x": {"dtype": "F32", "shape": [2, 1], "data_offsets": [8, 16]},
                     "y": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]},
                     "z": {"dtype": "F16", "shape": [0], "data_offsets": [16, 16]}}).encode()
(folders["safetensors"] / "small").write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
numpy.save(folders["npy"] / "c.npy", numpy.arange(6, dtype="f4").reshape(2, 3))
numpy.save(folders["npy"] / "fortran.npy", numpy.asfortranarray(numpy.arange(6, dtype="f8").reshape(2, 3)))
numpy.save(folders["npy"] / "scalar.npy", numpy.float32(1))
pictures = (golden / "picture_variants.bin").read_bytes()
for entry in json.loads((golden / "picture_variants.json").read_text()):
    (folders["picture"] / entry["name"]).write_bytes(pictures[entry["begin"]:entry["begin"] + entry["size"]])
