#!/usr/bin/env python3
"""Writes picture_variants.bin and picture_variants.json: small files of the kinds that cameras, phones, scanners and editors
write, and damaged ones, with what OpenCV's imread makes of them, for tests/train/data/image/variants_test.cc.

The .bin file holds all files one after another. The .json file has one entry for each: name, first byte and length; then
either width, height and FNV-1a of the RGB bytes ("rgb") as cv2.imread gives them, and of the raw indices ("labels") if it
is a label map; or "refused", a part of the message that is expected.
Made with Python 3.11, OpenCV 5.0.0, Pillow 13.0.0, numpy 2.4.6. Run in this folder: python3 make_picture_variants.py
"""
import io
import itertools
import json
import pathlib
import struct
import tempfile
import zlib

import cv2
import numpy as np
from PIL import Image

import jpeg_writer
from make_picture_goldens import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, chunk, png
from jpeg_writer import Jpeg, segment

TURNS = {2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.swapaxes(0, 1),
         6: lambda a: a.swapaxes(0, 1)[:, ::-1], 7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
         8: lambda a: a.swapaxes(0, 1)[::-1]}
entries, blob = [], bytearray()
rng = np.random.default_rng(7)


def fnv(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return f"{value:016x}"


def opencv(data):
    with tempfile.NamedTemporaryFile() as file:  # imdecode gives less than imread where an end marker is missing
        file.write(data)
        file.flush()
        picture = cv2.imread(file.name)
    return None if picture is None else picture[..., ::-1]


def add(name, data, **more):
    assert all(entry["name"] != name for entry in entries), name
    entries.append({"name": name, "begin": len(blob), "size": len(data), **more})
    blob.extend(data)


def good(name, data, labels=None):
    """What giza must read as OpenCV does."""
    picture = opencv(data)
    assert picture is not None, name
    more = {} if labels is None else {"labels": fnv(np.ascontiguousarray(labels, np.uint8).tobytes())}
    add(name, data, width=picture.shape[1], height=picture.shape[0], rgb=fnv(np.ascontiguousarray(picture).tobytes()),
        **more)


def bad(name, data, refused):
    """What giza must refuse, whatever OpenCV does."""
    add(name, data, refused=refused)


# JPEG

def scene(width, height, channels=3):
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([128 + 90 * np.sin(0.3 * x + 0.2 * c * y + c) for c in range(channels)], -1)
    return np.clip(smooth + rng.integers(-25, 26, smooth.shape), 0, 255).astype(np.uint8)


def pillow(width=17, height=13, mode="RGB", **options):
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    picture = scene(width, height, channels)
    out = io.BytesIO()
    Image.fromarray(picture[..., 0] if channels == 1 else picture, mode).save(out, "JPEG", **options)
    return out.getvalue()


def usual_jpegs():
    sizes = [(1, 1), (2, 3), (7, 5), (8, 8), (9, 17), (16, 16), (17, 13), (33, 31), (40, 40)]
    for (w, h), sampling, progressive in itertools.product(sizes, (0, 1, 2), (False, True)):
        good(f"jpeg_{w}x{h}_s{sampling}{'_progressive' * progressive}",
             pillow(w, h, subsampling=sampling, progressive=progressive, quality=90))
    for quality, progressive in itertools.product((1, 30, 100), (False, True)):
        good(f"jpeg_q{quality}{'_progressive' * progressive}", pillow(33, 25, quality=quality, progressive=progressive))
        good(f"jpeg_grey_q{quality}{'_progressive' * progressive}",
             pillow(19, 25, "L", quality=quality, progressive=progressive))
        good(f"jpeg_cmyk_q{quality}{'_progressive' * progressive}",
             pillow(19, 25, "CMYK", quality=quality, progressive=progressive))
    for blocks, sampling, progressive in itertools.product((1, 2, 7), (0, 2), (False, True)):
        good(f"jpeg_restart{blocks}_s{sampling}{'_progressive' * progressive}",
             pillow(40, 35, subsampling=sampling, restart_marker_blocks=blocks, progressive=progressive))
    good("jpeg_restart_rows", pillow(40, 40, restart_marker_rows=1))
    good("jpeg_optimized", pillow(40, 40, optimize=True))
    good("jpeg_profile", pillow(icc_profile=bytes(range(200))))
    good("jpeg_comment", pillow(comment=b"a comment"))
    good("jpeg_resolution", pillow(dpi=(300, 300)))
    good("jpeg_keep_rgb", pillow(keep_rgb=True))
    names = {411: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411, 420: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
             422: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, 440: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440}
    for (name, factor), (w, h) in itertools.product(names.items(), ((1, 9), (31, 23), (40, 40))):
        ok, data = cv2.imencode(".jpg", scene(w, h), [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor])
        good(f"jpeg_opencv_{name}_{w}x{h}", data.tobytes())


def adobe(transform):
    return segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform))


JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def odd_jpegs():
    """Sampling factors, components and scans that Pillow and OpenCV do not write."""
    for factors in (((2, 2), (1, 2), (2, 1)), ((1, 1), (2, 2), (2, 2)), ((4, 1), (1, 1), (1, 1)), ((1, 4), (1, 1), (1, 1)),
                    ((4, 2), (1, 1), (1, 1)), ((1, 2), (1, 1), (1, 1)), ((2, 1), (1, 1), (1, 1)), ((2, 2), (2, 1), (1, 2)),
                    ((3, 1), (1, 1), (1, 1)), ((1, 3), (1, 1), (1, 1)), ((3, 3), (1, 1), (1, 1)), ((2, 1), (2, 1), (2, 1)),
                    ((4, 1), (2, 1), (2, 1)), ((2, 2), (2, 2), (1, 1))):
        name = "_".join(f"{h}{v}" for h, v in factors)
        if sum(h * v for h, v in factors) > 10:  # too many blocks in an MCU, but one scan each may be
            continue
        for size in ((37, 29), (8, 9)):
            picture = Jpeg(*size, [(i + 1, h, v) for i, (h, v) in enumerate(factors)], rng)
            good(f"jpeg_factors_{name}_{size[0]}", picture.file())
        good(f"jpeg_factors_{name}_scans", picture.file(scans=[[0], [1], [2]]))
        good(f"jpeg_factors_{name}_bands", picture.file(bands=[(1, 5), (6, 63)]))
    ycc = [(1, 2, 2), (2, 1, 1), (3, 1, 1)]
    ink = [(1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1)]
    for name, components in (("ycc", ycc), ("ids_0", [(0, 1, 1), (1, 1, 1), (2, 1, 1)]),
                             ("ids_rgb", [(82, 1, 1), (71, 1, 1), (66, 1, 1)]), ("ink", ink),
                             ("ink_2111", [(1, 2, 2), (2, 1, 1), (3, 1, 1), (4, 2, 2)]), ("grey_22", [(1, 2, 2)]),
                             ("grey_13", [(9, 1, 3)])):
        picture = Jpeg(21, 18, components, rng)
        good(f"jpeg_{name}", picture.file())
        good(f"jpeg_{name}_jfif", picture.file(JFIF))
        for transform in (0, 1, 2, 7):
            if len(components) > 1:
                good(f"jpeg_{name}_adobe{transform}", picture.file(adobe(transform)))
        good(f"jpeg_{name}_jfif_adobe0", picture.file(JFIF + adobe(0)))
        good(f"jpeg_{name}_bands", picture.file(adobe(2) if len(components) == 4 else b"", bands=[(1, 20), (21, 63)]))
        good(f"jpeg_{name}_restart", picture.file(restart=1))
    picture = Jpeg(30, 30, ycc, rng)
    good("jpeg_extended", picture.file(code=0xC1))
    good("jpeg_wide_quantization", picture.file(wide=True))
    good("jpeg_restart_longer_than_picture", picture.file(restart=1000))
    good("jpeg_two_scans", picture.file(scans=[[0], [1, 2]]))
    good("jpeg_scans_backwards", picture.file(scans=[[2], [1], [0]]))
    for name, (padding, end) in {"padded_with_zeros": (0, b"\xff\xd9"), "padded_no_end": (1, b"")}.items():
        good(f"jpeg_{name}", b"\xff\xd8" + picture.start() + picture.scan([0, 1, 2], padding=padding) + end)


