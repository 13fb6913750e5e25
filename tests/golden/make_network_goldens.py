#!/usr/bin/env python3
"""Goldens of the networks that PSPNet is compared with: python3 make_network_goldens.py [CASE...] (PyTorch 2.13.0, NumPy 2,
Pillow 13).

Each head is written here as its paper has it, on the trunk of make_pspnet_goldens.py, under giza's names. Writes
network_CASE.json beside this file, in that script's format; "arch" and "settings" are giza's options.
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from make_pspnet_goldens import Net, conv_bn, cross_entropies, golden, head

TRUNK = dict(blocks=(1, 1, 1, 1), bottleneck=False, stem="plain", width=8, bins=(), pool="average", reduce=True, half=False)


def case(arch, size, classes=4, batch=2, output_stride=8, **settings):
    return dict(**TRUNK, arch=arch, settings=settings, size=size, batch=batch, classes=classes, output_stride=output_stride)


CASES = {
    "fcn32s": case("fcn32s", (65, 71), output_stride=32),
    "fcn16s": case("fcn16s", (70, 49), output_stride=32, upsample="learned"),
    "fcn8s": case("fcn8s", (65, 97), output_stride=32, upsample="learned"),
    "fcn8s_at_once": case("fcn8s", (81, 64), output_stride=32, skip_scale=True),
    "dilated": case("dilated", (41, 57), context_layers=7),
    "dilated_large": case("dilated", (33, 41), classes=2, context="large", context_layers=8),
    "dilated_10": case("dilated", (49, 33), context_layers=10),
    "front_end": case("dilated", (33, 41), context="none"),
    "aspp": case("aspp", (57, 65), aspp_rates=[1, 2, 4, 9]),
    "aspp_msc": case("aspp", (57, 66), aspp_rates=[1, 2, 4], aspp_msc=True),
    "aspp_msc_half_pixel": {**case("aspp", (58, 71), aspp_rates=[1, 2, 3], aspp_msc=True), "align_corners": False},
    "largefov": case("largefov", (57, 41), fov_rate=3),
    "deeplabv3": case("deeplabv3", (49, 65), aspp_rates=[2, 3, 5], aspp_channels=24),
    "deeplabv3_mmseg": case("deeplabv3", (41, 49), aspp_rates=[2, 3, 5], aspp_channels=16, aspp_project=False),
    "fcn": case("fcn", (41, 57), head_convs=2),
    "parsenet": case("parsenet", (41, 49)),
    "parsenet_early": case("parsenet", (41, 49), fusion="early"),
    "parsenet_plain": case("parsenet", (33, 49), l2norm=False),
    "segnet": case("segnet", (33, 35)),
    "segnet_basic": case("segnet", (37, 50), segnet_basic=True),
    "fcn32s_vgg": case("fcn32s", (33, 41), backbone="vgg16"),
    "fcn16s_vgg": case("fcn16s", (40, 29), batch=1, backbone="vgg16", upsample="learned"),
    "fcn8s_vgg": case("fcn8s", (37, 32), batch=1, backbone="vgg16", upsample="learned", skip_scale=True),
    "largefov_vgg": case("largefov", (65, 50), backbone="vgg16", fov_rate=4),
    "dilated_vgg": case("dilated", (40, 56), batch=1, backbone="vgg16", context_layers=7),
    "cascade": case("cascade", (41, 49), classes=6, object_classes=[1, 4, 5]),
}


class Trunk(Net):
    def __init__(self, options):
        super().__init__(**options)
        self.settings, self.size = options["settings"], options["size"]
        self.channels = 8 * options["width"]
        self.mid = 2 * options["width"]
        self.align_corners = options.get("align_corners", True)
        classes = options["classes"]
        del self.cls
        aux, self.aux = self.aux, None
        self.build(options["arch"], classes)
        self.aux = aux

    def resized(self, t, size):
        return F.interpolate(t, size, mode="bilinear", align_corners=self.align_corners)

    def maps(self, x):
        """The network's scores and the auxiliary head's, as large as they are."""
        two = self.layer2(self.layer1(self.layer0(x)))
        three = self.layer3(two)
        return (*self.scores(two, three, self.layer4(three)), self.aux(three))

    def forward(self, x):
        return tuple(self.resized(t, x.shape[2:]) for t in self.maps(x))


class Fcn(Trunk):
    def build(self, arch, classes):
        self.score_fr = nn.Conv2d(self.channels, classes, 1)
        learned = self.settings.get("upsample") == "learned"
        up = lambda: nn.ConvTranspose2d(classes, classes, 4, 2, 1, bias=False) if learned else None
        if arch != "fcn32s":
            self.score_pool4 = nn.Conv2d(self.channels // 2, classes, 1)
            self.upscore2 = up()
        if arch == "fcn8s":
            self.score_pool3 = nn.Conv2d(self.channels // 4, classes, 1)
            self.upscore_pool4 = up()
        self.scale = (0.01, 0.0001) if self.settings.get("skip_scale") else (1, 1)

    def fuse(self, y, skip, deconvolution):
        if deconvolution is None:
            return F.interpolate(y, skip.shape[2:], mode="bilinear", align_corners=True) + skip
        return deconvolution(y)[:, :, :skip.shape[2], :skip.shape[3]] + skip

    def scores(self, two, three, four):
        y = self.score_fr(four)
        if hasattr(self, "score_pool4"):
            y = self.fuse(y, self.score_pool4(three * self.scale[0]), self.upscore2)
        if hasattr(self, "score_pool3"):
            y = self.fuse(y, self.score_pool3(two * self.scale[1]), self.upscore_pool4)
        return (y,)


class Dilated(Trunk):
    """Yu and Koltun, Table 1."""
    NAMES = {7: "1_1 1_2 2_1 3_1 4_1", 8: "1_1 1_2 2_1 3_1 4_1 5_1", 10: "1_1 1_2 2_1 3_1 4_1 5_1 6_1 7_1"}
    WIDTHS = (2, 2, 4, 8, 16, 32, 32, 32)

    def build(self, arch, classes):
        self.final = nn.Conv2d(self.channels, classes, 1)
        self.layers = []
        if self.settings.get("context") == "none":
            return
        cin = classes
        names = self.NAMES[self.settings["context_layers"]].split()
        for name, dilation, width in zip(names, (1, 1, 2, 4, 8, 16, 32, 64), self.WIDTHS):
            out = width * classes if self.settings.get("context") == "large" else classes
            self.add("ctx_conv" + name, nn.Conv2d(cin, out, 3, padding=dilation, dilation=dilation))
            cin = out
        self.add("ctx_fc1", nn.Conv2d(cin, cin, 3, padding=1))
        self.add("ctx_final", nn.Conv2d(cin, classes, 1))

    def add(self, name, layer):
        self.layers.append(name)
        setattr(self, name, layer)

    def scores(self, two, three, four):
        y = self.final(four)
        for name in self.layers:
            y = getattr(self, name)(y)
            if name != "ctx_final":
                y = F.relu(y)
        return (y,)


class Aspp(Trunk):
    def build(self, arch, classes):
        self.aspp = nn.Module()
        for i, rate in enumerate(self.settings["aspp_rates"]):
            setattr(self.aspp, f"c{i}", nn.Conv2d(self.channels, classes, 3, padding=rate, dilation=rate))

    def scores(self, two, three, four):
        return (sum(branch(four) for branch in self.aspp.children()),)

    def forward(self, x):
        if not self.settings.get("aspp_msc"):
            return super().forward(x)
        # kazuto1011/deeplab-pytorch, libs/models/msc.py; where corners are aligned, with the published network's sizes.
        one, aux = self.maps(x)
        others = []
        for scale in (0.5, 0.75):
            if self.align_corners:
                small = self.resized(x, [math.floor((n - 1) * scale) + 1 for n in x.shape[2:]])
            else:
                small = F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
            others.append(self.scores(None, None, self.layer4(self.layer3(self.layer2(self.layer1(self.layer0(small))))))[0])
        largest = torch.stack([one, *[self.resized(t, one.shape[2:]) for t in others]]).max(0).values
        if not self.training:
            return (self.resized(largest, x.shape[2:]),)
        return one, *others, largest, self.resized(aux, x.shape[2:])

    def losses(self, outputs, y):
        if not self.settings.get("aspp_msc"):
            return cross_entropies(outputs, y)
        *streams, aux = outputs
        at = lambda t: torch.stack([self.nearest(label, t.shape[2:]) for label in y])
        return [sum(cross_entropies((t,), at(t))[0] for t in streams), *cross_entropies((aux,), y)]

    @staticmethod
    def nearest(label, size):
        """kazuto1011's resize_labels, for sizes that are no squares too."""
        image = Image.fromarray(label.float().numpy()).resize((size[1], size[0]), resample=Image.NEAREST)
        return torch.from_numpy(np.asarray(image).astype(np.int64))


