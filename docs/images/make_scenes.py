"""Makes the pictures of docs/scenes.md: python3 docs/images/make_scenes.py build/release/giza (needs Pillow)."""
import pathlib
import subprocess
import sys
import tempfile

from PIL import Image

GAP = 4


def scenes(giza, out, *flags):
    subprocess.run([giza, "scenes", "--out", out, "--val", "0", "--quiet", *flags], check=True, stdout=subprocess.DEVNULL)
    root = pathlib.Path(out)
    palette = [int(v) for v in (root / "colors.txt").read_text().split()]
    pairs = []
    for line in (root / "train.txt").read_text().splitlines():
        image, label = line.split()
        indices = Image.open(root / label)
        indices.putpalette(palette)
        pairs.append((Image.open(root / image), indices.convert("RGB")))
    return pairs


def sheet(rows, zoom, path):
    width, height = rows[0][0].size
    out = Image.new("RGB", (len(rows[0]) * (width + GAP) - GAP, len(rows) * (height + GAP) - GAP), "white")
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            out.paste(image, (x * (width + GAP), y * (height + GAP)))
    out = out.resize((out.width * zoom, out.height * zoom), Image.NEAREST)
    out.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, out.size, path.stat().st_size // 1024, "KB")


def main():
    giza, here = sys.argv[1], pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        some = scenes(giza, folder + "/some", "--train", "12", "--seed", "1")
        sheet([[p[0] for p in some[i : i + 4]] for i in range(0, 12, 4)], 1, here / "scenes_examples.png")
        columns = []
        for ground, skyline in (("water", "town"), ("road", "town"), ("water", "city"), ("road", "city")):
            flags = ("--train", "1", "--seed", "12", "--ground", ground, "--skyline", skyline)
            columns.append(scenes(giza, f"{folder}/{ground}_{skyline}", *flags)[0])
        sheet([[c[0] for c in columns], [c[1] for c in columns]], 2, here / "scenes_contexts.png")
        large = scenes(giza, folder + "/large", "--train", "5", "--seed", "4", "--size", "240x480")
        sheet([list(large[1]), list(large[4])], 1, here / "scenes_large.png")


main()