def segments_of(data):
    """[(code, whole segment)] in front of the scan's data, and the data."""
    at, parts = 2, []
    while True:
        size = 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
        parts.append((data[at + 1], data[at:at + size]))
        at += size
        if parts[-1][0] == 0xDA:
            return parts, data[at:]


def joined(parts, data, between=b"", before_marker=b""):
    return b"\xff\xd8" + b"".join(between + before_marker + part for _, part in parts) + data


def tiff(entries_, order="<", magic=42, offset=8, count=None, tail=b"\0\0\0\0"):
    out = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", magic, offset)
    out += bytes(max(0, offset - 8) if offset < 1000 else 0)
    out += struct.pack(order + "H", len(entries_) if count is None else count)
    for tag, kind, number, value in entries_:
        if not isinstance(value, bytes):
            value = {1: bytes([value, 0, 0, 0]), 3: struct.pack(order + "HH", value, 0),
                     4: struct.pack(order + "I", value)}[kind]
        out += struct.pack(order + "HHI", tag, kind, number) + value
    return out + tail


def orientation(value=6, order="<", kind=3, **options):
    return tiff([(0x112, kind, 1, value)], order, **options)


def exif_cases():
    """(name, EXIF data) with an orientation in many a form."""
    for order, name in (("<", "ii"), (">", "mm")):
        def far(value=9999):
            return struct.pack(order + "I", value)
        for value in range(11):
            yield f"{name}_{value}", orientation(value, order)
        turn = (0x112, 3, 1, 6)
        yield f"{name}_long", orientation(6, order, 4)
        yield f"{name}_byte", orientation(6, order, 1)
        yield f"{name}_two_values", tiff([(0x112, 3, 2, 6)], order)
        yield f"{name}_no_values", tiff([(0x112, 3, 0, 6)], order)
        yield f"{name}_magic43", orientation(6, order, magic=43)
        yield f"{name}_offset20", orientation(6, order, offset=20)
        yield f"{name}_offset_outside", orientation(6, order, offset=5000)
        yield f"{name}_offset_huge", orientation(6, order, offset=0xFFFFFFFF)
        yield f"{name}_count_beyond", orientation(6, order, count=500)
        yield f"{name}_count_zero", orientation(6, order, count=0)
        yield f"{name}_no_tail", orientation(6, order, tail=b"")
        yield f"{name}_cut_behind_value", orientation(6, order, tail=b"")[:-2]
        yield f"{name}_cut_in_value", orientation(6, order, tail=b"")[:-3]
        yield f"{name}_make", tiff([(0x10F, 2, 4, b"abc\0"), turn], order)
        yield f"{name}_make_outside", tiff([(0x10F, 2, 40, far()), turn], order)
        yield f"{name}_software_outside_behind", tiff([turn, (0x131, 2, 40, far())], order)
        yield f"{name}_resolution_outside", tiff([(0x11A, 5, 1, far()), turn], order)
        yield f"{name}_resolution", tiff([(0x11A, 5, 1, far(8)), (0x11B, 5, 1, far(8)), turn], order)
        yield f"{name}_other_outside", tiff([(0x100, 7, 100, far()), turn], order)
        yield f"{name}_two_entries", tiff([turn, (0x112, 3, 1, 3)], order)
        yield f"{name}_zero_first", tiff([(0x112, 3, 1, 0), turn], order)
    yield "order_xx", b"XX" + orientation(order=">")[2:]
    yield "empty", b""
    yield "one_byte", b"I"
    yield "only_order", b"II"


