"""darknet21-YOLOv3, its loss and masked-class-kd in plain PyTorch (NCHW), on the problems that problem.ts writes."""

import json
import struct

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

BLOCKS = [1, 1, 2, 2, 1]
STRIDES = [32, 16, 8]
LARGEST_LOG_SIZE = 16


class Problem:
    """A problem file (safetensors): weights of the networks, images, targets, and the options as JSON metadata."""

    def __init__(self, tensors, options):
        self.tensors = tensors
        self.configs = {name: options[name] for name in ("teacher", "student") if name in options}
        self.loss, self.sgd, self.rate = options["loss"], options["sgd"], options["rate"]
        self.threshold, self.weight = options["threshold"], options["weight"]
        self.config = self.configs["teacher"]
        self.images = torch.from_numpy(tensors["images"]).permute(0, 3, 1, 2).contiguous()
        self.targets = [torch.from_numpy(tensors[f"targets/{i}"]) for i in range(3)]
        # Constants of the decoding for every slot, in the order of the logits.
        origin, anchor, stride = [], [], []
        for scale, targets in enumerate(self.targets):
            _, h, w, anchors, _ = targets.shape
            y, x, a = np.meshgrid(np.arange(h), np.arange(w), np.arange(anchors), indexing="ij")
            origin.append(np.stack([x, y], -1).reshape(-1, 2) * STRIDES[scale])
            anchor.append(np.array(self.config["anchors"][scale])[a.ravel()])
            stride.append(np.full((h * w * anchors, 1), STRIDES[scale]))
        self.origin, self.anchor, self.stride = (
            torch.from_numpy(np.concatenate(v).astype(np.float32)) for v in (origin, anchor, stride)
        )

    def to(self, device):
        """Moves the constants; the batch stays where it is."""
        self.origin, self.anchor, self.stride = (v.to(device) for v in (self.origin, self.anchor, self.stride))
        return self


def read_problem(file):
    with open(file, "rb") as stream:
        data = stream.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    options = json.loads(header.pop("__metadata__")["problem"])
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data, np.float32, (end - begin) // 4, 8 + length + begin)
        tensors[name] = values.reshape(entry["shape"]).copy()
    return Problem(tensors, options)


