"""Expected values for the distillation losses: PyTorch 2.13, float64, plain loops over cells, anchors and channels.

Run: python distill.py   (writes distill.json beside this file)
"""

import base64
import json
import math
import pathlib

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
CLASSES, ANCHORS = 3, 3
WIDTH = 5 + CLASSES
GRIDS = [(5, 3), (3, 4), (1, 2)]
NAMES = ["stride32", "stride16", "stride8"]


def kl_elements(s, t, temperature):
    """List of p * (log p - log q) over a softmax of the 1-d logits t and s; written out with exponentials."""
    s, t = s / temperature, t / temperature
    s, t = s - s.max().detach(), t - t.max()
    log_q = s - torch.log(torch.exp(s).sum())
    log_p = t - torch.log(torch.exp(t).sum())
    values = []
    for i in range(len(s)):
        p = math.exp(log_p[i].item())
        values.append(p * (log_p[i] - log_q[i]) if p > 0 else 0 * s[i])
    return values


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def bce(x, target):
    return -target * torch.nn.functional.logsigmoid(x) - (1 - target) * torch.nn.functional.logsigmoid(-x)


def cells(x):
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                yield n, i, j


def output_kd(student, teacher, o):
    terms = {}
    for name, s, t in zip(NAMES, student, teacher):
        values = [v for c in cells(s) for v in kl_elements(s[c], t[c], o["temperature"])]
        terms[name] = sum(values) / len(values)
    return terms


def class_slice(x, cell, anchor):
    return x[cell][anchor * WIDTH + 5 : (anchor + 1) * WIDTH]


def class_kd(student, teacher, o):
    terms = {}
    for name, s, t in zip(NAMES, student, teacher):
        total = 0
        for a in range(ANCHORS):
            values = []
            for c in cells(s):
                values += kl_elements(class_slice(s, c, a), class_slice(t, c, a), o["temperature"])
            total = total + sum(values) / len(values)
        terms[name] = total
    return terms


def masked_class_kd(student, teacher, o):
    terms = {}
    for name, s, t in zip(NAMES, student, teacher):
        total = 0 * s.sum()
        for a in range(ANCHORS):
            passing, count = 0, 0
            for c in cells(s):
                if sigmoid(t[c][a * WIDTH + 4].item()) >= o["threshold"]:
                    count += 1
                    passing = passing + sum(kl_elements(class_slice(s, c, a), class_slice(t, c, a), o["temperature"]))
            if count:
                total = total + passing / count
        terms[name] = total
    return terms


def objectness_mse(student, teacher, o):
    variant = o["variant"]
    totals = {"box": 0, "objectness": 0, "class": 0}
    for s, t in zip(student, teacher):
        groups = {"box": [], "objectness": [], "class": []}
        for c in cells(s):
            for a in range(ANCHORS):
                x, y = s[c][a * WIDTH : (a + 1) * WIDTH], t[c][a * WIDTH : (a + 1) * WIDTH]
                weight = sigmoid(y[4].item())
                for k in range(WIDTH):
                    group = "box" if k < 4 else "objectness" if k == 4 else "class"
                    if variant == "mse":
                        value = weight * (x[k] - y[k]) ** 2
                    elif variant == "paper":
                        value = (1 if k == 4 else weight) * (x[k] - y[k]) ** 2
                    elif k == 4:
                        value = bce(x[k], 1.0 if y[k] > 0 else 0.0)
                    elif k in (2, 3):
                        value = weight * abs(x[k] - y[k])
                    else:
                        value = weight * bce(x[k], sigmoid(y[k].item()))
                    groups[group].append(value)
        for group, values in groups.items():
            totals[group] = totals[group] + sum(values) / len(values)
    return totals


SMALLEST_SQUARE = 1e-8  # in the length of a vector, so that one of zeros has a direction


def angle_distance(xs, ys):
    """1 - cosine of two lists of numbers, for vectors whose lengths are sqrt(sum of squares + 1e-8)."""
    xx, yy = sum(x**2 for x in xs), sum(y**2 for y in ys)
    a, b = (xx + SMALLEST_SQUARE) ** 0.5, (yy + SMALLEST_SQUARE) ** 0.5
    return (xx / a**2 + yy / b**2) / 2 - sum(x * y for x, y in zip(xs, ys)) / (a * b)


