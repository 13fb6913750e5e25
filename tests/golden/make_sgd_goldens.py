#!/usr/bin/env python3
"""Writes sgd.json: parameters after each of four steps of torch.optim.SGD, two groups, another rate each step.

Made with PyTorch 2.13 and Python 3.11.
"""
import json
import os

import torch

torch.manual_seed(0)
parameters = {"layer1.0.conv1.weight": torch.randn(7), "cls.4.bias": torch.randn(3)}
factors = {"layer1.0.conv1.weight": 1.0, "cls.4.bias": 10.0}
rates = [0.01, 0.02, 0.005, 0.001]
momentum, weight_decay = 0.9, 1e-2

leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
optimizer = torch.optim.SGD(
    [{"params": [leaf], "factor": factors[name]} for name, leaf in leaves.items()],
    lr=0.01, momentum=momentum, weight_decay=weight_decay)
steps = []
for rate in rates:
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
    gradients = {name: torch.randn_like(leaf) for name, leaf in leaves.items()}
    for name, leaf in leaves.items():
        leaf.grad = gradients[name]
    optimizer.step()
    steps.append({
        "rate": rate,
        "gradients": {name: g.tolist() for name, g in gradients.items()},
        "parameters": {name: leaf.tolist() for name, leaf in leaves.items()},
        "velocities": {name: optimizer.state[leaf]["momentum_buffer"].tolist() for name, leaf in leaves.items()},
    })
golden = {"torch": torch.__version__, "momentum": momentum, "weight_decay": weight_decay,
          "parameters": {name: value.tolist() for name, value in parameters.items()}, "steps": steps}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sgd.json")
with open(path, "w") as file:
    json.dump(golden, file, indent=1)
    file.write("\n")