class Conv(nn.Module):
    """Convolution or deconvolution without bias, batch norm, LeakyReLU."""

    def __init__(self, weights, stride=1, deconv=False):
        super().__init__()
        # [kh, kw, in, out] to [out, in, kh, kw]; of a deconvolution [kh, kw, out, in] to [in, out, kh, kw].
        kernel = torch.from_numpy(weights["kernel"]).permute(3, 2, 0, 1).contiguous()
        if deconv:
            self.conv = nn.ConvTranspose2d(kernel.shape[0], kernel.shape[1], 2, 2, bias=False)
        else:
            size = kernel.shape[2]
            self.conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], size, stride, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(len(weights["gamma"]), eps=1e-5, momentum=0.1)
        self.act = nn.LeakyReLU(0.1, inplace=True)
        with torch.no_grad():
            self.conv.weight.copy_(kernel)
            self.bn.weight.copy_(torch.from_numpy(weights["gamma"]))
            self.bn.bias.copy_(torch.from_numpy(weights["beta"]))
            self.bn.running_mean.copy_(torch.from_numpy(weights["mean"]))
            self.bn.running_var.copy_(torch.from_numpy(weights["variance"]))

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Detector(nn.Module):
    def __init__(self, problem, network):
        super().__init__()
        config = problem.configs[network]
        if config["upsample"] != "deconv" or not config["spp"]:
            raise ValueError("expected a network with deconvolutions and SPP")

        def weights(name):
            start = f"{network}/{name}/"
            return {key[len(start) :]: value for key, value in problem.tensors.items() if key.startswith(start)}

        def convs(*names):
            return nn.Sequential(*(Conv(weights(name)) for name in names))

        self.stem = Conv(weights("stem"))
        self.downs = nn.ModuleList(Conv(weights(f"stage{i + 1}/down"), stride=2) for i in range(5))
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                convs(f"stage{i + 1}/block{b + 1}/reduce", f"stage{i + 1}/block{b + 1}/expand") for b in range(blocks)
            )
            for i, blocks in enumerate(BLOCKS)
        )
        detect = lambda scale, first, last: convs(*(f"neck/detect{scale}/{i}" for i in range(first, last + 1)))
        self.before, self.after = detect(1, 1, 3), detect(1, 4, 6)
        self.route2, self.route3 = convs("neck/route2"), convs("neck/route3")
        self.up2, self.up3 = Conv(weights("neck/up2"), deconv=True), Conv(weights("neck/up3"), deconv=True)
        self.detect2, self.detect3 = detect(2, 1, 5), detect(3, 1, 5)
        self.heads = nn.ModuleList()
        for scale in (1, 2, 3):
            output = weights(f"head/{scale}/output")
            kernel = torch.from_numpy(output["kernel"]).permute(3, 2, 0, 1).contiguous()
            linear = nn.Conv2d(kernel.shape[1], kernel.shape[0], 1)
            with torch.no_grad():
                linear.weight.copy_(kernel)
                linear.bias.copy_(torch.from_numpy(output["bias"]))
            self.heads.append(nn.Sequential(Conv(weights(f"head/{scale}/conv")), linear))

    def forward(self, x):
        x = self.stem(x)
        maps = []
        for down, blocks in zip(self.downs, self.blocks):
            x = down(x)
            for block in blocks:
                x = x + block(x)
            maps.append(x)
        _, _, c3, c4, c5 = maps
        x = self.before(c5)
        x = torch.cat([F.max_pool2d(x, k, 1, k // 2) for k in (13, 9, 5)] + [x], 1)
        coarse = self.after(x)
        middle = self.detect2(torch.cat([self.up2(self.route2(coarse)), c4], 1))
        fine = self.detect3(torch.cat([self.up3(self.route3(middle)), c3], 1))
        features = [coarse, middle, fine]
        return [head(feature) for head, feature in zip(self.heads, features)], features


def slots(outputs, channels):
    """Logits of all scales as [n, slots, channels], float32."""
    return torch.cat([o.float().permute(0, 2, 3, 1).reshape(o.shape[0], -1, channels) for o in outputs], 1)


def yolo_loss(outputs, targets, problem):
    """The loss of lib/losses/yolo.ts with GIoU, divided by the positives of the batch."""
    config, options = problem.config, problem.loss
    classes, s = config["classes"], config["scaleXY"]
    xy, wh, objectness, category = slots(outputs, 5 + classes).split([2, 2, 1, classes], 2)
    truth = torch.cat([t.reshape(t.shape[0], -1, t.shape[-1]) for t in targets], 1)
    positive, negative, low, high, label = truth.split([1, 1, 2, 2, 1], 2)
    divisor = positive.sum().clamp(min=1)

    bce = F.binary_cross_entropy_with_logits
    objectness_sum = (bce(objectness, positive, reduction="none") * (positive + negative)).sum()
    smoothing = options["smoothing"]
    wanted = F.one_hot(label.squeeze(2).long(), classes) * (1 - smoothing) + smoothing / classes
    class_sum = (bce(category, wanted, reduction="none") * positive).sum()

    centre = (xy.sigmoid() * s - (s - 1) / 2) * problem.stride + problem.origin
    half = wh.clamp(-LARGEST_LOG_SIZE, LARGEST_LOG_SIZE).exp() * problem.anchor / 2
    a, b = centre - half, centre + half
    inside = (torch.minimum(b, high) - torch.maximum(a, low)).clamp(min=0).prod(2, keepdim=True)
    hull = (torch.maximum(b, high) - torch.minimum(a, low)).prod(2, keepdim=True)
    union = (b - a).prod(2, keepdim=True) + (high - low).prod(2, keepdim=True) - inside
    giou = inside / union - (hull - union) / hull
    box_sum = ((1 - giou) * positive).sum()
    return {
        "box": box_sum * options["boxWeight"] / divisor,
        "objectness": objectness_sum * options["objectnessWeight"] / divisor,
        "class": class_sum * options["classWeight"] / divisor,
    }


def masked_class_kd(student, teacher, problem):
    """Method 3 of lib/losses/distill: KL of the classes where the teacher sees an object."""
    classes = problem.config["classes"]
    total = 0
    for s, t in zip(student, teacher):
        rows = lambda x: x.float().permute(0, 2, 3, 1).reshape(-1, x.shape[1] // (5 + classes), 5 + classes)
        s, t = rows(s), rows(t)
        mask = (t[..., 4].sigmoid() >= problem.threshold).float()
        divergence = F.kl_div(s[..., 5:].log_softmax(2), t[..., 5:].log_softmax(2), reduction="none", log_target=True)
        total = total + ((divergence.sum(2) * mask).sum(0) / mask.sum(0).clamp(min=1)).sum()
    return total * problem.weight