def correlation_distance(xs, ys):
    """1 - Pearson correlation of two lists of numbers."""
    mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
    return angle_distance([x - mx for x in xs], [y - my for y in ys])


def dist(student, teacher, o):
    terms = {"inter": 0, "intra": 0}
    for s, t in zip(student, teacher):
        slots = [(c, a) for c in cells(s) for a in range(ANCHORS)]
        p = [torch.sigmoid(class_slice(s, c, a) / o["temperature"]) for c, a in slots]
        q = [torch.sigmoid(class_slice(t, c, a) / o["temperature"]) for c, a in slots]
        inter = [correlation_distance(list(x), list(y)) for x, y in zip(p, q)]
        intra = [correlation_distance([x[k] for x in p], [y[k] for y in q]) for k in range(CLASSES)]
        terms["inter"] = terms["inter"] + o["beta"] * sum(inter) / len(inter)
        terms["intra"] = terms["intra"] + o["gamma"] * sum(intra) / len(intra)
    return terms


METHODS = {
    "output-kd": output_kd,
    "class-kd": class_kd,
    "masked-class-kd": masked_class_kd,
    "objectness-mse": objectness_mse,
    "dist": dist,
}


def pack(array):
    return base64.b64encode(np.asarray(array, dtype="<f4").tobytes()).decode()


def packed(arrays):
    return [{"shape": list(a.shape), "data": pack(a)} for a in arrays]


def inputs():
    rng = np.random.default_rng(3)

    def draw(n, spread):
        return [rng.normal(0, spread, (n, h, w, ANCHORS * WIDTH)).astype(np.float32) for h, w in GRIDS]

    def extreme(n):
        return [rng.choice([-80, 80], (n, h, w, ANCHORS * WIDTH)).astype(np.float32) for h, w in GRIDS]

    def teacher(n):
        logits = draw(n, 1.5)
        for x in logits:
            x[..., 4::WIDTH] = rng.normal(-2.9, 1.5, x[..., 4::WIDTH].shape)
        logits[1][..., 2 * WIDTH + 4] = -6  # no cell of this scale and anchor passes 0.05
        return logits

    data = {
        "two": (draw(2, 1.5), teacher(2)),
        "one": (draw(1, 1), teacher(1)),
        "extreme": (extreme(1), extreme(1)),
    }
    # A student that has learnt nearly everything, of a teacher that is sure: differences of large numbers.
    sure = draw(1, 5)
    data["close"] = ([(t + rng.normal(0, 1e-3, t.shape)).astype(np.float32) for t in sure], sure)
    return data


def head_cases(data):
    rows = [
        ("two", "output-kd", {"temperature": 1}),
        ("one", "output-kd", {"temperature": 4, "scaleByTemperatureSquared": True}),
        ("extreme", "output-kd", {"temperature": 1}),
        ("two", "class-kd", {"temperature": 1}),
        ("one", "class-kd", {"temperature": 0.5}),
        ("one", "class-kd", {"temperature": 3, "scaleByTemperatureSquared": True}),
        ("extreme", "class-kd", {"temperature": 1}),
        ("two", "masked-class-kd", {"temperature": 1, "threshold": 0.05}),
        ("two", "masked-class-kd", {"temperature": 2, "threshold": 0.3, "scaleByTemperatureSquared": True}),
        ("one", "masked-class-kd", {"temperature": 1, "threshold": 0.05}),
        ("one", "masked-class-kd", {"temperature": 1, "threshold": 0}),
        ("one", "masked-class-kd", {"temperature": 1, "threshold": 0.9999}),
        ("extreme", "masked-class-kd", {"temperature": 1, "threshold": 0.05}),
        ("two", "objectness-mse", {"variant": "mse"}),
        ("two", "objectness-mse", {"variant": "paper"}),
        ("two", "objectness-mse", {"variant": "paddle"}),
        ("extreme", "objectness-mse", {"variant": "mse"}),
        ("extreme", "objectness-mse", {"variant": "paddle"}),
        ("close", "output-kd", {"temperature": 20}),
        ("close", "class-kd", {"temperature": 1}),
        ("close", "masked-class-kd", {"temperature": 8, "threshold": 0.05, "scaleByTemperatureSquared": True}),
        ("one", "output-kd", {"temperature": 50, "scaleByTemperatureSquared": True}),
        ("two", "dist", {"temperature": 1, "scaleByTemperatureSquared": True, "beta": 1, "gamma": 1}),
        ("one", "dist", {"temperature": 1, "scaleByTemperatureSquared": True, "beta": 1, "gamma": 0}),
        ("one", "dist", {"temperature": 2, "scaleByTemperatureSquared": True, "beta": 2, "gamma": 3}),
        ("two", "dist", {"temperature": 0.5, "scaleByTemperatureSquared": False, "beta": 0, "gamma": 1}),
    ]
    cases = []
    for source, method, options in rows:
        students, teachers = data[source]
        s = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in students]
        t = [torch.tensor(a, dtype=torch.float64) for a in teachers]
        terms = METHODS[method](s, t, options)
        if options.get("scaleByTemperatureSquared"):
            terms = {name: value * options["temperature"] ** 2 for name, value in terms.items()}
        sum(terms.values()).backward()
        cases.append(
            {
                "data": source,
                "method": method,
                "options": options,
                "terms": {name: value.item() for name, value in terms.items()},
                "gradients": [pack(a.grad) for a in s],
            }
        )
    return cases


