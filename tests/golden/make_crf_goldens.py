#!/usr/bin/env python3
"""Writes crf.json: a picture of 16 x 20 pixels, probabilities of four classes, and Q of pydensecrf for several parameters.

Made with pydensecrf2 1.1 (the program of Kraehenbuehl and Koltun), NumPy 2.4.6 and Python 3.11.
"""
import json
import os

import numpy as np
import pydensecrf.densecrf as dcrf
from pydensecrf.utils import unary_from_softmax

HEIGHT, WIDTH, CLASSES = 16, 20, 4
KINDS = {"symmetric": dcrf.NORMALIZE_SYMMETRIC, "before": dcrf.NORMALIZE_BEFORE, "after": dcrf.NORMALIZE_AFTER,
         "none": dcrf.NO_NORMALIZATION}
# iterations, bilateral weight, xy, rgb, Gaussian weight, xy, normalization
SETTINGS = [(10, 4, 67, 3, 3, 1, kind) for kind in KINDS] + [
    (5, 4, 50, 10, 3, 3, "symmetric"), (1, 3, 30, 5, 3, 3, "symmetric"), (10, 0, 67, 3, 3, 2, "symmetric"),
    (3, 5, 8, 20, 0, 1, "after"), (0, 4, 67, 3, 3, 1, "symmetric"), (10, 2, 1.5, 60, 1, 0.7, "before")]


def infer(picture, probabilities, iterations, w1, xy1, rgb, w2, xy2, kind):
    crf = dcrf.DenseCRF2D(WIDTH, HEIGHT, CLASSES)
    crf.setUnaryEnergy(np.ascontiguousarray(unary_from_softmax(probabilities)))
    if w1:
        crf.addPairwiseBilateral(sxy=xy1, srgb=rgb, rgbim=picture, compat=w1, kernel=dcrf.DIAG_KERNEL,
                                 normalization=KINDS[kind])
    if w2:
        crf.addPairwiseGaussian(sxy=xy2, compat=w2, kernel=dcrf.DIAG_KERNEL, normalization=KINDS[kind])
    return np.array(crf.inference(iterations)).reshape(CLASSES, HEIGHT, WIDTH).transpose(1, 2, 0)


random = np.random.default_rng(1)
y, x = np.mgrid[:HEIGHT, :WIDTH]
disc = (x - 9) ** 2 + (y - 7) ** 2 < 30
picture = np.where(disc[..., None], [200, 90, 40], [60, 110, 170]) + random.integers(-6, 7, (HEIGHT, WIDTH, 3))
picture = np.ascontiguousarray(picture.astype(np.uint8))
scores = random.normal(0, 1.2, (CLASSES, HEIGHT, WIDTH))
scores[0] += 1.5 * ~disc
scores[1] += 1.5 * disc
probabilities = np.exp(scores) / np.exp(scores).sum(0)
probabilities[:, 3, 4] = [0, 1, 0, 0]  # clipped
probabilities = probabilities.round(4).astype(np.float32)

golden = {
    "version": "pydensecrf2 1.1", "height": HEIGHT, "width": WIDTH, "classes": CLASSES,
    "picture": picture.ravel().tolist(),
    "probabilities": [round(float(p), 4) for p in probabilities.transpose(1, 2, 0).ravel()],
    "cases": [{"iterations": s[0], "bilateral": s[1:4], "gaussian": s[4:6], "normalization": s[6],
               "q": [round(float(q), 7) for q in infer(picture, probabilities, *s).ravel()]} for s in SETTINGS],
}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "crf.json")
with open(path, "w", encoding="utf-8") as file:
    json.dump(golden, file)
    file.write("\n")
