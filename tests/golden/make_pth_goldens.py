#!/usr/bin/env python3
"""Writes tests/golden/pth/*.pth, small files of torch.save of every kind that giza reads, and pth.json with what
torch.load makes of them. Made with PyTorch 2.13.0+cpu, NumPy 2.4.6 and Python
3.11. Run from anywhere.

A file's serialization_id is random, so the files differ from run to run; their tensors do not.
"""
import argparse
import io
import json
import pathlib
import zipfile
from collections import OrderedDict, deque
from unittest import mock

import numpy
import torch

FOLDER = pathlib.Path(__file__).parent / "pth"
expected = {}


def tensors_of(state):
    """Name, shape, type and numbers of each tensor, in order; floats as the bits of their float32."""
    result = []
    for name, tensor in state.items():
        kind = str(tensor.dtype).removeprefix("torch.")
        floats = tensor.dtype.is_floating_point
        bits = tensor.detach().float().contiguous().view(torch.int32) if floats else tensor
        result.append([name, list(tensor.shape), kind, bits.flatten().tolist()])
    return result


class History:
    """As training libraries keep their logs: a class that giza does not know, with arrays in it."""

    def __init__(self):
        self.values = numpy.arange(3.0)
        self.functions = {"mean": len}
        self.itself = self


def foreign(state):
    loop = []
    loop.append(loop)
    return {
        "state_dict": state,
        "hyper_parameters": argparse.Namespace(lr=numpy.float64(0.1), sizes=deque([1, 2])),
        "message_hub": {"loss": History()},
        "loop": loop,
        "function": torch.nn.functional.relu,
        "sparse": torch.eye(2).to_sparse(),
        "complex": torch.ones(2, dtype=torch.complex64).conj(),
        "float8": torch.ones(2).to(torch.float8_e4m3fn),
        "meta": torch.ones(2, device="meta"),
        "frozen": frozenset([2**300]),
    }


def save(name, whole, state=None, stream=False, safe=True, **options):
    path = FOLDER / f"{name}.pth"
    torch.save(whole, path, _use_new_zipfile_serialization=not stream, **options)
    # PyTorch calls all of them safe, but its restricted unpickler knows the opcodes of protocol 2 alone.
    torch.load(path, weights_only=safe and "pickle_protocol" not in options)
    expected[name] = tensors_of(whole if state is None else state)


def numbers(*shape, dtype=torch.float32):
    """Numbers with fractions that half precision rounds, and both signs."""
    count = torch.Size(shape).numel()
    return ((torch.arange(count, dtype=torch.float64) * 7 % 11 - 5) / 3).reshape(shape).to(dtype)


def trained_net():
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3, bias=False), torch.nn.BatchNorm2d(3), torch.nn.ReLU(),
                              torch.nn.Conv2d(3, 2, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 5])  # its state holds a Counter
    for _ in range(3):
        optimizer.zero_grad()
        net(numbers(2, 2, 5, 5)).square().mean().backward()
        optimizer.step()
        scheduler.step()
    return net, optimizer, scheduler


def views():
    base = numbers(4, 6)
    row = numbers(3)
    return {
        "base": base,
        "shared": base,
        "transposed": base.t(),
        "columns": base[:, ::2],
        "offset": base[2, 1:],
        "expanded": row.expand(2, 2, 3),
        "unit_axes": base[1:2, None, 3:4].permute(2, 1, 0),
        "channels_last": numbers(2, 3, 2, 2).contiguous(memory_format=torch.channels_last),
        "scalar": torch.tensor(2.5),
        "of_a_row": row[1],
        "empty": torch.empty(0, 7),
        "empty_view": base[:, 6:],
        "count": torch.tensor(2**40 + 1),
        "counts": torch.arange(6).reshape(2, 3).t(),
    }


class Pipe(io.BytesIO):
    """Does not seek, so that zipfile leaves sizes to descriptors behind the data."""

    def seekable(self):
        return False

    def seek(self, *place):
        raise OSError

    def tell(self):
        raise OSError


def repack(name, state, out=None, edit=lambda name, data: data, zip64=False, comment=b"", behind=b""):
    """torch.save's records in a zip that another program writes, which torch.load reads too."""
    saved = io.BytesIO()
    torch.save(state, saved)
    out = io.BytesIO() if out is None else out
    with zipfile.ZipFile(saved) as records, zipfile.ZipFile(out, "w") as archive:
        archive.comment = comment
        for record in records.infolist():
            with archive.open(zipfile.ZipInfo(record.filename), "w", force_zip64=zip64) as file:
                file.write(edit(record.filename, records.read(record)))
    (FOLDER / f"{name}.pth").write_bytes(out.getvalue() + behind)
    loaded = torch.load(FOLDER / f"{name}.pth")
    expected[name] = tensors_of(loaded)
    assert expected[name] == tensors_of(state), name


