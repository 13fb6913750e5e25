"""PSPNet in PyTorch, the network that giza builds: same parameter names, shapes and arithmetic.

Deep-stem dilated ResNet, pyramid pooling with average pools, and an auxiliary head on layer3 in training.
The names are those of the authors' public code, so that giza loads the state_dict as it is; since giza refuses
a missing, extra or misshaped name, loading proves that both have the same parameters.
"""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3),
          269: (3, 30, 48, 8)}
BINS = (1, 2, 3, 6)
AUX_WEIGHT = 0.4


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

    def __init__(self, cin: int) -> None:
        super().__init__()
        self.features = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(bins), *conv_bn(cin, cin // len(BINS), 1), nn.ReLU(inplace=True))
            for bins in BINS)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x] + [upsample(branch(x), x.shape[2:]) for branch in self.features], 1)


class PSPNet(nn.Module):
    """x [N,3,H,W] -> logits [N,classes,H,W]; in training mode the pair (logits, auxiliary logits)."""

    def __init__(self, depth: int, classes: int) -> None:
        super().__init__()
        block = Bottleneck if depth >= 50 else BasicBlock
        head_channels = 512 if depth >= 50 else 128
        self.layer0 = deep_stem()
        cin = 128
        for i, (planes, stride, dilation) in enumerate(((64, 1, 1), (128, 2, 1), (256, 1, 2), (512, 1, 4))):
            blocks = []
            for b in range(BLOCKS[depth][i]):
                blocks.append(block(cin, planes, stride if b == 0 else 1, dilation))
                cin = planes * block.expansion
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.ppm = PyramidPooling(cin)
        self.cls = head(2 * cin, head_channels, classes)
        self.aux = head(cin // 2, head_channels // 2, classes)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        mid = self.layer3(self.layer2(self.layer1(self.layer0(x))))
        logits = upsample(self.cls(self.ppm(self.layer4(mid))), x.shape[2:])
        return (logits, upsample(self.aux(mid), x.shape[2:])) if self.training else logits


def deep_stem() -> nn.Sequential:
    """Three 3x3 convolutions in place of the 7x7, and the max pool."""
    layers: list[nn.Module] = []
    for cin, cout, stride in ((3, 64, 2), (64, 64, 1), (64, 128, 1)):
        layers += [*conv_bn(cin, cout, 3, stride), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.MaxPool2d(3, 2, 1))


def head(cin: int, mid: int, classes: int) -> nn.Sequential:
    return nn.Sequential(*conv_bn(cin, mid, 3), nn.ReLU(inplace=True), nn.Dropout2d(0.1), nn.Conv2d(mid, classes, 1))


def upsample(x: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def training_loss(model: PSPNet, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of the main head + 0.4 of the auxiliary one, 255 ignored."""
    main, aux = model(x)
    return F.cross_entropy(main, y, ignore_index=255) + AUX_WEIGHT * F.cross_entropy(aux, y, ignore_index=255)


def randomize_batch_norms(model: PSPNet) -> None:
    """Fresh batch norms are the identity; values of their own let a wrong formula or folding show."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)


def count_work(depth: int, size: int, batch: int, classes: int) -> dict[str, float]:
    """Parameters, the auxiliary head's included, and the convolutions' multiply-adds of a forward pass (evaluation)."""
    with torch.device("meta"):
        model = PSPNet(depth, classes).eval()
        macs = 0

        def count(module: nn.Conv2d, _inputs: tuple[Tensor], out: Tensor) -> None:
            nonlocal macs
            macs += out.numel() * module.weight[0].numel()

        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(count)
        model(torch.empty(batch, 3, size, size))
    return {"parameters": sum(p.numel() for p in model.parameters()), "gmac": macs / 1e9}
