#!/usr/bin/env python3
"""Writes the folder pictures/: small JPEG and PNG files of every kind, with what they hold, for tests/train/data/image/image_test.cc.

NAME.png or NAME.jpg is the file; NAME.rgb its pixels as 8-bit RGB, decoded by Pillow where it can and by construction
elsewhere; NAME.index its raw values if it is a label map. All are 13 x 7, JPEGs 21 x 17 pixels.
Made with Python 3.11, Pillow 13.0.0, numpy 2.4.6. Run in this folder: python3 make_picture_goldens.py
"""
import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

FOLDER = pathlib.Path("pictures")
WIDTH, HEIGHT = 13, 7
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_rows(samples, depth):
    """Rows of [height, width, channels] samples as PNG packs them, each with filter type 0."""
    out = bytearray()
    for row in samples.reshape(samples.shape[0], -1):
        out.append(0)
        if depth == 16:
            out += row.astype(">u2").tobytes()
        elif depth == 8:
            out += row.astype(np.uint8).tobytes()
        else:
            bits = "".join(format(int(value), f"0{depth}b") for value in row)
            bits += "0" * (-len(bits) % 8)
            out += bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
    return bytes(out)


def png(samples, kind, depth, palette=None, interlaced=False, extra=b""):
    height, width = samples.shape[:2]
    if interlaced:
        parts = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7]
        data = b"".join(pack_rows(part, depth) for part in parts if part.size)
    else:
        data = pack_rows(samples, depth)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))
    out += extra
    if palette is not None:
        out += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    half = zlib.compress(data, 9)
    middle = len(half) // 2
    return out + chunk(b"IDAT", half[:middle]) + chunk(b"IDAT", half[middle:]) + chunk(b"IEND", b"")


def write(name, data, rgb, index=None):
    (FOLDER / name).write_bytes(data)
    stem = (FOLDER / name).with_suffix("")
    try:
        decoded = Image.open(io.BytesIO(data))
        # Pillow clips 16-bit grey instead of reducing it, and applies an alpha channel only when asked.
        if decoded.mode not in ("I", "I;16", "I;16B"):
            pillow = np.asarray(decoded.convert("RGB"))
            if rgb is not None:
                assert np.array_equal(pillow, rgb), name
            rgb = pillow
    except (OSError, ValueError) as error:
        print(name, "not read by Pillow:", error)
    stem.with_suffix(".rgb").write_bytes(np.ascontiguousarray(rgb, np.uint8).tobytes())
    if index is not None:
        stem.with_suffix(".index").write_bytes(np.ascontiguousarray(index, np.uint8).tobytes())


def main():
    FOLDER.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    shape = (HEIGHT, WIDTH)

    def grey3(values):
        return np.repeat(values[..., None], 3, axis=2)

    for depth in (1, 2, 4, 8):
        index = rng.integers(0, 2**depth, shape)
        write(f"grey{depth}.png", png(index[..., None], GREY, depth), grey3(index * (255 // (2**depth - 1))), index)
        palette = rng.integers(0, 256, (2**depth, 3))
        write(f"palette{depth}.png", png(index[..., None], PALETTE, depth, palette), palette[index], index)
        write(f"palette{depth}_interlaced.png", png(index[..., None], PALETTE, depth, palette, True), palette[index], index)
    deep = rng.integers(0, 65536, shape)
    write("grey16.png", png(deep[..., None], GREY, 16), grey3(deep >> 8))
    color = rng.integers(0, 256, (*shape, 3))
    alpha = rng.integers(0, 256, (*shape, 1))
    write("rgb8.png", png(color, RGB, 8), color)
    write("rgb8_interlaced.png", png(color, RGB, 8, None, True), color)
    text = chunk(b"tEXt", b"Comment\0a") + chunk(b"zTXt", b"Big\0\0" + zlib.compress(bytes(3 << 20), 9))
    write("rgb8_texts.png", png(color, RGB, 8, extra=text), color)
    write("rgba8.png", png(np.concatenate([color, alpha], 2), RGBA, 8), color)
    write("grey_alpha8.png", png(np.concatenate([color[..., :1], alpha], 2), GREY_ALPHA, 8), grey3(color[..., 0]))
    deep = rng.integers(0, 65536, (*shape, 3))
    write("rgb16.png", png(deep, RGB, 16), deep >> 8)

    y, x = np.mgrid[0:17, 0:21]
    smooth = np.stack([128 + 100 * np.sin(0.2 * x + 0.1 * c * y + c) for c in range(3)], -1).astype(np.uint8)
    picture = Image.fromarray(smooth)

    def jpeg(image, **options):
        out = io.BytesIO()
        image.save(out, "JPEG", quality=90, **options)
        return out.getvalue()

    write("full.jpg", jpeg(picture, subsampling=0), None)
    write("half.jpg", jpeg(picture, subsampling=2), None)
    write("progressive.jpg", jpeg(picture, subsampling=2, progressive=True), None)
    write("restart.jpg", jpeg(picture, subsampling=0, restart_marker_blocks=2), None)
    write("grey.jpg", jpeg(picture.convert("L")), None)
    write("profile.jpg", jpeg(picture, subsampling=0, icc_profile=bytes(70000)), None)


if __name__ == "__main__":
    main()
