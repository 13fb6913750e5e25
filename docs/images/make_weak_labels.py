"""Makes the picture of docs/weak-labels.md: python3 docs/images/make_weak_labels.py build/release/giza (needs Pillow)."""
import pathlib
import subprocess
import sys
import tempfile

from PIL import Image

GAP = 4
THINGS = "[building, skyscraper, boat, car, lamp, sign]"
CONFIG = """
DATA: {{data_root: {0}, train_list: {0}/train.txt, classes: 12, names_path: {0}/names.txt, colors_path: {0}/colors.txt}}
TRAIN: {{batch_size: 1, train_h: 89, train_w: 185, evaluate: false}}
"""


def main():
    giza, here = sys.argv[1], pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([giza, "scenes", "--out", root / "scenes", "--train", "8", "--val", "0", "--seed", "1", "--quiet"], **quiet)
        (root / "config.yaml").write_text(CONFIG.format(root / "scenes"))
        pictures = [line.split()[0] for line in (root / "scenes/train.txt").read_text().splitlines()]
        rows = [[Image.open(root / "scenes" / pictures[i])] for i in (1, 4)]
        for kind in ("full", "box", "box_band", "box_inner"):
            subprocess.run([giza, "check", "--quiet", "--config", root / "config.yaml", "--labels", root / kind,
                            "DATA.weak_labels", kind, "DATA.thing_classes", THINGS], **quiet)
            for row, i in zip(rows, (1, 4)):
                row.append(Image.open(root / kind / "color" / pathlib.Path(pictures[i]).name).convert("RGB"))
        width, height = rows[0][0].size
        out = Image.new("RGB", (len(rows[0]) * (width + GAP) - GAP, len(rows) * (height + GAP) - GAP), "white")
        for y, row in enumerate(rows):
            for x, image in enumerate(row):
                out.paste(image, (x * (width + GAP), y * (height + GAP)))
        out.save(here / "weak_labels.png", optimize=True)


main()