def containers():
    """What stands around the coded data."""
    base = pillow(subsampling=2)
    parts, data = segments_of(base)

    def with_heads(*heads, at=1):
        return joined(parts[:at] + [(0, head) for head in heads] + parts[at:], data)

    for name, content in exif_cases():
        good(f"jpeg_exif_{name}", with_heads(segment(0xE1, b"Exif\0\0" + content)))
    for value in (2, 5, 8):  # large enough for more than one tile
        picture = pillow(40, 33, progressive=value == 5, mode="L" if value == 8 else "RGB", exif=orientation(value))
        good(f"jpeg_exif_larger_{value}", picture)
    six, three = (segment(0xE1, b"Exif\0\0" + orientation(v, o)) for v, o in ((6, "<"), (3, ">")))
    xmp = segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta tiff:Orientation="8"/>')
    without = segment(0xE1, b"Exif\0\0" + tiff([(0x10F, 2, 4, b"abc\0")]))
    for name, heads in {"six_three": (six, three), "three_six": (three, six), "xmp_six": (xmp, six), "six_xmp": (six, xmp),
                        "xmp": (xmp,), "without_six": (without, six), "app2": (segment(0xE2, six[4:]),),
                        "short_six": (segment(0xE1, b"Exif"), six), "no_name": (segment(0xE1, b"abcdef" + orientation()),),
                        "one_zero": (segment(0xE1, b"Exif\0\xff" + orientation()),)}.items():
        good(f"jpeg_app1_{name}", with_heads(*heads))
    good("jpeg_exif_in_front_of_jfif", with_heads(six, at=0))
    good("jpeg_exif_without_jfif", joined([(0, six)] + parts[1:], data))
    good("jpeg_exif_behind_frame", with_heads(six, at=len(parts) - 1))
    good("jpeg_exif_behind_data", base[:-2] + six + b"\xff\xd9")
    good("jpeg_exif_large_thumbnail", with_heads(segment(0xE1, b"Exif\0\0" + orientation() + pillow(9, 9) + bytes(3000))))

    good("jpeg_jfif_thumbnail", joined([(0, segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\2\2" + bytes(12)))] + parts[1:], data))
    good("jpeg_jfxx", with_heads(segment(0xE0, b"JFXX\0\x10" + pillow(8, 8))))
    good("jpeg_mpo", base + with_heads(segment(0xE2, b"MPF\0" + bytes(30))))
    good("jpeg_fill_bytes", joined(parts, data[:-2] + b"\xff\xff\xff\xd9", before_marker=b"\xff\xff\xff"))
    for name, stray in (("", b"\x12\0\x34"), ("_stuffed", b"\xff\0\x34"), ("_long", bytes(1 + i % 200 for i in range(999)))):
        good(f"jpeg_stray{name}_between", joined(parts[:1], b"") + joined(parts[1:], data, stray)[2:])
    good("jpeg_no_end", base[:-2])
    good("jpeg_half_end", base[:-1])
    for size in (1, 3, 4, 199):
        good(f"jpeg_stray_before_end_{size}", base[:-2] + bytes(1 + i % 253 for i in range(size)) + b"\xff\xd9")
        good(f"jpeg_zeros_before_end_{size}", base[:-2] + bytes(size) + b"\xff\xd9")
        good(f"jpeg_stray_behind_end_{size}", base + bytes(7 * i % 256 for i in range(size)))
        good(f"jpeg_zeros_in_place_of_end_{size}", base[:-2] + bytes(size))
    # Motion JPEG has no Huffman tables: the standard ones are meant.
    bare = [part for part in parts if part[0] != 0xC4]
    good("jpeg_motion", joined(bare, data))
    good("jpeg_motion_grey", joined([p for p in segments_of(pillow(mode="L"))[0] if p[0] != 0xC4],
                                    segments_of(pillow(mode="L"))[1]))


def foreign_jpegs():
    picture = Jpeg(20, 20, [(1, 1, 1), (2, 1, 1), (3, 1, 1)], rng)
    for name, code, words in (("lossless", 0xC3, "lossless"), ("hierarchical", 0xC5, "hierarchical"),
                              ("arithmetic", 0xC9, "arithmetic"), ("arithmetic_progressive", 0xCA, "arithmetic"),
                              ("ls", 0xF7, "JPEG-LS")):
        bad(f"jpeg_{name}", picture.file(code=code), words)
    bad("jpeg_12_bits", picture.file(code=0xC1, precision=12), "12 bits per sample")
    bad("jpeg_dnl", b"\xff\xd8" + picture.start(height=0) + picture.scan([0, 1, 2]) +
        segment(0xDC, struct.pack(">H", 20)) + b"\xff\xd9", "DNL")
    bad("jpeg_two_components", Jpeg(20, 20, [(1, 1, 1), (2, 1, 1)], rng).file(), "2 colour components")
    ok = pillow()
    bad("jpeg_huge", ok.replace(struct.pack(">BHH", 8, 13, 17), struct.pack(">BHH", 8, 65000, 65000)), "65000 x 65000")
    bad("jpeg_only_start", b"\xff\xd8\xff", "ends before its picture")
    bad("jpeg_no_scan", ok[:ok.index(b"\xff\xda")] + b"\xff\xd9", "ends before its picture")


def damaged_jpegs():
    def entropy(data):
        return data.index(b"\xff\xda") + 14

    noisy = {"baseline": pillow(40, 40, quality=95), "progressive": pillow(40, 40, quality=95, progressive=True),
             "grey": pillow(40, 40, "L", quality=95), "restart": pillow(40, 40, quality=95, restart_marker_blocks=3)}
    for name, data in noisy.items():
        begin, size = entropy(data), len(data)
        for percent in (5, 30, 60, 90, 98):
            place = begin + (size - 2 - begin) * percent // 100
            bad(f"jpeg_{name}_cut_{percent}", data[:place], "damaged JPEG")
            bad(f"jpeg_{name}_cut_{percent}_with_end", data[:place] + b"\xff\xd9", "damaged JPEG")
            bad(f"jpeg_{name}_zeros_from_{percent}", data[:place] + bytes(size - place), "damaged JPEG")
        bad(f"jpeg_{name}_without_last_byte", data[:-3] + b"\xff\xd9", "damaged JPEG")
        middle = (begin + size) // 2
        if name != "progressive":
            bad(f"jpeg_{name}_hole", data[:middle - 200] + data[middle:], "damaged JPEG")
            bad(f"jpeg_{name}_zeroed", data[:middle - 200] + bytes(200) + data[middle:], "damaged JPEG")
    # Whole scans may be missing though every block that is there is sound.
    data = noisy["progressive"]
    scans = [i for i in range(len(data) - 1) if data[i:i + 2] == b"\xff\xda"]
    for number in range(1, len(scans)):
        tables = data.rfind(b"\xff\xc4", 0, scans[number])
        bad(f"jpeg_progressive_without_scan_{number}", data[:tables] + b"\xff\xd9", "of its scans")
    picture = Jpeg(40, 40, [(1, 1, 1), (2, 1, 1), (3, 1, 1)], rng)
    bad("jpeg_component_missing", picture.file(scans=[[0], [1]]), "component 3 of 3 is missing")
    restarts = noisy["restart"]
    at = restarts.index(b"\xff\xd1")
    bad("jpeg_restart_wrong", restarts[:at] + b"\xff\xd3" + restarts[at + 2:], "restart markers")
    bad("jpeg_restart_removed", restarts[:at] + restarts[at + 2:], "damaged JPEG")
    bad("jpeg_restart_not_announced", restarts.replace(b"\xff\xdd", b"\xff\xe9", 1), "damaged JPEG")
    bad("jpeg_second_start", noisy["baseline"][:2] + noisy["baseline"], "second picture")


def bytes_between_scans():
    """Zeros, fill bytes and stray bytes in front of the markers in and behind the coded data, and coded bytes that are there
    twice, so that the blocks behind them are shifted."""
    flat = np.full((35, 40, 3), 128, np.uint8)
    for mode, optimize, progressive, restart in itertools.product(("L", "RGB"), (False, True), (False, True), (0, 3)):
        out = io.BytesIO()
        Image.fromarray(flat if mode == "RGB" else flat[..., 0], mode).save(
            out, "JPEG", optimize=optimize, progressive=progressive, restart_marker_blocks=restart)
        data = out.getvalue()
        name = f"jpeg_flat_{mode}{'_optimized' * optimize}{'_progressive' * progressive}{'_restart' * (restart > 0)}"
        for size in (20, 500):
            good(f"{name}_zeros_{size}_before_end", data[:-2] + bytes(size) + b"\xff\xd9")
    for progressive in (False, True):
        # Blocks of few coefficients: a piece that lies within one block cannot be told.
        data = pillow(64, 48, quality=10, restart_marker_blocks=4, progressive=progressive)
        name = f"jpeg_restarts{'_progressive' * progressive}"
        inner = [i for i in range(data.index(b"\xff\xda") + 14, len(data) - 2)
                 if data[i] == 0xff and data[i + 1] not in (0, 0xff)]
        inner = [i for i in inner if data[i + 1] in (*range(0xd0, 0xd8), 0xc4)]

        def everywhere(stray):
            ends = [*inner, len(data)]
            return data[:inner[0]] + b"".join(stray + data[a:b] for a, b in zip(ends, ends[1:]))
        for kind, stray in (("fill", b"\xff\xff\xff"), ("zeros", bytes(20)), ("one_zero", b"\0")):
            good(f"{name}_{kind}_before_every_marker", everywhere(stray))
        if progressive:
            continue
        whole = opencv(data)
        for size, back, at in itertools.product((2, 3, 8), (4, 6), inner):
            piece = data[at - back - size:at - back]
            twice = data[:at - back] + piece + data[at - back:]
            if 0xff not in piece and data[at - back - size - 1] != 0xff and not np.array_equal(opencv(twice), whole):
                bad(f"{name}_{size}_bytes_twice_{back}_before_{at}", twice, "damaged JPEG")


# PNG

def index_of(shape, depth):
    return rng.integers(0, 2**depth, shape)


def usual_pngs():
    for (w, h), interlaced in itertools.product(((1, 1), (2, 3), (7, 5), (13, 8), (33, 9)), (False, True)):
        tail = f"{w}x{h}{'_interlaced' * interlaced}"
        for depth in (1, 2, 4, 8, 16):
            values = index_of((h, w), depth)
            good(f"png_grey{depth}_{tail}", png(values[..., None], GREY, depth, None, interlaced),
                 values if depth < 16 else None)
            if depth <= 8:
                palette = rng.integers(0, 256, (2**depth, 3))
                good(f"png_palette{depth}_{tail}", png(values[..., None], PALETTE, depth, palette, interlaced), values)
            if depth >= 8:
                for name, kind, channels in (("rgb", RGB, 3), ("rgba", RGBA, 4), ("grey_alpha", GREY_ALPHA, 2)):
                    good(f"png_{name}{depth}_{tail}", png(index_of((h, w, channels), depth), kind, depth, None, interlaced))


SHAPE = (6, 9)


def png_chunks():
    color, values = index_of((*SHAPE, 3), 8), index_of(SHAPE, 8)
    palette = rng.integers(0, 256, (256, 3))
    rgb = png(color, RGB, 8)
    key = struct.pack(">3H", *(int(v) for v in color[0, 0]))
    good("png_key_rgb", png(color, RGB, 8, extra=chunk(b"tRNS", key)))
    deep = index_of((*SHAPE, 3), 16)
    good("png_key_rgb16", png(deep, RGB, 16, extra=chunk(b"tRNS", struct.pack(">3H", *(int(v) for v in deep[0, 0])))))
    for depth in (1, 2, 4, 8):
        grey = index_of(SHAPE, depth)
        good(f"png_key_grey{depth}", png(grey[..., None], GREY, depth, extra=chunk(b"tRNS", struct.pack(">H", 1))), grey)
        with_alpha = png(grey[..., None], PALETTE, depth, palette[:2**depth])
        place = with_alpha.index(b"IDAT") - 4
        good(f"png_palette{depth}_alpha", with_alpha[:place] + chunk(b"tRNS", bytes(range(2**depth))) + with_alpha[place:],
             grey)
    good("png_palette_in_rgb", png(color, RGB, 8, palette[:7]))
    good("png_palette_short", png(values[..., None], PALETTE, 8, palette[:10]), values)
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(range(200))))
    for name, extra in {"gamma1": chunk(b"gAMA", struct.pack(">I", 100000)), "gamma": chunk(b"gAMA", struct.pack(">I", 45455)),
                        "gamma3": chunk(b"gAMA", struct.pack(">I", 300000)), "srgb": chunk(b"sRGB", b"\0"),
                        "chromaticities": chunk(b"cHRM", struct.pack(">8I", *range(30000, 38000, 1000))),
                        "profile": profile, "significant": chunk(b"sBIT", b"\5\5\5"), "own": chunk(b"abCd", b"junk"),
                        "background": chunk(b"bKGD", bytes(6)), "time": chunk(b"tIME", b"\0")}.items():
        good(f"png_chunk_{name}", png(color, RGB, 8, extra=extra))
        good(f"png_chunk_{name}_checksum", png(color, RGB, 8, extra=extra[:-4] + b"abcd"))
    good("png_gamma_grey16", png(index_of((*SHAPE, 1), 16), GREY, 16, extra=chunk(b"gAMA", struct.pack(">I", 45455))))
    for name, content in exif_cases():
        if len(content) >= 4:
            extra = chunk(b"eXIf", content)
            good(f"png_exif_{name}", png(color, RGB, 8, extra=extra))
    end = rgb[:-12]
    six, three = chunk(b"eXIf", orientation(6)), chunk(b"eXIf", orientation(3, ">"))
    good("png_exif_behind", end + six + rgb[-12:])
    good("png_exif_three_six", png(color, RGB, 8, extra=three)[:-12] + six + rgb[-12:])
    good("png_exif_two", png(color, RGB, 8, extra=six + three))
    good("png_exif_checksum", png(color, RGB, 8, extra=six[:-4] + b"abcd"))
    good("png_exif_checksum_three", png(color, RGB, 8, extra=six[:-4] + b"abcd" + three))
    good("png_exif_with_name", png(color, RGB, 8, extra=chunk(b"eXIf", b"Exif\0\0" + orientation())))
    text = b"Raw profile type exif\0\nexif\n%8d\n" % 32 + (b"Exif\0\0" + orientation()).hex().encode() + b"\n"
    good("png_exif_as_text", png(color, RGB, 8, extra=chunk(b"tEXt", text)))
    for value, turn in TURNS.items():
        extra = chunk(b"eXIf", orientation(value))
        good(f"png_labels_exif_{value}", png(values[..., None], GREY, 8, extra=extra), turn(values))
        small = index_of(SHAPE, 2)
        good(f"png_palette_exif_{value}", png(small[..., None], PALETTE, 2, palette[:4], True, extra=extra), turn(small))
    good("png_data_behind_end", rgb + b"hello" * 9)
    good("png_picture_behind_end", rgb + rgb)


def control(number, blend=0):
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, SHAPE[1], SHAPE[0], 0, 0, 1, 10, 0, blend))


