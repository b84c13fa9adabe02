"""Expected values for target assignment and the YOLOv3 loss: PyTorch 2.13, float64, plain loops over slots.

Run: python yolo.py   (writes assign.json and yolo.json beside this file)
"""

import base64
import json
import math
import pathlib

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
STRIDES = [32, 16, 8]
ANCHORS = [[[24, 18], [43, 32], [98, 75]], [[10, 7], [17, 9], [12, 15]], [[3, 7], [6, 5], [5, 11]]]


def box(x1, y1, x2, y2, label=0, **flags):
    return {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "label": label, **flags}


def centred(x, y, w, h, label=0, **flags):
    return box(x - w / 2, y - h / 2, x + w / 2, y + h / 2, label, **flags)


def iou(a, b):
    """IoU of two corner boxes."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(w, 0) * max(h, 0)
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


def slot_box(scale, row, col, anchor):
    stride = STRIDES[scale]
    aw, ah = ANCHORS[scale][anchor]
    x, y = (col + 0.5) * stride, (row + 0.5) * stride
    return [x - aw / 2, y - ah / 2, x + aw / 2, y + ah / 2]


def assign(truths, size, ignore_threshold=0.7, multi_anchor=False, cross_grid=False, multi_anchor_threshold=0.5):
    """Returns (positives, ignored): {(scale, row, col, anchor): truth} and a set of slots, for one labelled image."""
    height, width = size
    truths = [t for t in truths if t["x2"] > t["x1"] and t["y2"] > t["y1"]]
    corners = [[t["x1"], t["y1"], t["x2"], t["y2"]] for t in truths]
    ignored = set()
    for scale, stride in enumerate(STRIDES):
        for row in range(height // stride):
            for col in range(width // stride):
                for anchor in range(3):
                    if any(iou(slot_box(scale, row, col, anchor), c) > ignore_threshold for c in corners):
                        ignored.add((scale, row, col, anchor))

    objects = [t for t in truths if not t.get("difficult") and not t.get("crowd")]
    secondary, best = [], []
    for t in objects:
        c = [t["x1"], t["y1"], t["x2"], t["y2"]]
        cx, cy = (c[0] + c[2]) / 2, (c[1] + c[3]) / 2
        cells = []
        for stride in STRIDES:
            row = min(max(math.floor(cy / stride), 0), height // stride - 1)
            col = min(max(math.floor(cx / stride), 0), width // stride - 1)
            cells.append((row, col))
        candidates = [(scale, *cells[scale], anchor) for scale in range(len(STRIDES)) for anchor in range(3)]
        scores = [iou(slot_box(*slot), c) for slot in candidates]
        top = candidates[scores.index(max(scores))]
        best.append((top, t))
        selected = [top]
        if multi_anchor:
            for slot in candidates:
                aw, ah = ANCHORS[slot[0]][slot[3]]
                shape = [-aw / 2, -ah / 2, aw / 2, ah / 2]
                tw, th = c[2] - c[0], c[3] - c[1]
                if slot != top and iou(shape, [-tw / 2, -th / 2, tw / 2, th / 2]) > multi_anchor_threshold:
                    selected.append(slot)
        for scale, row, col, anchor in selected:
            stride = STRIDES[scale]
            secondary.append(((scale, row, col, anchor), t))
            if cross_grid:
                fx, fy = cx / stride - col, cy / stride - row
                neighbours = []
                if fx < 0.5:
                    neighbours.append((row, col - 1))
                if fx > 0.5:
                    neighbours.append((row, col + 1))
                if fy < 0.5:
                    neighbours.append((row - 1, col))
                if fy > 0.5:
                    neighbours.append((row + 1, col))
                for r, q in neighbours:
                    if 0 <= r < height // stride and 0 <= q < width // stride:
                        secondary.append(((scale, r, q, anchor), t))
    positives = {}
    for slot, t in secondary + best:
        positives[slot] = t
    return positives, ignored


def bce(x, target):
    """-target * log sigmoid(x) - (1 - target) * log(1 - sigmoid(x))."""
    return -target * torch.nn.functional.logsigmoid(x) - (1 - target) * torch.nn.functional.logsigmoid(-x)


def yolo_loss(logits, batch, size, classes, scale_xy, assign_options, kind, normalise, smoothing, weights):
    """logits: list of float64 [n, h, w, 3 * (5 + classes)]. Returns a dict of terms."""
    xy = wh = overlap = objectness = category = torch.zeros((), dtype=torch.float64)
    count, labelled = 0, 0
    for n, truths in enumerate(batch):
        if truths is None:
            continue
        labelled += 1
        positives, ignored = assign(truths, size, **assign_options)
        count += len(positives)
        for scale, stride in enumerate(STRIDES):
            for row in range(size[0] // stride):
                for col in range(size[1] // stride):
                    for anchor in range(3):
                        slot = (scale, row, col, anchor)
                        start = anchor * (5 + classes)
                        v = logits[scale][n, row, col, start : start + 5 + classes]
                        if slot not in positives:
                            if slot not in ignored:
                                objectness = objectness + bce(v[4], 0.0)
                            continue
                        t = positives[slot]
                        objectness = objectness + bce(v[4], 1.0)
                        for c in range(classes):
                            target = (1.0 if c == t["label"] else 0.0) * (1 - smoothing) + smoothing / classes
                            category = category + bce(v[5 + c], target)
                        aw, ah = ANCHORS[scale][anchor]
                        tx, ty = (t["x1"] + t["x2"]) / 2, (t["y1"] + t["y2"]) / 2
                        tw, th = t["x2"] - t["x1"], t["y2"] - t["y1"]
                        if kind == "xywh":
                            for k, frac in enumerate([tx / stride - col, ty / stride - row]):
                                target = min(max((frac + (scale_xy - 1) / 2) / scale_xy, 0.0), 1.0)
                                xy = xy + 2 * bce(v[k], target)
                            wh = wh + 2 * (v[2] - math.log(tw / aw)) ** 2 + 2 * (v[3] - math.log(th / ah)) ** 2
                            continue
                        bx = (torch.sigmoid(v[0]) * scale_xy - (scale_xy - 1) / 2 + col) * stride
                        by = (torch.sigmoid(v[1]) * scale_xy - (scale_xy - 1) / 2 + row) * stride
                        bw, bh = aw * torch.exp(v[2]), ah * torch.exp(v[3])
                        px1, px2, py1, py2 = bx - bw / 2, bx + bw / 2, by - bh / 2, by + bh / 2
                        iw = torch.clamp(torch.clamp(px2, max=t["x2"]) - torch.clamp(px1, min=t["x1"]), min=0)
                        ih = torch.clamp(torch.clamp(py2, max=t["y2"]) - torch.clamp(py1, min=t["y1"]), min=0)
                        inter = iw * ih
                        union = bw * bh + tw * th - inter
                        value = inter / union
                        if kind == "giou":
                            hull = (torch.clamp(px2, min=t["x2"]) - torch.clamp(px1, max=t["x1"])) * (
                                torch.clamp(py2, min=t["y2"]) - torch.clamp(py1, max=t["y1"])
                            )
                            value = value - (hull - union) / hull
                        overlap = overlap + 1 - value
    divisor = {"sum": 1, "image": max(1, labelled), "positive": max(1, count)}[normalise]
    terms = {"xy": xy * weights[0], "wh": wh * weights[0]} if kind == "xywh" else {"box": overlap * weights[0]}
    terms |= {"objectness": objectness * weights[1], "class": category * weights[2]}
    return {name: value / divisor for name, value in terms.items()}


def pack(array):
    return base64.b64encode(np.asarray(array, dtype="<f4").tobytes()).decode()


def random_truths(rng, count, size, classes):
    truths = []
    for _ in range(count):
        w, h = (round(float(4 * math.exp(rng.uniform(-0.3, 3)))) / 4 * 1.0 for _ in range(2))
        x, y = round(float(rng.uniform(0, size[1])) * 4) / 4, round(float(rng.uniform(0, size[0])) * 4) / 4
        truths.append(centred(x, y, max(w, 1.5), max(h, 1.5), int(rng.integers(classes))))
    return truths


def assignment_cases():
    rng = np.random.default_rng(1)
    size = [96, 160]  # 3x5, 6x10 and 12x20 cells
    lists = {
        "empty": [],
        "cell edge": [centred(64, 32, 24, 18, 1), centred(48, 48, 12, 15), centred(80, 40, 5, 11, 2)],
        "cell centre": [centred(48, 16, 24, 18, 1), centred(24, 40, 17, 9, 2), centred(4, 4, 3, 7)],
        "outside": [
            centred(-10, 20, 40, 30, 1),
            centred(170, 100, 40, 30, 2),
            centred(400, -300, 6, 5),
            centred(159.5, 95.5, 6, 5, 1),
        ],
        "one slot": [centred(50, 50, 24, 18, 1), centred(51, 49, 24, 18, 2), centred(49, 51, 22, 20, 0)],
        "neighbours": [centred(50, 50, 12, 15, 1), centred(40, 50, 12, 15, 2), centred(66, 50, 12, 15, 0)],
        "no area": [centred(50, 50, 0, 18, 1), box(40, 40, 30, 60, 2), box(40, 40, 60, 30, 2), centred(20, 20, 6, 5)],
        "difficult": [
            centred(48, 48, 24, 18, 1, difficult=True),
            centred(24, 24, 10, 7, 1, crowd=True),
            centred(24.5, 24, 10, 8, 2),
            centred(100, 20, 6, 5, 0, difficult=True, crowd=True),
        ],
        "large": [box(0, 0, 160, 96, 1), box(20, 5, 120, 80, 2), centred(80, 48, 98, 75, 0)],
    }
    for i in range(6):
        lists[f"random {i}"] = random_truths(rng, 12, size, 3)
    options = [
        {},
        {"multi_anchor": True},
        {"cross_grid": True},
        {"multi_anchor": True, "cross_grid": True},
        {"multi_anchor": True, "cross_grid": True, "multi_anchor_threshold": 0.25, "ignore_threshold": 0.4},
    ]
    cases = []
    for name, truths in lists.items():
        for option in options:
            positives, ignored = assign(truths, size, **option)
            kept = [t for t in truths if t["x2"] > t["x1"] and t["y2"] > t["y1"]]
            assert name != "no area" or len(kept) == 1
            cases.append(
                {
                    "name": name,
                    "options": option,
                    # slot and the truth's place in the list; a negative is what is in neither list
                    "positives": [[*slot, next(i for i, u in enumerate(truths) if u is t)] for slot, t in positives.items()],
                    "ignored": sorted(list(slot) for slot in ignored if slot not in positives),
                }
            )
    return {"input": size, "classes": 3, "anchors": ANCHORS, "truths": lists, "cases": cases}


def loss_cases():
    rng = np.random.default_rng(2)
    small, odd = [32, 64], [96, 64]
    batches = {
        "two": [
            [centred(32, 16, 24, 18, 1), centred(20.25, 11.5, 10.5, 7, 0), centred(50, 20, 4, 9.5, 1)],
            [centred(9, 9, 12, 15, 0), centred(10, 8, 12, 14, 1), centred(70, 30, 30, 20, 1)],
        ],
        "mixed": [None, [], [centred(40, 12.5, 17, 9, 1), centred(41, 12, 6, 5, 0, difficult=True)]],
        "empty": [[], []],
        "unlabelled": [None],
        "odd": [random_truths(rng, 9, odd, 2)],
    }

    def draw(n, size, spread, classes=2):
        shape = lambda s: (n, size[0] // s, size[1] // s, 3 * (5 + classes))
        return [rng.normal(0, spread, shape(s)).astype(np.float32) for s in STRIDES]

    def extremes(n, size):
        return [rng.choice([-80, 80], (n, size[0] // s, size[1] // s, 21)).astype(np.float32) for s in STRIDES]

    logits = {
        "two": draw(2, small, 0.7),
        "extreme": extremes(2, small),
        "mixed": draw(3, small, 1.5),
        "one": draw(1, small, 1),
        "odd": draw(1, odd, 1),
        "single": draw(1, small, 1, classes=1),
    }
    batches["single"] = [[t | {"label": 0} for t in batches["two"][0]]]
    plain = {"classes": 2, "kind": "giou", "normalise": "sum", "smoothing": 0.01, "weights": [1, 1, 1], "scale_xy": 2.0, "assign": {}}
    both = {"multi_anchor": True, "cross_grid": True}
    rows = [
        ("two", "two", small, {}),
        ("two", "two", small, {"kind": "iou", "normalise": "image"}),
        ("two", "two", small, {"kind": "xywh", "normalise": "positive"}),
        ("two", "two", small, {"kind": "xywh", "assign": both, "smoothing": 0.1, "weights": [2, 0.5, 3], "scale_xy": 1.0}),
        ("two", "two", small, {"assign": both, "weights": [0.5, 2, 0.25], "scale_xy": 1.0, "normalise": "positive"}),
        ("two", "extreme", small, {"assign": both}),
        ("two", "extreme", small, {"assign": both, "kind": "xywh"}),
        ("mixed", "mixed", small, {"normalise": "image", "smoothing": 0.0}),
        ("mixed", "mixed", small, {"normalise": "positive", "kind": "xywh"}),
        ("empty", "two", small, {"normalise": "positive"}),
        ("unlabelled", "one", small, {"normalise": "image"}),
        ("odd", "odd", odd, {"assign": both, "normalise": "positive"}),
        ("single", "single", small, {"classes": 1, "smoothing": 0.1}),
        ("single", "single", small, {"classes": 1, "kind": "xywh", "assign": both, "normalise": "image"}),
    ]
    cases = []
    for batch, source, size, changes in rows:
        o = plain | changes
        x = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in logits[source]]
        switches = ["classes", "scale_xy", "assign", "kind", "normalise", "smoothing", "weights"]
        terms = yolo_loss(x, batches[batch], size, *(o[name] for name in switches))
        total = sum(terms.values())
        if total.requires_grad:
            total.backward()
        cases.append(
            {
                "batch": batch,
                "logits": source,
                "input": size,
                **o,
                "total": total.item(),
                "terms": {name: value.item() for name, value in terms.items()},
                "gradients": [pack(a.grad if a.grad is not None else torch.zeros_like(a)) for a in x],
            }
        )
    packed = {name: [{"shape": a.shape, "data": pack(a)} for a in arrays] for name, arrays in logits.items()}
    return {"anchors": ANCHORS, "batches": batches, "logits": packed, "cases": cases}


if __name__ == "__main__":
    (HERE / "assign.json").write_text(json.dumps(assignment_cases(), separators=(",", ":")) + "\n")
    (HERE / "yolo.json").write_text(json.dumps(loss_cases(), separators=(",", ":")) + "\n")
