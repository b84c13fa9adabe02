"""An independent pruning of a tiny detector in PyTorch, float64; writes prune.json beside itself.

Needs torch 2.13 and numpy: python test/slimming/oracle/prune.py

The expected outputs come from the unpruned network: pruned channels get gamma = 0, and every convolution pads them
with the constant that they are, where it pads the others with zeros. That is what a pruned network must compute.
"""
import base64
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

BLOCKS = [1, 1, 2, 2, 1]
CLASSES = 2
ANCHORS = 3
HEIGHT, WIDTH = 32, 64
WIDTHS = {"in": [6, 8, 10, 8, 12], "out": [8, 10, 8, 12, 16], "mid": [4, 6, 6, 8, 6, 8, 10]}
NECK = [6, 4, 4]
generator = np.random.default_rng(7)


def backbone_layers():
    """(name, kernel, group) of the prunable layers in order; a group shares one mask."""
    layers = [("stem", 3, "stem")]
    for i, blocks in enumerate(BLOCKS):
        stage = f"stage{i + 1}"
        layers.append((f"{stage}/down", 3, f"{stage}/down"))
        for b in range(1, blocks + 1):
            name = f"{stage}/block{b}"
            layers.append((f"{name}/reduce", 1, f"{name}/reduce"))
            layers.append((f"{name}/expand", 3, f"{stage}/down"))
    return layers


GROUP = {name: group for name, _, group in backbone_layers()}