class LargeFov(Trunk):
    def build(self, arch, classes):
        wide, rate = 2 * self.mid, self.settings["fov_rate"]
        self.fc6 = nn.Conv2d(self.channels, wide, 3, padding=rate, dilation=rate)
        self.fc7 = nn.Conv2d(wide, wide, 1)
        self.fc8 = nn.Conv2d(wide, classes, 1)

    def scores(self, two, three, four):
        return (self.fc8(F.relu(self.fc7(F.relu(self.fc6(four))))),)


class DeepLabV3(Trunk):
    """torchvision's names; its own network is held against giza's by check_convert.py."""

    def build(self, arch, classes):
        width = self.settings["aspp_channels"]
        block = lambda *shape: nn.Sequential(*conv_bn(*shape), nn.ReLU())
        convs = [block(self.channels, width, 1)]
        convs += [block(self.channels, width, 3, 1, rate) for rate in self.settings["aspp_rates"]]
        convs.append(nn.Sequential(nn.AdaptiveAvgPool2d(1), *conv_bn(self.channels, width, 1), nn.ReLU()))
        first = nn.Module()
        first.convs = nn.ModuleList(convs)
        wide = width if self.settings.get("aspp_project", True) else width * len(convs)
        first.project = block(width * len(convs), width, 1) if wide == width else nn.Identity()
        self.classifier = nn.Sequential(first, *conv_bn(wide, width, 3), nn.ReLU(), nn.Conv2d(width, classes, 1))

    def scores(self, two, three, four):
        first = self.classifier[0]
        maps = [branch(four) for branch in first.convs]
        maps[-1] = maps[-1].expand(-1, -1, *four.shape[2:])
        return (self.classifier[1:](first.project(torch.cat(maps, 1))),)


