#!/usr/bin/env python3
"""Reads a run folder with TensorBoard itself, by hand: check_tensorboard.py RUN [--serve]

Holds every scalar that TensorBoard's EventAccumulator returns against log.jsonl, as float32 and step by step (so no step
may show twice after a resume), and decodes the pictures. --serve also starts the `tensorboard` beside this Python, both
with its data server in Rust and without, and compares what the browser would get.
Needs tensorboard and pillow; written with tensorboard 2.21.0.
"""
import argparse
import io
import json
import pathlib
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

KEYS = {"train": ("loss", "main_loss", "aux_loss", "accuracy", "lr", "images_per_second"), "val": ("mIoU", "mAcc", "allAcc")}


def logged(run):
    """tag -> [(step, value as float32)] from log.jsonl"""
    curves = {}
    for line in map(json.loads, (run / "log.jsonl").read_text().splitlines()):
        group = {"train": "train", "validation": "val"}[line["type"]]
        for key in KEYS[group]:
            curves.setdefault(f"{group}/{key}", []).append((line["iteration"], float(np.float32(line[key]))))
    return curves


def same(name, got, want):
    if got != want:
        sys.exit(f"{name}: TensorBoard has {got[:40]}\nlog.jsonl has {want[:40]}")


def check_files(run, want):
    reader = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    reader.Reload()
    tags = reader.Tags()
    same("scalar tags", sorted(tags["scalars"]), sorted(want))
    for tag, curve in want.items():
        same(tag, [(e.step, e.value) for e in reader.Scalars(tag)], curve)
    steps = [step for step, _ in want.get("val/mIoU", [])]
    for tag in tags["images"]:
        pictures = reader.Images(tag)
        same(tag, [e.step for e in pictures], steps)
        for e in pictures:
            picture = Image.open(io.BytesIO(e.encoded_image_string))
            picture.load()
            same(tag, [picture.size, picture.mode], [(e.width, e.height), "RGB"])
    print(f"EventAccumulator: {len(want)} curves of {sum(map(len, want.values()))} points are those of log.jsonl; "
          f"{len(tags['images'])} pictures at {len(steps)} validations decode")


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read()


def check_server(run, want, fast):
    port = 6123 if fast else 6124
    program = pathlib.Path(sys.executable).parent / "tensorboard"
    server = subprocess.Popen([program, "--logdir", run, "--port", str(port), "--load_fast", "true" if fast else "false",
                               "--samples_per_plugin", "scalars=100000,images=100"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    base = f"http://localhost:{port}/data/plugin"
    try:
        for _ in range(60):
            time.sleep(1)
            try:
                tags = json.loads(get(f"{base}/scalars/tags"))
                if tags.get(".") and set(tags["."]) == set(want):
                    break
            except OSError:
                pass
        same("tags of the server", sorted(tags["."]), sorted(want))
        time.sleep(2)
        for tag, curve in want.items():
            query = urllib.parse.urlencode({"run": ".", "tag": tag})
            points = json.loads(get(f"{base}/scalars/scalars?{query}"))
            same(f"{tag} of the server", [(step, float(np.float32(value))) for _, step, value in points], curve)
        images = json.loads(get(f"{base}/images/tags"))
        count = 0
        for tag in images.get(".", {}):
            for sample in json.loads(get(f"{base}/images/images?{urllib.parse.urlencode({'run': '.', 'tag': tag, 'sample': 0})}")):
                Image.open(io.BytesIO(get(f"{base}/images/individualImage?{sample['query']}"))).load()
                count += 1
        print(f"server {'with' if fast else 'without'} the data server: the same curves, {count} pictures")
    finally:
        server.terminate()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--serve", action="store_true")
    args = parser.parse_args()
    want = logged(args.run)
    check_files(args.run, want)
    if args.serve:
        for fast in (False, True):
            check_server(args.run, want, fast)


if __name__ == "__main__":
    main()
