"""PSPNet in PyTorch, the network that giza builds: same parameter names, shapes and arithmetic.

Deep-stem dilated ResNet, pyramid pooling with average pools, and an auxiliary head on layer3 in training.
The names are those of the authors' public code, so that giza loads the state_dict as it is; since giza refuses
a missing, extra or misshaped name, loading proves that both have the same parameters.
"""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cases import Case, Network


def conv_bn(cin: int, cout: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A convolution that keeps the size (at stride 1) and its batch norm."""
    conv = nn.Conv2d(cin, cout, kernel, stride, dilation * (kernel // 2), dilation, bias=False)
    return conv, nn.BatchNorm2d(cout)


class BasicBlock(nn.Module):
    """3x3, 3x3 and the skip (ResNet 18 and 34)."""

    expansion = 1

    def __init__(self, cin: int, planes: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(cin, planes, 3, stride, dilation)
        self.conv2, self.bn2 = conv_bn(planes, planes, 3, 1, dilation)
        self.downsample = nn.Sequential(*conv_bn(cin, planes, 1, stride)) if stride != 1 or cin != planes else None

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + skip, inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3 (strided and dilated), 1x1 to four times the planes, and the skip (ResNet 50 and deeper)."""

    expansion = 4

    def __init__(self, cin: int, planes: int, stride: int, dilation: int) -> None:
        super().__init__()
        out = planes * self.expansion
        self.conv1, self.bn1 = conv_bn(cin, planes, 1)
        self.conv2, self.bn2 = conv_bn(planes, planes, 3, stride, dilation)
        self.conv3, self.bn3 = conv_bn(planes, out, 1)
        self.downsample = nn.Sequential(*conv_bn(cin, out, 1, stride)) if stride != 1 or cin != out else None

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        return F.relu(self.bn3(self.conv3(y)) + skip, inplace=True)


class PyramidPooling(nn.Module):
    """Average pools to the bins, 1x1 convolutions, and everything upsampled and concatenated to the input."""

    def __init__(self, cin: int, bins: tuple[int, ...]) -> None:
        super().__init__()
        self.features = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(side), *conv_bn(cin, cin // len(bins), 1), nn.ReLU(inplace=True))
            for side in bins)
        self.out_channels = cin + cin // len(bins) * len(bins)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x] + [upsample(branch(x), x.shape[2:]) for branch in self.features], 1)


class PSPNet(nn.Module):
    """x [N,3,H,W] -> logits [N,classes,H,W]; in training mode the pair (logits, auxiliary logits)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        block = Bottleneck if network.bottleneck else BasicBlock
        self.layer0, cin = deep_stem(network)
        stride, dilation = 4, 1  # so far
        widths = []  # channels out of each stage
        for i, count in enumerate(network.blocks):
            planes = network.scaled(64 << i)
            step = 1 if i == 0 or stride == network.output_stride else 2
            stride *= step
            dilation *= 1 if i == 0 else 2 // step
            blocks = []
            for b in range(count):
                blocks.append(block(cin, planes, step if b == 0 else 1, dilation))
                cin = planes * block.expansion
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
            widths.append(cin)
        channels = network.head_channels or network.scaled(512 if network.bottleneck else 128)
        self.ppm = PyramidPooling(cin, network.bins)
        self.cls = head(self.ppm.out_channels, channels, network)
        self.aux = head(widths[2], network.aux_channels or max(1, channels // 2), network)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        mid = self.layer3(self.layer2(self.layer1(self.layer0(x))))
        logits = upsample(self.cls(self.ppm(self.layer4(mid))), x.shape[2:])
        return (logits, upsample(self.aux(mid), x.shape[2:])) if self.training else logits


def deep_stem(network: Network) -> tuple[nn.Sequential, int]:
    """Three 3x3 convolutions in place of the 7x7, and the max pool; and how many channels come out."""
    narrow, wide = network.scaled(network.stem_channels), network.scaled(2 * network.stem_channels)
    layers: list[nn.Module] = []
    for cin, cout, stride in ((3, narrow, 2), (narrow, narrow, 1), (narrow, wide, 1)):
        layers += [*conv_bn(cin, cout, 3, stride), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.MaxPool2d(3, 2, 1)), wide


def head(cin: int, mid: int, network: Network) -> nn.Sequential:
    return nn.Sequential(*conv_bn(cin, mid, 3), nn.ReLU(inplace=True), nn.Dropout2d(network.dropout),
                         nn.Conv2d(mid, network.classes, 1))


def upsample(x: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def make_loss(network: Network) -> nn.Module:
    """The pixels' cross-entropy, its classes weighted and a label ignored as the network has it."""
    weights = torch.tensor(network.class_weights) if network.class_weights else None
    return nn.CrossEntropyLoss(weight=weights, ignore_index=network.ignore_label)


def randomize_batch_norms(model: PSPNet) -> None:
    """Fresh batch norms are the identity; values of their own let a wrong formula or folding show."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)


def count_work(case: Case) -> dict[str, float]:
    """Parameters, the auxiliary head's included, and the convolutions' multiply-adds of a forward pass (evaluation)."""
    with torch.device("meta"):
        model = PSPNet(case.network).eval()
        macs = 0

        def count(module: nn.Conv2d, _inputs: tuple[Tensor], out: Tensor) -> None:
            nonlocal macs
            macs += out.numel() * module.weight[0].numel()

        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(count)
        model(torch.empty(case.batch, 3, case.height, case.width))
    return {"parameters": sum(p.numel() for p in model.parameters()), "gmac": macs / 1e9}