def repacked():
    types = {kind: numbers(3).to(getattr(torch, kind))
             for kind in ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "uint8", "bool")}
    sizes = [tensor.element_size() for tensor in types.values()]

    def big_endian(name, data):
        if name.endswith("/byteorder"):
            return b"big"
        if "/data/" not in name:
            return data
        size = sizes[int(name.rpartition("/")[2])]
        return b"".join(data[i:i + size][::-1] for i in range(0, len(data), size))
    repack("big_endian", types, edit=big_endian)
    repack("zip_comment", types, comment=b"made by hand")
    repack("zip_bytes_behind", types, behind=bytes(100))
    repack("zip_descriptors", types, Pipe())
    repack("zip64_records", types, zip64=True)
    repack("zip64_descriptors", types, Pipe(), zip64=True)


def main():
    FOLDER.mkdir(exist_ok=True)
    net, optimizer, scheduler = trained_net()
    state = net.state_dict()
    save("zip", state)
    save("stream", state, stream=True)
    for protocol in (3, 4, 5):
        save(f"protocol{protocol}", {"model": state, "note": {"a", 1}, "raw": b"\x00\xff"}, state,
             pickle_protocol=protocol)
    save("protocol4_stream", state, stream=True, pickle_protocol=4)
    special = torch.tensor([0.0, -0.0, 1e-7, 6e-8, 5.96e-8, 65504.0, -1 / 3, 1e-40, 1e300], dtype=torch.float64)
    types = {"half": special.half(), "bfloat16": special.bfloat16(), "double": special, "float": special.float()}
    save("types", types)
    save("types_stream", types, stream=True)
    save("views", views())
    save("views_stream", views(), stream=True)

    # A semseg checkpoint: DataParallel's prefix, everything beside it that real ones hold.
    wrapped = OrderedDict(("module." + name, tensor) for name, tensor in state.items())
    checkpoint = {
        "epoch": 200,
        "best": 0.4277,
        "arch": "psp",
        "done": True,
        "nothing": None,
        "large": 2**70,
        "negative": -(2**33),
        "state_dict": wrapped,
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "random": torch.get_rng_state()[:16].clone(),
        "sizes": (torch.Size([3, 4]), torch.device("cpu"), torch.float32),
        "raw": b"\x00\xff",
        "names": {"wall", "floor"},
        "complex": 1 + 2j,
    }
    save("semseg", checkpoint, wrapped)
    with mock.patch("torch.serialization.location_tag", lambda storage: "cuda:0"):
        path = FOLDER / "semseg_stream.pth"
        torch.save(checkpoint, path, _use_new_zipfile_serialization=False)
        expected["semseg_stream"] = tensors_of(wrapped)
    # One of mmsegmentation: strings, lists and a configuration under "meta".
    meta = {"mmseg_version": "0.30.0", "config": "norm_cfg = dict(type='SyncBN')\n" * 20, "CLASSES": ["wall", "sky"],
            "PALETTE": [[120, 120, 120], [6, 230, 230]], "epoch": 1, "iter": 80000, "hook_msgs": {}, "time": "Sun"}
    save("mmseg", {"meta": meta, "state_dict": state, "optimizer": optimizer.state_dict()}, state)

    # The other ways to keep weights.
    save("parameters", OrderedDict(net.named_parameters()))
    tagged = torch.nn.Parameter(numbers(3))
    tagged.purpose = "decoration"
    save("parameter_with_state", {"tagged": tagged})
    save("gradients", {name: parameter.grad for name, parameter in net.named_parameters()})
    save("model", {"model": state, "model_name": "psp"}, state)
    save("model_name", {"model": "psp", "state_dict": state}, state)
    # With what is no tensor next to them, made by every opcode that Python has for it.
    for protocol in (1, 2, 4, 5):
        save(f"foreign{protocol}", foreign(state), state, safe=False, pickle_protocol=protocol)
    save("foreign_stream", {"state_dict": state, "log": History()}, state, safe=False, stream=True)
    save("buffers", {name: torch.nn.Buffer(tensor) for name, tensor in state.items()}, state)
    integers = ("int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool")
    save("integers", {kind: torch.tensor([0, 1, 100]).to(getattr(torch, kind)) for kind in integers})
    # What looks like weights, and is not those of a network; and files without checksums.
    layers = {"layer0.0.weight": numbers(2, 3), "layer1.0.bn1.bias": numbers(2)}
    save("metrics_beside", {"net": layers, "metrics": {"val.iou": numbers(1)}, "criterion": {"ce.weight": numbers(2)}},
         layers)
    save("same_twice", {"state_dict": layers, "model": layers}, layers)
    save("empty_state_dict", {"state_dict": {}, "net": layers}, layers)
    save("numpy_number", {**layers, "best_miou": numpy.float64(0.5), "dtype": numpy.dtype("f4")}, layers, safe=False)
    torch.serialization.set_crc32_options(False)
    save("no_checksums", layers)
    torch.serialization.set_crc32_options(True)
    repacked()
    with open(FOLDER.parent / "pth.json", "w", encoding="ascii") as out:
        json.dump(expected, out, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
