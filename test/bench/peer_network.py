"""A network as a list of layers, its loss and masked-class-kd in plain PyTorch (NCHW), on the problems that problem.ts writes."""

import json
import struct

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

LARGEST_LOG_SIZE = 16


class Problem:
    """A problem file (safetensors): weights of the networks, images (0..255), targets as entries of a table, and the
    options as JSON metadata."""

    def __init__(self, tensors, options):
        self.tensors = tensors
        self.networks = {name: options[name] for name in ("teacher", "student") if name in options}
        self.loss, self.sgd, self.rate = options["loss"], options["sgd"], options["rate"]
        self.threshold, self.weight = options["threshold"], options["weight"]
        self.config = options["heads"]
        self.images = torch.from_numpy(tensors["images"].astype(np.uint8)).permute(0, 3, 1, 2).contiguous()
        self.table = torch.from_numpy(tensors["table"])
        self.index = [torch.from_numpy(tensors[f"index/{i}"].astype(np.int32)) for i in range(3)]
        # Constants of the decoding for every slot, in the order of the logits.
        origin, anchor, stride, scale_xy = [], [], [], []
        for scale, index in enumerate(self.index):
            _, h, w, anchors = index.shape
            y, x, a = np.meshgrid(np.arange(h), np.arange(w), np.arange(anchors), indexing="ij")
            origin.append(np.stack([x, y], -1).reshape(-1, 2) * self.config["strides"][scale])
            anchor.append(np.array(self.config["anchors"][scale])[a.ravel()])
            stride.append(np.full((h * w * anchors, 1), self.config["strides"][scale]))
            scale_xy.append(np.full((h * w * anchors, 1), self.config["scaleXY"][scale]))
        self.origin, self.anchor, self.stride, self.scale_xy = (
            torch.from_numpy(np.concatenate(v).astype(np.float32)) for v in (origin, anchor, stride, scale_xy)
        )

    def to(self, device):
        """Moves the constants; the batch stays where it is."""
        constants = (self.origin, self.anchor, self.stride, self.scale_xy)
        self.origin, self.anchor, self.stride, self.scale_xy = (v.to(device) for v in constants)
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
    """Convolution or deconvolution, batch norm or bias, LeakyReLU or nothing."""

    def __init__(self, layer, weights):
        super().__init__()
        # [kh, kw, in, out] to [out, in, kh, kw]; of a deconvolution [kh, kw, out, in] to [in, out, kh, kw].
        kernel = torch.from_numpy(weights["kernel"]).permute(3, 2, 0, 1).contiguous()
        bias = not layer["batchNorm"]
        if layer["kind"] == "deconvolution":
            self.conv = nn.ConvTranspose2d(*kernel.shape[:2], layer["kernel"], layer["stride"], bias=bias)
        else:
            shape = (kernel.shape[1], kernel.shape[0], layer["kernel"], layer["stride"], layer["padding"])
            self.conv = nn.Conv2d(*shape, bias=bias)
        self.bn = nn.Identity() if bias else nn.BatchNorm2d(len(weights["gamma"]), eps=1e-5, momentum=0.1)
        self.act = nn.LeakyReLU(0.1, inplace=True) if layer["activation"] == "leaky" else nn.Identity()
        with torch.no_grad():
            self.conv.weight.copy_(kernel)
            if bias:
                self.conv.bias.copy_(torch.from_numpy(weights["bias"]))
            else:
                self.bn.weight.copy_(torch.from_numpy(weights["gamma"]))
                self.bn.bias.copy_(torch.from_numpy(weights["beta"]))
                self.bn.running_mean.copy_(torch.from_numpy(weights["mean"]))
                self.bn.running_var.copy_(torch.from_numpy(weights["variance"]))

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Detector(nn.Module):
    """The layers of darknet21, as its list has them: what others there are is refused."""

    def __init__(self, problem, network):
        super().__init__()
        spec = problem.networks[network]
        self.layers = spec["layers"]
        heads = [layer["from"] for layer in self.layers if layer["kind"] == "yolo"]
        self.ends = heads, [spec["features"][f"detect{i + 1}"] for i in range(len(heads))]
        self.convs = nn.ModuleDict()
        last = {}  # the layer after which a map is not needed any more
        for layer in self.layers:
            name, kind = layer["name"], layer["kind"]
            for source in sources(layer):
                last[source] = name
            if kind in ("convolution", "deconvolution"):
                start = f"{network}/{name}/"
                own = {key[len(start) :]: value for key, value in problem.tensors.items() if key.startswith(start)}
                if layer.get("groups", 1) > 1 or layer["activation"] not in ("leaky", "linear"):
                    raise ValueError(f"layer {name}: expected one group and leaky or linear")
                self.convs[name] = Conv(layer, own)
            elif kind not in ("maxPool", "route", "shortcut", "yolo"):
                raise ValueError(f"layer {name}: expected a layer of the published network, found {kind}")
        kept = {*heads, *self.ends[1]}
        self.drops = {name: [s for s, user in last.items() if user == name and s not in kept] for name in last.values()}

    def forward(self, x):
        maps = {"images": x}
        for layer in self.layers:
            name, kind = layer["name"], layer["kind"]
            taken = [maps[source] for source in sources(layer)]
            if kind in ("convolution", "deconvolution"):
                maps[name] = self.convs[name](taken[0])
            elif kind == "maxPool":
                maps[name] = F.max_pool2d(taken[0], layer["size"], layer["stride"], layer["padding"] // 2)
            elif kind == "route":
                maps[name] = torch.cat(taken, 1)
            elif kind == "shortcut":
                maps[name] = taken[0] + taken[1]
            del taken
            for source in self.drops.get(name, []):
                del maps[source]
        outputs, features = self.ends
        return [maps[name] for name in outputs], [maps[name] for name in features]


def sources(layer):
    return [layer["from"]] if isinstance(layer["from"], str) else layer["from"]


def slots(outputs, channels):
    """Logits of all scales as [n, slots, channels], float32."""
    return torch.cat([o.float().permute(0, 2, 3, 1).reshape(o.shape[0], -1, channels) for o in outputs], 1)


def yolo_loss(outputs, targets, problem):
    """The loss of lib/losses/yolo.ts with GIoU, divided by the positives of the batch."""
    config, options = problem.config, problem.loss
    classes, s = config["classes"], problem.scale_xy
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