class Net:
    """Runs the network; creates its weights on the way when there are none, and counts its operations."""

    def __init__(self, widths, upsample, spp, weights=None, kept=None):
        self.widths, self.upsample, self.spp, self.kept = widths, upsample, spp, kept or {}
        self.create = weights is None
        self.weights = {} if weights is None else weights
        self.macs = self.parameters = 0

    def get(self, name, shape, draw):
        if self.create:
            self.weights[name] = draw(shape).astype(np.float32)
        assert self.weights[name].shape == tuple(shape), (name, shape)
        return torch.from_numpy(self.weights[name].astype(np.float64))

    def norm(self, x, name, out):
        vector = lambda suffix, low, high: self.get(f"{name}/{suffix}", [out], lambda s: generator.uniform(low, high, s))
        gamma = vector("gamma", -1.5, 1.5)
        beta, mean, variance = vector("beta", -1, 1), vector("mean", -0.3, 0.3), vector("variance", 0.5, 2)
        pruned = torch.zeros(out, dtype=torch.bool)
        if name in GROUP and self.kept:
            pruned[:] = True
            pruned[self.kept[GROUP[name]]] = False
        gamma = torch.where(pruned, 0.0, gamma)
        y = (x - mean.view(-1, 1, 1)) / torch.sqrt(variance.view(-1, 1, 1) + 1e-5) * gamma.view(-1, 1, 1) + beta.view(-1, 1, 1)
        constant = torch.where(pruned, F.leaky_relu(beta, 0.1), 0.0)
        return F.leaky_relu(y, 0.1), constant

    def conv(self, value, name, out, kernel, stride=1):
        x, constant = value
        c = x.shape[1]
        spread = math.sqrt(2 / (kernel * kernel * c))
        w = self.get(f"{name}/kernel", [kernel, kernel, c, out], lambda s: generator.normal(0, spread, s))
        k = constant.view(1, -1, 1, 1)
        pad = (kernel - 1) // 2
        padded = F.pad(x - k, [pad] * 4) + k
        y = F.conv2d(padded, w.permute(3, 2, 0, 1), stride=stride)
        self.macs += kernel * kernel * c * out * y.shape[2] * y.shape[3]
        self.parameters += kernel * kernel * c * out + 2 * out
        return self.norm(y, name, out)

    def deconv(self, value, name, out):
        x, constant = value
        assert not constant.any()
        c = x.shape[1]
        w = self.get(f"{name}/kernel", [2, 2, out, c], lambda s: generator.normal(0, math.sqrt(2 / c), s))
        y = F.conv_transpose2d(x, w.permute(3, 2, 0, 1), stride=2)
        self.macs += 4 * c * out * x.shape[2] * x.shape[3]
        self.parameters += 4 * c * out + 2 * out
        return self.norm(y, name, out)

    def linear(self, value, name, out):
        x, _ = value
        c = x.shape[1]
        w = self.get(f"{name}/kernel", [1, 1, c, out], lambda s: generator.normal(0, 0.5, s))
        bias = self.get(f"{name}/bias", [out], lambda s: generator.uniform(-1, 1, s))
        self.macs += c * out * x.shape[2] * x.shape[3]
        self.parameters += c * out + out
        return F.conv2d(x, w.permute(3, 2, 0, 1), bias)

    @staticmethod
    def concat(*values):
        return torch.cat([v[0] for v in values], 1), torch.cat([v[1] for v in values])

    def run(self, images):
        x = self.conv((images, torch.zeros(3, dtype=torch.float64)), "stem", self.widths["in"][0], 3)
        mids = iter(self.widths["mid"])
        stages = []
        for i, blocks in enumerate(BLOCKS):
            out = self.widths["out"][i]
            x = self.conv(x, f"stage{i + 1}/down", out, 3, 2)
            for b in range(1, blocks + 1):
                name = f"stage{i + 1}/block{b}"
                y = self.conv(x, f"{name}/reduce", next(mids), 1)
                y = self.conv(y, f"{name}/expand", out, 3)
                x = x[0] + y[0], x[1] + y[1]
            stages.append(x)
        c3, c4, c5 = stages[2:]

        def detect(v, scale, first, kernels):
            for j, kernel in enumerate(kernels):
                v = self.conv(v, f"neck/detect{scale}/{first + j}", NECK[scale - 1], kernel)
            return v

        def up(v, scale):
            out = NECK[scale - 1]
            v = self.conv(v, f"neck/route{scale}", out, 1)
            if self.upsample == "deconv":
                return self.deconv(v, f"neck/up{scale}", out)
            return F.interpolate(v[0], scale_factor=2, mode="nearest"), v[1]

        v = detect(c5, 1, 1, [1, 3, 1])
        if self.spp:
            pools = [(F.max_pool2d(v[0], n, 1, n // 2), v[1]) for n in (13, 9, 5)]
            v = self.concat(*pools, v)
        coarse = detect(v, 1, 4, [1, 3, 1])
        middle = detect(self.concat(up(coarse, 2), c4), 2, 1, [1, 3, 1, 3, 1])
        fine = detect(self.concat(up(middle, 3), c3), 3, 1, [1, 3, 1, 3, 1])
        outputs = []
        for s, feature in enumerate([coarse, middle, fine]):
            hidden = self.conv(feature, f"head/{s + 1}/conv", NECK[s], 3)
            outputs.append(self.linear(hidden, f"head/{s + 1}/output", ANCHORS * (5 + CLASSES)))
        return outputs


def scores_of(weights, shared):
    members = {}
    for name, _, group in backbone_layers():
        members.setdefault(group, []).append(np.abs(weights[f"{name}/gamma"].astype(np.float64)))
    return {g: (np.max(m, 0) if shared == "union" else np.mean(m, 0)) for g, m in members.items()}


def keep(scores, threshold, floor, cap, multiple):
    kept = {}
    for group, s in scores.items():
        n = len(s)
        count = min(max(int((s >= threshold).sum()), floor * n), cap * n)
        count = min(n, multiple * math.ceil(round(count / multiple, 9)))
        kept[group] = sorted(np.argsort(-s, kind="stable")[:count].tolist())
    return kept


def widths_of(kept):
    out = [len(kept[f"stage{i}/down"]) for i in range(1, 6)]
    mid = [len(kept[f"stage{i + 1}/block{b}/reduce"]) for i in range(5) for b in range(1, BLOCKS[i] + 1)]
    return {"in": [len(kept["stem"])] + out[:-1], "out": out, "mid": mid}


def counts(widths, upsample, spp):
    net = Net(widths, upsample, spp)
    with torch.no_grad():
        net.run(torch.zeros(1, 3, HEIGHT, WIDTH, dtype=torch.float64))
    return {"macs": net.macs, "parameters": net.parameters}


def text(array):
    return base64.b64encode(np.ascontiguousarray(array, dtype=np.float32).tobytes()).decode()


images = generator.uniform(0, 1, [1, 3, HEIGHT, WIDTH]).astype(np.float32)
teacher = Net(WIDTHS, "deconv", True)
with torch.no_grad():
    teacher.run(torch.from_numpy(images.astype(np.float64)))
weights = teacher.weights

# (upsample, spp, options): thresholds, ratios of channels, and budgets found by trying every threshold.
CASES = [
    ("deconv", True, {"threshold": 0.8, "floor": 0.05, "cap": 0.8, "multiple": 2, "shared": "union"}),
    ("deconv", True, {"ratio": 0.5, "floor": 0.25, "cap": 1, "multiple": 1, "shared": "mean"}),
    ("deconv", True, {"budget": {"of": "macs", "percent": 60}, "floor": 0.4, "cap": 0.8, "multiple": 2, "shared": "mean"}),
    ("deconv", True, {"budget": {"of": "parameters", "atMost": 9000}, "floor": 0.2, "cap": 1, "multiple": 3, "shared": "union"}),
    ("nearest", False, {"ratio": 0.7, "floor": 0.1, "cap": 1, "multiple": 2, "shared": "union"}),
]

cases = []
for upsample, spp, options in CASES:
    rules = {k: options[k] for k in ("floor", "cap", "multiple")}
    scores = scores_of(weights, options["shared"])
    every = np.sort(np.concatenate(list(scores.values())))
    if "threshold" in options:
        kept = keep(scores, options["threshold"], **rules)
    elif "ratio" in options:
        kept = keep(scores, every[math.floor(options["ratio"] * len(every))], **rules)
    else:
        of = options["budget"]["of"]
        whole = counts(WIDTHS, upsample, spp)[of]
        limit = options["budget"].get("atMost", whole * options["budget"].get("percent", 0) / 100)
        candidates = [keep(scores, t, **rules) for t in [*every, math.inf]]
        costs = [counts(widths_of(c), upsample, spp)[of] for c in candidates]
        best = max(cost for cost in costs if cost <= limit)
        kept = candidates[costs.index(best)]
    names = {k: v for k, v in weights.items()}
    if not spp:
        # A network without pools and deconvolutions has fewer weights, and one kernel takes fewer channels.
        names = {k: v for k, v in names.items() if not k.startswith("neck/up")}
        names["neck/detect1/4/kernel"] = names["neck/detect1/4/kernel"][:, :, : NECK[0]]
    net = Net(WIDTHS, upsample, spp, names, kept)
    with torch.no_grad():
        outputs = net.run(torch.from_numpy(images.astype(np.float64)))
    cases.append(
        {
            "upsample": upsample,
            "spp": spp,
            "options": options,
            "kept": kept,
            "widths": widths_of(kept),
            "counts": counts(widths_of(kept), upsample, spp),
            "outputs": [text(o.permute(0, 2, 3, 1).numpy()) for o in outputs],
        }
    )

(Path(__file__).parent / "prune.json").write_text(
    json.dumps(
        {
            "input": [HEIGHT, WIDTH],
            "classes": CLASSES,
            "backbone": WIDTHS,
            "neck": NECK,
            "images": text(images.transpose(0, 2, 3, 1)),
            "weights": {k: {"shape": list(v.shape), "values": text(v)} for k, v in weights.items()},
            "cases": cases,
        }
    )
    + "\n"
)