def animations():
    first, second = index_of((*SHAPE, 3), 8), index_of((*SHAPE, 3), 8)
    two = chunk(b"acTL", struct.pack(">II", 2, 0))

    def animated(picture, kind, depth, extra, palette=None):
        still = png(picture, kind, depth, palette, extra=extra)
        other = png(second, RGB, 8)
        data = other[other.index(b"IDAT") + 4:]
        frame = chunk(b"fdAT", struct.pack(">I", 9) + data[:20])
        return still[:-12] + control(1) + frame + still[-12:]

    good("png_animated", animated(first, RGB, 8, two + control(0)))
    alpha = index_of((*SHAPE, 4), 8)
    good("png_animated_alpha", animated(alpha, RGBA, 8, two + control(0)))
    good("png_animated_one_frame", animated(first, RGB, 8, chunk(b"acTL", struct.pack(">II", 1, 0)) + control(0)))
    bad("png_animated_hidden", animated(first, RGB, 8, two), "animated PNG")
    bad("png_animated_16_bits", animated(index_of((*SHAPE, 3), 16), RGB, 16, two + control(0)), "animated PNG")
    bad("png_animated_blended", animated(alpha, RGBA, 8, two + control(0, 1)), "animated PNG")


def damaged_pngs():
    color = index_of((24, 40, 3), 8)
    rgb = png(color, RGB, 8)
    head = rgb[:33]
    data = zlib.compress(b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in color))

    def made(content, checksum=None):
        part = chunk(b"IDAT", content)
        return head + (part if checksum is None else part[:-4] + checksum) + chunk(b"IEND", b"")

    good("png_one_chunk", made(data))
    good("png_rows_too_many", made(zlib.compress(zlib.decompress(data) + bytes(300))))
    good("png_bytes_behind_data", made(data + b"junk"))
    good("png_empty_chunk", head + chunk(b"IDAT", b"") + made(data)[33:])
    for name, content in {"half": data[:len(data) // 2], "no_checksum": data[:-4], "wrong_checksum": data[:-4] + b"abcd",
                          "row_missing": zlib.compress(zlib.decompress(data)[:-121]),
                          "byte_missing": zlib.compress(zlib.decompress(data)[:-1]),
                          "bad_filter": zlib.compress(b"\7" + zlib.decompress(data)[1:])}.items():
        bad(f"png_{name}", made(content), "damaged PNG")
    for percent in (10, 50, 95):
        bad(f"png_cut_{percent}", rgb[:len(rgb) * percent // 100], "truncated")
        zeros = len(rgb) * percent // 100
        bad(f"png_zeros_from_{percent}", rgb[:zeros] + bytes(len(rgb) - zeros), "damaged PNG")
    bad("png_no_end", rgb[:-12], "truncated")
    bad("png_end_checksum", rgb[:-4] + b"abcd", "IEND: CRC error, behind its last row")
    bad("png_data_checksum", made(data, b"abcd"), "CRC error, at row")
    bad("png_header_checksum", rgb[:29] + b"abcd" + rgb[33:], "CRC error")
    bad("png_critical_unknown", head + chunk(b"ABCD", b"x") + made(data)[33:], "critical chunk")
    bad("png_split_data", head + chunk(b"IDAT", data[:50]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", data[50:]) + rgb[-12:],
        "damaged PNG")
    bad("png_apple", rgb[:8] + chunk(b"CgBI", b"\x50\0\x20\2") + rgb[8:], "CgBI")
    bad("png_no_palette", png(index_of((*SHAPE, 1), 8), PALETTE, 8), "PLTE")
    size = struct.pack(">II", 20000, 20000)
    bad("png_huge", rgb[:16] + size + rgb[24:29] + struct.pack(">I", zlib.crc32(rgb[12:16] + size + rgb[24:29])) + rgb[33:],
        "20000 x 20000")


def others():
    picture = Image.fromarray(scene(9, 7))
    for kind, words in (("BMP", "BMP"), ("GIF", "GIF"), ("WEBP", "WebP"), ("TIFF", "TIFF"), ("AVIF", "AVIF"), ("PPM", "PNM"),
                        ("JPEG2000", "JPEG 2000"), ("ICO", "ICO"), ("QOI", "QOI"), ("PDF", "PDF")):
        out = io.BytesIO()
        try:
            picture.save(out, kind)
        except (KeyError, OSError) as error:
            print(kind, "is not written by this Pillow:", error)
            continue
        bad(f"other_{kind.lower()}", out.getvalue()[:600], words)
    for name, (data, words) in {
            "heic": (b"\0\0\0\x18ftypheic" + bytes(20), "HEIC"), "html": (b"\n<!DOCTYPE html>\n<html>", "HTML"),
            "svg": (b'<?xml version="1.0"?>\n<svg>', "SVG"), "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
            "jxl": (b"\xff\x0a" + bytes(20), "JPEG XL"), "zip": (b"PK\3\4" + bytes(20), "ZIP"), "zeros": (bytes(40), "zeros"),
            "text": (b"hello you", "neither JPEG nor PNG")}.items():
        bad(f"other_{name}", data, words)


def main():
    for part in (usual_jpegs, odd_jpegs, containers, foreign_jpegs, damaged_jpegs, usual_pngs, png_chunks, animations,
                 damaged_pngs, others, bytes_between_scans):
        part()
    pathlib.Path("picture_variants.bin").write_bytes(blob)
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    pathlib.Path("picture_variants.json").write_text(f"[\n{lines}\n]\n")
    read = sum("rgb" in entry for entry in entries)
    print(f"{read} pictures that are read, {len(entries) - read} that are refused, {len(blob)} bytes")


if __name__ == "__main__":
    main()
