#!/usr/bin/env python3
"""Makes a folder for `giza verify` with PyTorch: python3 make_verify_folder.py OUT [options] (PyTorch 2.13.0, NumPy 2).

Beside weights, input, labels, logits, losses and gradients it holds steps of SGD from the same weights: a batch a step,
poly learning rate, ten times the rate for ppm, cls and aux. Everything is computed in float32, as PyTorch does by
itself. The folder tests/golden/verify was made with: verify --blocks 1 1 1 1 --basic --width 8 --size 33 26
--batch 2 --classes 5 --steps 10
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from make_pspnet_goldens import Net

parser = argparse.ArgumentParser()
parser.add_argument("out")
parser.add_argument("--blocks", type=int, nargs=4, default=(3, 4, 6, 3))
parser.add_argument("--basic", action="store_true", help="basic residual blocks instead of bottlenecks")
parser.add_argument("--plain", action="store_true", help="the stem of one 7x7 convolution")
parser.add_argument("--width", type=int, default=64, help="channels of the first stage, a multiple of 8")
parser.add_argument("--size", type=int, nargs=2, default=(97, 97))
parser.add_argument("--batch", type=int, default=2)
parser.add_argument("--classes", type=int, default=21)
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--base-lr", type=float, default=0.01)
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()

torch.manual_seed(args.seed)
model = Net(args.blocks, not args.basic, "plain" if args.plain else "deep", args.width, (1, 2, 3, 6), "average", True,
            False, args.classes)
for module in model.modules():
    if isinstance(module, nn.BatchNorm2d):  # a fresh one is the identity, which hides mistakes
        nn.init.uniform_(module.weight, 0.5, 1.5)
        nn.init.normal_(module.bias, 0, 0.2)
        nn.init.normal_(module.running_mean, 0, 0.2)
        nn.init.uniform_(module.running_var, 0.5, 1.5)


def batch():
    labels = torch.randint(0, args.classes, (args.batch, *args.size))
    labels[torch.rand(labels.shape) < 0.1] = 255
    return torch.randn(args.batch, 3, *args.size), labels


def losses(x, labels):
    return [F.cross_entropy(logits, labels, ignore_index=255) for logits in model(x)]


out = pathlib.Path(args.out)
out.mkdir(parents=True, exist_ok=True)
torch.save(model.state_dict(), out / "weights.pth")
x, labels = batch()
np.save(out / "input.npy", x.numpy())
np.save(out / "label.npy", labels.numpy().astype(np.uint8))
model.eval()
with torch.no_grad():
    np.save(out / "logits.npy", model(x)[0].numpy())
model.train()
main, aux = losses(x, labels)
(main + 0.4 * aux).backward()
np.save(out / "loss.npy", np.array([main.item(), aux.item()]))
torch.save({name: p.grad for name, p in model.named_parameters()}, out / "grads.pth")

# The steps begin at the same weights; training mode uses the batch's own statistics, so the pass above left no trace.
new = [p for name, p in model.named_parameters() if name.startswith(("ppm.", "cls.", "aux."))]
old = [p for name, p in model.named_parameters() if not name.startswith(("ppm.", "cls.", "aux."))]
schedule = {"base_lr": args.base_lr, "iterations": args.steps, "power": 0.9, "momentum": 0.9, "weight_decay": 1e-4,
            "new_layer_lr": 10, "aux_weight": 0.4}
optimizer = torch.optim.SGD([{"params": old}, {"params": new}], lr=args.base_lr, momentum=schedule["momentum"],
                            weight_decay=schedule["weight_decay"])
batches, rows = [batch() for _ in range(args.steps)], []
for t, (x, labels) in enumerate(batches):
    rate = args.base_lr * (1 - t / args.steps) ** schedule["power"]
    optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"] = rate, rate * schedule["new_layer_lr"]
    optimizer.zero_grad(set_to_none=True)
    main, aux = losses(x, labels)
    (main + schedule["aux_weight"] * aux).backward()
    optimizer.step()
    rows.append([main.item(), aux.item()])
(out / "sgd.json").write_text(json.dumps(schedule, indent=1) + "\n")
np.save(out / "sgd_input.npy", np.stack([x.numpy() for x, _ in batches]))
np.save(out / "sgd_label.npy", np.stack([labels.numpy().astype(np.uint8) for _, labels in batches]))
np.save(out / "sgd_loss.npy", np.array(rows))
print(json.dumps({"torch": torch.__version__, "out": args.out, "losses": rows}))
