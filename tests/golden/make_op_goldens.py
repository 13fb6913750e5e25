#!/usr/bin/env python3
"""Writes op_goldens.json: small results of PyTorch that tests/tensor/ops/golden_test.cc holds giza's ops against.

Made with PyTorch 2.13 on a CPU; the version that ran is in the file. All arrays are in PyTorch's order (NCHW, OIHW) as
{"shape": [...], "data": [...]}, with enough digits for float32. Run it again only to add cases:
  python3 make_op_goldens.py
"""
import json
import pathlib

import torch
import torch.nn.functional as F

SEPARATORS = (",", ":")
torch.manual_seed(2017)
torch.set_num_threads(1)


def array(tensor):
    values = tensor.detach().float().flatten().tolist()
    return {"shape": list(tensor.shape), "data": [float(f"{v:.9g}") for v in values]}


def leaf(tensor):
    return tensor.clone().requires_grad_(True)


def with_gradient(y, x):
    """y, a seed like y, and d(sum(seed * y)) / dx for each of x."""
    seed = torch.randn_like(y)
    y.backward(seed)
    return {"y": array(y), "dy": array(seed), "dx": [array(v.grad) for v in x]}


def conv2d():
    for n, c, k, h, w, r, stride, padding, dilation in [
        (2, 3, 4, 7, 6, 3, 1, 1, 1), (1, 5, 3, 9, 9, 3, 1, 4, 4), (1, 3, 4, 9, 8, 3, 2, 1, 1),
        (1, 4, 3, 5, 5, 1, 2, 0, 1), (1, 2, 3, 5, 4, 3, 1, 12, 12), (1, 3, 2, 9, 9, 7, 2, 3, 1),
    ]:
        x, weight, bias = leaf(torch.randn(n, c, h, w)), leaf(torch.randn(k, c, r, r)), leaf(torch.randn(k))
        y = F.conv2d(x, weight, bias, stride=stride, padding=padding, dilation=dilation)
        yield {"x": array(x), "w": array(weight), "bias": array(bias), "stride": stride, "padding": padding,
               "dilation": dilation, **with_gradient(y, [x, weight, bias])}


def pool(function):
    for n, c, h, w, bins in [(1, 2, 7, 5, 3), (2, 3, 6, 6, 2), (1, 2, 3, 2, 6), (1, 2, 5, 7, 1), (1, 1, 13, 13, 6)]:
        x = leaf(torch.randn(n, c, h, w))
        yield {"x": array(x), "bins": bins, **with_gradient(function(x, bins), [x])}


def max_pool2d():
    for n, c, h, w, kernel, stride, padding, ties in [
        (1, 3, 7, 9, 3, 2, 1, False), (2, 2, 8, 8, 3, 2, 1, True), (1, 2, 6, 6, 2, 2, 0, True), (1, 2, 5, 5, 3, 1, 1, True),
    ]:
        x = leaf(torch.randint(0, 2, (n, c, h, w)).float() if ties else torch.randn(n, c, h, w))
        yield {"x": array(x), "kernel": kernel, "stride": stride, "padding": padding,
               **with_gradient(F.max_pool2d(x, kernel, stride, padding), [x])}


def resize_bilinear():
    for n, c, h, w, height, width in [
        (1, 2, 4, 5, 9, 7), (2, 3, 1, 1, 3, 4), (1, 2, 6, 6, 1, 1), (1, 2, 9, 7, 4, 5), (1, 1, 3, 3, 13, 13), (1, 2, 2, 3, 2, 3),
    ]:
        for align_corners in (False, True):
            x = leaf(torch.randn(n, c, h, w))
            y = F.interpolate(x, (height, width), mode="bilinear", align_corners=align_corners)
            yield {"x": array(x), "height": height, "width": width, "align_corners": align_corners, **with_gradient(y, [x])}


