#!/usr/bin/env python3
"""Writes transforms.json and transforms.bin: what OpenCV makes of a small picture, for tests/train/data/transforms_test.cc.

Made with Python 3.11, numpy 2.4.6, opencv-python-headless 4.10.0.84 (the 4.x line is what semseg runs on; OpenCV 5
changed the warps). Run in this folder: python3 make_transform_goldens.py
"""
import json

import cv2
import numpy as np

MEAN = [0.485 * 255, 0.456 * 255, 0.406 * 255]
STD = [0.229 * 255, 0.224 * 255, 0.225 * 255]
IGNORE = 255

cases = []
blob = bytearray()


def put(array):
    """Appends an array; returns where it is."""
    kind = {"float32": "float32", "uint8": "uint8"}[str(array.dtype)]
    place = {"offset": len(blob), "height": array.shape[0], "width": array.shape[1], "type": kind}
    blob.extend(np.ascontiguousarray(array).tobytes())
    return place


def case(op, image, label, out_image, out_label, **parameters):
    entry = {"op": op, "parameters": parameters, "image": put(image), "label": put(label)}
    entry["out_image"] = put(out_image.astype(np.float32))
    entry["out_label"] = put(out_label)
    cases.append(entry)


def picture(width, height, seed):
    """Noise over waves, and blocks of classes 0..11 with some ignored pixels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 80 * np.sin(0.3 * x + 0.2 * y * c + c) for c in range(3)]
    image = np.clip(np.stack(waves, -1) + rng.normal(0, 40, (height, width, 3)), 0, 255).astype(np.uint8)
    label = ((x // 3 + 2 * (y // 4)) % 12).astype(np.uint8)
    label[rng.random((height, width)) < 0.05] = IGNORE
    return image, label


def rotate(image, label, angle):
    h, w = label.shape
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), angle, 1)
    image = cv2.warpAffine(image, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
                           borderValue=MEAN)
    label = cv2.warpAffine(label, matrix, (w, h), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT,
                           borderValue=IGNORE)
    return image, label


def scale(image, label, factor):
    image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    return image, cv2.resize(label, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)


def pad(image, label, width, height):
    pad_h, pad_w = max(height - label.shape[0], 0), max(width - label.shape[1], 0)
    border = (pad_h // 2, pad_h - pad_h // 2, pad_w // 2, pad_w - pad_w // 2)
    image = cv2.copyMakeBorder(image, *border, cv2.BORDER_CONSTANT, value=MEAN)
    return image, cv2.copyMakeBorder(label, *border, cv2.BORDER_CONSTANT, value=IGNORE)


def main():
    for index, (width, height) in enumerate([(19, 13), (16, 12)]):
        raw, label = picture(width, height, index)
        image = raw.astype(np.float32)
        for factor in (0.5, 0.61803, 0.75, 1.0, 1.3371, 1.5, 2.0):
            case("scale", raw, label, *scale(image, label, factor), factor=factor)
        for size in ((24, 9), (width, 20), (1, 1), (7, 31)):
            case("resize", raw, label, cv2.resize(image, size, interpolation=cv2.INTER_LINEAR),
                 cv2.resize(label, size, interpolation=cv2.INTER_NEAREST), width=size[0], height=size[1])
        for angle in (-10.0, -3.3, 0.7, 7.25, 45.0, 90.0):
            case("rotate", raw, label, *rotate(image, label, angle), degrees=angle)
        case("flip", raw, label, cv2.flip(image, 1), cv2.flip(label, 1))
        case("pad", raw, label, *pad(image, label, 24, 18), width=24, height=18)
        case("pad", raw, label, *pad(image, label, 9, 16), width=9, height=16)
        normal = (image - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
        case("normalize", raw, label, normal, label)
        # All in a row, with the numbers that the random chain would draw.
        out, out_label = scale(image, label, 1.21)
        out, out_label = rotate(out, out_label, 5.5)
        out = cv2.GaussianBlur(out, (5, 5), 0)
        out, out_label = cv2.flip(out, 1), cv2.flip(out_label, 1)
        out, out_label = pad(out, out_label, 17, 21)
        out, out_label = out[0:21, 2:19], out_label[0:21, 2:19]
        out = (out - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
        case("chain", raw, label, out, out_label, factor=1.21, degrees=5.5, width=17, height=21, x=2, y=0)
    for width, height in ((19, 13), (1, 1), (2, 3), (3, 2), (1, 5), (4, 1)):
        raw, label = picture(width, height, 7)
        case("blur", raw, label, cv2.GaussianBlur(raw.astype(np.float32), (5, 5), 0).reshape(height, width, 3), label)

    with open("transforms.json", "w", encoding="ascii") as file:
        rows = ",\n".join(json.dumps(entry) for entry in cases)
        file.write(f'{{"opencv": "{cv2.__version__}", "numpy": "{np.__version__}", "cases": [\n{rows}\n]}}\n')
    with open("transforms.bin", "wb") as file:
        file.write(blob)


if __name__ == "__main__":
    main()
