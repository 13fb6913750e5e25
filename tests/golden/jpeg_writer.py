"""A small JPEG encoder for test files that usual programs do not write: any sampling factors, components and scans.

It does no colour transform and no DCT: the coefficients are given, or drawn at random.
"""
import struct

import numpy as np

def segment(code, content):
    return bytes([0xFF, code]) + struct.pack(">H", len(content) + 2) + content


def simple_table(symbols):
    """Counts and codes of a table whose symbols all have 8 bits: {symbol: (code, length)}."""
    assert len(symbols) < 256  # the code of ones alone is not allowed
    counts = [0] * 7 + [len(symbols)] + [0] * 8
    return counts, list(symbols), {symbol: (i, 8) for i, symbol in enumerate(symbols)}


class Bits:
    def __init__(self):
        self.bits = []

    def put(self, value, length):
        self.bits += [(value >> i) & 1 for i in range(length - 1, -1, -1)]

    def bytes(self, padding=1):
        bits = self.bits + [padding] * (-len(self.bits) % 8)
        out = bytes(int("".join(map(str, bits[i:i + 8])), 2) for i in range(0, len(bits), 8))
        return out.replace(b"\xff", b"\xff\0")


def number(value):
    """Size and extra bits of a coefficient or a difference (T.81, F.1.2)."""
    size = int(abs(value)).bit_length()
    return size, (value if value >= 0 else value + (1 << size) - 1)


class Jpeg:
    """A picture as coefficients. `components`: (id, h, v) each."""

    def __init__(self, width, height, components, rng, quantization=6, amplitude=40):
        self.width, self.height, self.components = width, height, components
        self.max_h = max(h for _, h, _ in components)
        self.max_v = max(v for _, _, v in components)
        self.mcus = (-(-width // (8 * self.max_h)), -(-height // (8 * self.max_v)))
        self.quantization = quantization
        self.coefficients = []
        for _, h, v in components:
            blocks = np.zeros((self.mcus[1] * v, self.mcus[0] * h, 64), int)
            blocks[..., 0] = rng.integers(-amplitude, amplitude, blocks.shape[:2])
            blocks[..., 1:12] = rng.integers(-9, 10, (*blocks.shape[:2], 11))
            blocks[..., 30] = rng.integers(-2, 3, blocks.shape[:2])
            self.coefficients.append(blocks)
        self.dc = simple_table(range(12))
        self.ac = simple_table([run * 16 + size for run in range(16) for size in range(11) if size or run in (0, 15)])

    def blocks(self, scan):
        """(component, block) in the order of a scan, a list per MCU."""
        if len(scan) == 1:
            _, h, v = self.components[scan[0]]
            columns = -(-self.width * h // (8 * self.max_h))
            rows = -(-self.height * v // (8 * self.max_v))
            return [[(scan[0], self.coefficients[scan[0]][y, x])] for y in range(rows) for x in range(columns)]
        return [[(c, self.coefficients[c][my * self.components[c][2] + y, mx * self.components[c][1] + x])
                 for c in scan for y in range(self.components[c][2]) for x in range(self.components[c][1])]
                for my in range(self.mcus[1]) for mx in range(self.mcus[0])]

    def data(self, scan, first=0, last=63, restart=0, padding=1):
        """The coded data of a scan, as a list of restart intervals."""
        dc, ac = self.dc[2], self.ac[2]
        intervals, mcus = [], self.blocks(scan)
        for begin in range(0, len(mcus), restart or len(mcus)):
            bits, before = Bits(), {}
            for mcu in mcus[begin:begin + (restart or len(mcus))]:
                for c, block in mcu:
                    if first == 0:
                        size, extra = number(int(block[0]) - before.get(c, 0))
                        before[c] = int(block[0])
                        bits.put(*dc[size])
                        bits.put(extra, size)
                    run = 0
                    for k in range(max(first, 1), last + 1):
                        if block[k] == 0:
                            run += 1
                            continue
                        while run > 15:
                            bits.put(*ac[0xF0])
                            run -= 16
                        size, extra = number(int(block[k]))
                        bits.put(*ac[run * 16 + size])
                        bits.put(extra, size)
                        run = 0
                    if run > 0 and last > 0:
                        bits.put(*ac[0])
            intervals.append(bits.bytes(padding))
        return intervals

    def start(self, restart=0, code=0xC0, precision=8, height=None, tables=True, wide=False):
        """Everything in front of the first scan but the first marker and applications' segments."""
        q = [self.quantization + i // 8 for i in range(64)]
        out = segment(0xDB, bytes([0x10]) + struct.pack(">64H", *q) if wide else bytes([0, *q]))
        height = self.height if height is None else height
        out += segment(code, struct.pack(">BHHB", precision, height, self.width, len(self.components)) + b"".join(
            bytes([i, h * 16 + v, 0]) for i, h, v in self.components))
        if tables:
            for number, (counts, symbols, _) in ((0, self.dc), (0x10, self.ac)):
                out += segment(0xC4, bytes([number, *counts, *symbols]))
        return out + (segment(0xDD, struct.pack(">H", restart)) if restart else b"")

    def scan_header(self, scan, first=0, last=63):
        return segment(0xDA, bytes([len(scan), *(b for c in scan for b in (self.components[c][0], 0)), first, last, 0]))

    def scan(self, scan, restart=0, first=0, last=63, padding=1):
        intervals = self.data(scan, first, last, restart, padding)
        out = intervals[0]
        for i, interval in enumerate(intervals[1:]):
            out += bytes([0xFF, 0xD0 + i % 8]) + interval
        return self.scan_header(scan, first, last) + out

    def file(self, head=b"", scans=None, restart=0, bands=None, end=b"\xff\xd9", **options):
        """`bands`: a progressive file with these bands of coefficients after the first, (first, last) each."""
        everything = list(range(len(self.components)))
        out = b"\xff\xd8" + head + self.start(restart, code=0xC2 if bands else options.pop("code", 0xC0), **options)
        if bands:
            out += self.scan(everything, restart, 0, 0)
            return out + b"".join(self.scan([c], restart, *band) for band in bands for c in everything) + end
        return out + b"".join(self.scan(scan, restart) for scan in scans or [everything]) + end
