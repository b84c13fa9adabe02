"""Decoding and NMS as plain loops in float64: the oracle of decode.test.ts. Writes decode.json beside it.

    python3 -m venv v && v/bin/pip install numpy && v/bin/python test/detector/oracle/decode.py

Slots of a scale are numbered row by row, then column, then anchor; scales in the order of strides 32, 16, 8.
"""

import json
import math
from pathlib import Path

import numpy as np

from lcg import Lcg

ANCHORS = [[[24, 18], [43, 32], [98, 75]], [[10, 7], [17, 9], [12, 15]], [[3, 7], [6, 5], [5, 11]]]
STRIDES = [32, 16, 8]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0
    inter = w * h
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


def detect(scales, classes, s, limit=100):
    """scales: logits [h, w, 3, 5 + classes] of one image. Rows [slot, class, score, x1, y1, x2, y2]."""
    candidates = []
    first = 0
    for scale, logits in enumerate(scales):
        h, w, anchors, _ = logits.shape
        stride = STRIDES[scale]
        slots = []
        for y in range(h):
            for x in range(w):
                for a in range(anchors):
                    t = [float(v) for v in logits[y, x, a]]
                    conf = sigmoid(t[4])
                    if conf < 0.005:
                        continue
                    cx = (sigmoid(t[0]) * s - (s - 1) / 2 + x) * stride
                    cy = (sigmoid(t[1]) * s - (s - 1) / 2 + y) * stride
                    bw = ANCHORS[scale][a][0] * math.exp(t[2])
                    bh = ANCHORS[scale][a][1] * math.exp(t[3])
                    box = [cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2]
                    slots.append((first + (y * w + x) * anchors + a, conf, box, t[5:]))
        slots = sorted(slots, key=lambda slot: (-slot[1], slot[0]))[:1000]
        for slot, conf, box, logit in slots:
            for c in range(classes):
                if sigmoid(logit[c]) > 0.05:
                    candidates.append([slot, c, sigmoid(logit[c]) * conf, *box])
        first += h * w * anchors
    candidates.sort(key=lambda row: (-row[2], row[0], row[1]))
    kept = []
    for row in candidates:
        if all(row[1] != other[1] or iou(row[3:], other[3:]) <= 0.45 for other in kept):
            kept.append(row)
    return kept[:limit]


def logits_of(random, shape, coarse):
    """Objectness low for most slots; in coarse cases every logit is -40, 0 or 40, so that scores tie
    (and sigmoids are the same to the bit in every implementation)."""
    h, w, classes = shape
    count = h * w * 3 * (5 + classes)
    values = random.uniform(count, -1, 1).reshape(h, w, 3, 5 + classes).astype(np.float64)
    values[..., 4] = values[..., 4] * 6 - 2
    values[..., 5:] = values[..., 5:] * 5 - 1
    if coarse:
        values = np.round(values / 4) * 40
    return np.float32(values)


CASES = [
    {"seed": 1, "input": [64, 96], "classes": 3, "scaleXY": 2, "coarse": False},
    {"seed": 2, "input": [64, 96], "classes": 3, "scaleXY": 1, "coarse": True},
    {"seed": 3, "input": [32, 32], "classes": 1, "scaleXY": 1.1, "coarse": True},
    # 1536 slots at stride 8, of which the best 1000 count; many equal objectness values in the second case
    {"seed": 4, "input": [128, 256], "classes": 2, "scaleXY": 2, "coarse": False},
    {"seed": 5, "input": [128, 256], "classes": 2, "scaleXY": 2, "coarse": True},
]

if __name__ == "__main__":
    result = []
    for case in CASES:
        random = Lcg(case["seed"])
        h, w = case["input"]
        scales = [logits_of(random, (h // s, w // s, case["classes"]), case["coarse"]) for s in STRIDES]
        if case["seed"] == 5:
            scales[2][..., 4] = 0  # all 1536 tie: the first 1000 slots stay
        rows = detect(scales, case["classes"], case["scaleXY"])
        print(case, len(rows), len({row[2] for row in rows}))
        result.append({**case, "detections": [[row[1], *np.float32(row[2:]).tolist()] for row in rows]})
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