class FcnHead(Trunk):
    """mmsegmentation's FCNHead with concat_input; its own network is held against giza's by check_foreign_networks.py."""

    def build(self, arch, classes):
        widths = [self.channels] + [self.mid] * self.settings["head_convs"]
        convs = [nn.Sequential(*conv_bn(cin, out, 3), nn.ReLU()) for cin, out in zip(widths, widths[1:])]
        self.cls = head(self.channels + self.mid, self.mid, classes)
        self.cls.convs = nn.ModuleList(convs)

    def scores(self, two, three, four):
        y = four
        for conv in self.cls.convs:
            y = conv(y)
        y = torch.cat([four, y], 1)
        for name in "01234":
            y = getattr(self.cls, name)(y)
        return (y,)


class Norm(nn.Module):
    """ParseNet, section 3.3."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return self.weight.view(-1, 1, 1) * x / (1e-10 + (x * x).sum(1, keepdim=True)).sqrt()


class ParseNet(Trunk):
    def build(self, arch, classes):
        norm = self.settings.get("l2norm", True)
        self.local_norm = Norm(self.channels) if norm else nn.Identity()
        self.global_norm = Norm(self.channels) if norm else nn.Identity()
        if self.settings.get("fusion") == "early":
            self.cls = head(2 * self.channels, self.mid, classes)
        else:
            self.local_score = nn.Conv2d(self.channels, classes, 1)
            self.global_score = nn.Conv2d(self.channels, classes, 1)

    def scores(self, two, three, four):
        local, everything = self.local_norm(four), self.global_norm(four.mean((2, 3), keepdim=True))
        if self.settings.get("fusion") == "early":
            return (self.cls(torch.cat([local, everything.expand_as(local)], 1)),)
        return (self.local_score(local) + self.global_score(everything),)


class Cascade(Trunk):
    def build(self, arch, classes):
        self.objects = self.settings["object_classes"]
        self.rest = [c for c in range(classes) if c not in self.objects]
        self.stuff = head(self.channels, self.mid, len(self.rest) + 1)
        self.object = head(self.channels, self.mid, len(self.objects))

    def scores(self, two, three, four):
        stuff, which = self.stuff(four), self.object(four)
        if self.training:
            return stuff, which
        logits = torch.empty(len(four), len(self.rest) + len(self.objects), *four.shape[2:])
        logits[:, self.rest] = stuff[:, :-1]
        logits[:, self.objects] = stuff[:, -1:] + which - which.max(1, keepdim=True).values
        return (logits,)

    def losses(self, outputs, y):
        stuff, which, aux = outputs
        of_stuff, of_objects = torch.full_like(y, 255), torch.full_like(y, 255)
        for i, c in enumerate(self.rest):
            of_stuff[y == c] = i
        for i, c in enumerate(self.objects):
            of_stuff[y == c] = len(self.rest)
            of_objects[y == c] = i
        main = cross_entropies((stuff,), of_stuff)[0] + cross_entropies((which,), of_objects)[0]
        return [main, *cross_entropies((aux,), y)]


class Segnet(nn.Module):
    """Badrinarayanan et al., section 3; no bias before batch norm, which takes it away again."""

    def __init__(self, options):
        super().__init__()
        classes, w = options["classes"], options["width"]
        self.basic = options["settings"].get("segnet_basic", False)
        self.encoder, self.decoder = [], []
        if self.basic:
            cin = 3
            for i in range(1, 5):
                self.encoder.append([self.add(f"conv{i}", cin, w, 7)])
                cin = w
            self.decoder = [[self.add(f"conv_decode{i}", w, w, 7)] for i in (4, 3, 2, 1)]
            self.conv_classifier = nn.Conv2d(w, classes, 1)
            self.last = self.conv_classifier
            return
        widths, counts, cin = [w, 2 * w, 4 * w, 8 * w, 8 * w], [2, 2, 3, 3, 3], 3
        for i, (out, count) in enumerate(zip(widths, counts), 1):
            self.encoder.append([])
            for j in range(1, count + 1):
                self.encoder[-1].append(self.add(f"conv{i}_{j}", cin, out, 3))
                cin = out
        for i in (5, 4, 3, 2, 1):
            self.decoder.append([])
            for j in range(counts[i - 1], 0, -1):
                if (i, j) != (1, 1):
                    out = widths[i - 1] if j > 1 else widths[i - 2]
                    self.decoder[-1].append(self.add(f"conv{i}_{j}_D", cin, out, 3))
                    cin = out
        self.conv1_1_D = nn.Conv2d(cin, classes, 3, padding=1)
        self.last = self.conv1_1_D

    def add(self, name, cin, out, kernel):
        conv, bn = conv_bn(cin, out, kernel)
        setattr(self, name, conv)
        setattr(self, name + "_bn", bn)
        return lambda x: bn(conv(x))

    def forward(self, x):
        masks = []
        for stage in self.encoder:
            for layer in stage:
                x = F.relu(layer(x))
            masks.append((x.shape, None))
            x, mask = F.max_pool2d(x, 2, 2, ceil_mode=True, return_indices=True)
            masks[-1] = (masks[-1][0], mask)
        for stage in self.decoder:
            shape, mask = masks.pop()
            x = F.max_unpool2d(x, mask, 2, 2, output_size=shape)
            for layer in stage:
                x = layer(x) if self.basic else F.relu(layer(x))
        return (self.last(x),)


class Vgg(nn.Module):
    """VGG16 in one of its published forms, fc6 and fc7."""

    def __init__(self, options, pools, fc6, first_padding=1, padding=1, dilation=1):
        super().__init__()
        self.settings, w, cin = options["settings"], options["width"], 3
        self.stages = []
        for i, (out, count, pool) in enumerate(zip((w, 2 * w, 4 * w, 8 * w, 8 * w), (2, 2, 3, 3, 3), pools), 1):
            self.stages.append([])
            for j in range(1, count + 1):
                d = dilation if i == 5 else 1
                conv = nn.Conv2d(cin, out, 3, padding=first_padding if cin == 3 else padding * d, dilation=d)
                setattr(self, f"conv{i}_{j}", conv)
                self.stages[-1] += [conv, nn.ReLU()]
                cin = out
            if pool:
                self.stages[-1].append(nn.MaxPool2d(*pool, ceil_mode=True))
        out, kernel, pad, dil = fc6
        self.fc6 = nn.Conv2d(cin, out, kernel, padding=pad, dilation=dil)
        self.fc7 = nn.Conv2d(out, out, 1)
        self.build(options["arch"], options["classes"], w, out)

    def features(self, x):
        maps = []
        for stage in self.stages:
            for layer in stage:
                x = layer(x)
            maps.append(x)
        return maps[2:]

    def fc(self, x):
        return F.relu(self.fc7(F.relu(self.fc6(x))))


class FcnVgg(Vgg):
    """shelhamer/fcn.berkeleyvision.org, voc-fcn*/net.py."""

    def __init__(self, options):
        super().__init__(options, [(2, 2)] * 5, (64 * options["width"], 7, 0, 1), first_padding=100)

    def build(self, arch, classes, w, wide):
        deconv = lambda s: nn.ConvTranspose2d(classes, classes, 2 * s, s, bias=False)
        self.score_fr = nn.Conv2d(wide, classes, 1)
        if arch != "fcn32s":
            self.score_pool4, self.upscore2 = nn.Conv2d(8 * w, classes, 1), deconv(2)
        if arch == "fcn8s":
            self.score_pool3, self.upscore_pool4 = nn.Conv2d(4 * w, classes, 1), deconv(2)
        name, stride, self.crop = {"fcn32s": ("upscore", 32, 19), "fcn16s": ("upscore16", 16, 27), "fcn8s": ("upscore8", 8, 31)}[arch]
        setattr(self, name, deconv(stride))
        self.last = getattr(self, name)
        self.last.weight.requires_grad = False
        self.scale = (0.01, 0.0001) if self.settings.get("skip_scale") else (1, 1)

    def forward(self, x):
        cut = lambda t, at, like: t[:, :, at:at + like.shape[2], at:at + like.shape[3]]
        pool3, pool4, pool5 = self.features(x)
        y = self.score_fr(self.fc(pool5))
        if hasattr(self, "score_pool4"):
            y = self.upscore2(y)
            y = y + cut(self.score_pool4(pool4 * self.scale[0]), 5, y)
        if hasattr(self, "score_pool3"):
            y = self.upscore_pool4(y)
            y = y + cut(self.score_pool3(pool3 * self.scale[1]), 9, y)
        return (cut(self.last(y), self.crop, x),)


class LargeFovVgg(Vgg):
    def __init__(self, options):
        rate = options["settings"]["fov_rate"]
        super().__init__(options, [(3, 2, 1)] * 3 + [(3, 1, 1)] * 2, (16 * options["width"], 3, rate, rate), dilation=2)

    def build(self, arch, classes, w, wide):
        self.fc8 = nn.Conv2d(wide, classes, 1)

    def forward(self, x):
        y = self.fc8(self.fc(F.avg_pool2d(self.features(x)[2], 3, 1, 1)))
        return (F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=True),)


class DilatedVgg(Vgg):
    """fyu/dilation: the picture mirrored by 186 pixels, no padding inside."""
    NAMES, WIDTHS, add = Dilated.NAMES, Dilated.WIDTHS, Dilated.add

    def __init__(self, options):
        super().__init__(options, [(2, 2)] * 3 + [None] * 2, (64 * options["width"], 7, 0, 4), 0, 0, 2)

    def build(self, arch, classes, w, wide):
        self.channels = wide
        Dilated.build(self, arch, classes)

    def forward(self, x):
        rows, columns = (torch.from_numpy(np.pad(np.arange(n), 186, mode="reflect")) for n in x.shape[2:])
        pool5 = self.features(x[:, :, rows][..., columns])[2]
        (y,) = Dilated.scores(self, None, None, self.fc(pool5))
        assert y.shape[2:] == (x.shape[2] // 8, x.shape[3] // 8)
        return (F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=True),)


NETWORKS = {"fcn32s": Fcn, "fcn16s": Fcn, "fcn8s": Fcn, "dilated": Dilated, "aspp": Aspp, "largefov": LargeFov,
            "deeplabv3": DeepLabV3, "fcn": FcnHead, "parsenet": ParseNet, "segnet": Segnet, "cascade": Cascade}

ON_VGG = {"fcn32s": FcnVgg, "fcn16s": FcnVgg, "fcn8s": FcnVgg, "largefov": LargeFovVgg, "dilated": DilatedVgg}


def main():
    torch.set_default_dtype(torch.float64)
    here = pathlib.Path(__file__).parent
    for name in sys.argv[1:] or CASES:
        options = CASES[name]
        vgg = options["settings"].get("backbone") == "vgg16"
        model = (ON_VGG if vgg else NETWORKS)[options["arch"]](options)
        if vgg or options["arch"] == "segnet":
            losses = lambda outputs, y: [*cross_entropies(outputs, y), torch.zeros(())]
        else:
            losses = getattr(model, "losses", cross_entropies)
        out = golden(model, options, losses)
        (here / f"network_{name}.json").write_text(json.dumps(out))
        print(name, out["loss"], len(out["logits_every_7th"]), len(out["gradients"]))


if __name__ == "__main__":
    main()