def squared_error(s, t, o):
    return sum(sum((x - y) ** 2 for x, y in zip(s[c], t[c])) for c in cells(s)) / s.numel()


def cosine(s, t, o):
    values = [angle_distance(list(s[c]), list(t[c])) for c in cells(s)]
    return sum(values) / len(values)


def channel_divergence(s, t, o):
    images, _, _, channels = s.shape
    total = 0
    for n in range(images):
        for k in range(channels):
            total = total + sum(kl_elements(s[n, :, :, k].flatten(), t[n, :, :, k].flatten(), o["temperature"]))
    factor = o["temperature"] ** 2 if o["scaleByTemperatureSquared"] else 1
    return factor * total / (images * channels)


FEATURE_METHODS = [
    ("feature-mse", squared_error, {}),
    ("feature-cosine", cosine, {}),
    ("channel-kd", channel_divergence, {"temperature": 4, "scaleByTemperatureSquared": True}),
    ("channel-kd", channel_divergence, {"temperature": 1, "scaleByTemperatureSquared": True}),
    ("channel-kd", channel_divergence, {"temperature": 0.5, "scaleByTemperatureSquared": False}),
]


def feature_cases():
    """Widths 4, 2, 3 of the student, 4, 3, 3 of the teacher: the middle map goes through a 1x1 adapter."""
    rng = np.random.default_rng(4)
    widths, wanted = [4, 2, 3], [4, 3, 3]
    s = [rng.normal(0, 1, (2, h, w, c)).astype(np.float32) for (h, w), c in zip(GRIDS, widths)]
    t = [rng.normal(0, 1, (2, h, w, c)).astype(np.float32) for (h, w), c in zip(GRIDS, wanted)]
    kernel = rng.normal(0, 1, (2, 3)).astype(np.float32)
    cases = []
    for method, distance, options in FEATURE_METHODS:
        students = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in s]
        teachers = [torch.tensor(a, dtype=torch.float64) for a in t]
        adapter = torch.tensor(kernel, dtype=torch.float64, requires_grad=True)
        mapped = [students[0], torch.einsum("nhwi,io->nhwo", students[1], adapter), students[2]]
        terms = {name: distance(x, y, options) for name, x, y in zip(NAMES, mapped, teachers)}
        sum(terms.values()).backward()
        cases.append(
            {
                "method": method,
                "options": options,
                "terms": {name: value.item() for name, value in terms.items()},
                "gradients": [pack(a.grad) for a in students],
                "adapterGradient": pack(adapter.grad),
            }
        )
    return {"student": packed(s), "teacher": packed(t), "adapter": pack(kernel), "cases": cases}


if __name__ == "__main__":
    data = inputs()
    result = {
        "classes": CLASSES,
        "data": {name: {"student": packed(s), "teacher": packed(t)} for name, (s, t) in data.items()},
        "cases": head_cases(data),
        "features": feature_cases(),
    }
    (HERE / "distill.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