def batch_norm():
    for n, c, h, w, training, momentum in [
        (2, 3, 4, 5, True, 0.1), (3, 4, 1, 1, True, 0.1), (1, 2, 5, 5, True, 0.03), (2, 3, 4, 5, False, 0.1),
    ]:
        x = leaf(torch.randn(n, c, h, w) * 2 + 1)
        gamma, beta = leaf(torch.randn(c)), leaf(torch.randn(c))
        mean, var = torch.randn(c), torch.rand(c) + 0.5
        case = {"x": array(x), "gamma": array(gamma), "beta": array(beta), "mean": array(mean), "var": array(var),
                "training": training, "momentum": momentum, "eps": 1e-5}
        y = F.batch_norm(x, mean, var, gamma, beta, training=training, momentum=momentum, eps=1e-5)
        yield {**case, **with_gradient(y, [x, gamma, beta]), "new_mean": array(mean), "new_var": array(var)}


def softmax():
    for n, c, h, w, scale in [(2, 5, 3, 2, 1.0), (1, 21, 2, 2, 4.0)]:
        x = leaf(torch.randn(n, c, h, w) * scale)
        yield {"x": array(x), **with_gradient(F.softmax(x, dim=1), [x])}


def cross_entropy():
    for n, c, h, w, weighted, ignored, scale in [
        (2, 5, 4, 3, False, 0.0, 1.0), (2, 5, 4, 3, False, 0.3, 1.0), (1, 7, 5, 5, True, 0.3, 1.0), (1, 4, 3, 3, True, 0.0, 20.0),
    ]:
        x = leaf(torch.randn(n, c, h, w) * scale)
        labels = torch.randint(0, c, (n, h, w))
        labels[torch.rand(n, h, w) < ignored] = 255
        weight = torch.rand(c) + 0.1 if weighted else None
        loss = F.cross_entropy(x, labels, weight=weight, ignore_index=255)
        loss.backward()
        yield {"x": array(x), "labels": labels.flatten().tolist(), "weights": array(weight) if weighted else None,
               "loss": float(f"{loss.item():.9g}"), "dx": [array(x.grad)]}


def linear():
    x, weight, bias = leaf(torch.randn(3, 5)), leaf(torch.randn(4, 5)), leaf(torch.randn(4))
    yield {"x": array(x), "w": array(weight), "bias": array(bias), **with_gradient(F.linear(x, weight, bias), [x, weight, bias])}


def sgd():
    p = leaf(torch.randn(17))
    start = array(p)
    optimiser = torch.optim.SGD([p], lr=0.05, momentum=0.9, weight_decay=0.01)
    gradients, after = [], []
    for _ in range(4):
        p.grad = torch.randn(17)
        gradients.append(array(p.grad))
        optimiser.step()
        after.append(array(p))
    yield {"p": start, "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.01, "gradients": gradients, "after": after}


def argmax():
    x = torch.randint(0, 3, (2, 4, 3, 3)).float()
    x[0, 2, 1, 1] = float("nan")
    labels = x.argmax(dim=1)
    x[0, 2, 1, 1] = -1e30  # JSON has no NaN; the reader puts it back where it finds this number
    yield {"x": array(x), "labels": labels.flatten().tolist()}


goldens = {
    "torch": torch.__version__,
    "conv2d": list(conv2d()),
    "adaptive_avg_pool2d": list(pool(F.adaptive_avg_pool2d)),
    "adaptive_max_pool2d": list(pool(F.adaptive_max_pool2d)),
    "max_pool2d": list(max_pool2d()),
    "resize_bilinear": list(resize_bilinear()),
    "batch_norm": list(batch_norm()),
    "softmax": list(softmax()),
    "cross_entropy": list(cross_entropy()),
    "linear": list(linear()),
    "sgd": list(sgd()),
    "argmax": list(argmax()),
}
out = pathlib.Path(__file__).with_name("op_goldens.json")
out.write_text("{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value, separators=SEPARATORS)}" for key, value in goldens.items()) + "\n}\n")
print(f"{out}: {out.stat().st_size} bytes")
