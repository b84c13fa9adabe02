"""Oracle for lib/study/statistics.ts: cases and the values of a bootstrap that really repeats the drawn images.

Run: python statistics.py > statistics.json   (numpy only)

mAP is Pascal VOC's at IoU 0.5 (all-point), computed on lists in which a drawn image stands as often as it was drawn, as
an image of its own. The random numbers are xoroshiro128+ seeded with SHA-256 of the key, as lib/base/random.ts says.
"""

import hashlib
import json

import numpy as np

IMAGES, CLASSES, SEEDS, RESAMPLES, CONFIDENCE, SEED = 30, 3, 2, 200, 0.9, 5
MASK = (1 << 64) - 1


class Random:
    def __init__(self, *key):
        digest = hashlib.sha256(json.dumps(key, separators=(",", ":")).encode()).digest()
        words = [int.from_bytes(digest[i : i + 4], "little") for i in (0, 4, 8, 12)]
        self.s0 = words[0] << 32 | words[1]
        self.s1 = words[2] << 32 | words[3]

    def integer(self, count):
        out = (self.s0 + self.s1) & 0xFFFFFFFF
        rotate = lambda x, k: (x << k | x >> (64 - k)) & MASK
        a = self.s0 ^ self.s1
        self.s0 = rotate(self.s0, 24) ^ a ^ (a << 16 & MASK)
        self.s1 = rotate(a, 37)
        return int(out / 2**32 * count)


def cases():
    rng = np.random.default_rng(11)
    truths = []
    for image in range(IMAGES):
        for _ in range(rng.integers(0, 5)):
            x, y, w, h = rng.uniform([0, 0, 8, 8], [80, 60, 30, 30])
            truths.append((image, int(rng.integers(CLASSES)), x, y, x + w, y + h))
    arms = {}
    for name, shift in (("a", 2.0), ("b", 3.5)):
        arms[name] = []
        for _ in range(SEEDS):
            rows = []
            for image, label, x1, y1, x2, y2 in truths:
                if rng.random() < 0.85:
                    moved = np.array([x1, y1, x2, y2]) + rng.normal(0, shift, 4)
                    moved[2:] = np.maximum(moved[2:], moved[:2] + 1)
                    rows.append((image, label, *moved, rng.uniform(0.2, 1)))
            for _ in range(40):
                x, y, w, h = rng.uniform([0, 0, 8, 8], [80, 60, 30, 30])
                rows.append((int(rng.integers(IMAGES)), int(rng.integers(CLASSES)), x, y, x + w, y + h, rng.uniform(0, 0.6)))
            arms[name].append([[round(v, 6 if i == 6 else 3) if i > 1 else v for i, v in enumerate(row)] for row in rows])
    return [[round(v, 3) if i > 1 else v for i, v in enumerate(row)] for row in truths], arms


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    area = lambda r: (r[2] - r[0]) * (r[3] - r[1])
    return w * h / (area(a) + area(b) - w * h)


def mean_ap(truths, detections, drawn):
    """drawn: list of image indices; position i is an image of its own."""
    values = []
    for label in range(CLASSES):
        boxes = {i: [t[2:6] for t in truths if t[0] == image and t[1] == label] for i, image in enumerate(drawn)}
        positives = sum(map(len, boxes.values()))
        if positives == 0:
            continue
        rows = [(d[6], i, d[2:6]) for i, image in enumerate(drawn) for d in detections if d[0] == image and d[1] == label]
        # Copies of one detection have equal scores and stay side by side; ours of different images never tie.
        rows.sort(key=lambda row: -row[0])
        taken = {i: [False] * len(b) for i, b in boxes.items()}
        tp = []
        for _, image, box in rows:
            overlaps = [iou(box, t) for t in boxes[image]]
            best = int(np.argmax(overlaps)) if overlaps else -1
            hit = best >= 0 and overlaps[best] >= 0.5 and not taken[image][best]
            if best >= 0 and overlaps[best] >= 0.5:
                taken[image][best] = True
            tp.append(hit)
        hits = np.cumsum(tp)
        recall = np.concatenate([[0], hits / positives])
        precision = hits / np.arange(1, len(tp) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        values.append(float(np.sum(np.diff(recall) * envelope)))
    return float(np.mean(values))


truths, arms = cases()
random = Random("bootstrap images", SEED, IMAGES)
images = [[random.integer(IMAGES) for _ in range(IMAGES)] for _ in range(RESAMPLES)]
random = Random("bootstrap seeds", SEED, SEEDS)
seeds = [[random.integer(SEEDS) for _ in range(SEEDS)] for _ in range(RESAMPLES)]
everything = list(range(IMAGES))
full = {n: [mean_ap(truths, d, everything) for d in arm] for n, arm in arms.items()}
draws = {n: np.array([[mean_ap(truths, d, sorted(drawn)) for drawn in images] for d in arm]) for n, arm in arms.items()}


def summary(values, point):
    lower, upper = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"value": float(point), "lower": float(lower), "upper": float(upper)}


def picked(per_seed):
    return np.array([np.mean(per_seed[seeds[r], r]) for r in range(RESAMPLES)])


paired = picked(draws["a"] - draws["b"])
fixed = picked(draws["a"] - draws["b"][:1])


def p_value(values):
    """Two-sided: the confidence at which the percentile interval's nearer bound is 0, from 1."""
    share = np.interp(0, np.sort(values), np.linspace(0, 1, len(values)))
    return float(min(1, max(2 * min(share, 1 - share), 2 / (len(values) + 1))))


over_images = (draws["a"] - draws["b"]).mean(axis=0)
json.dump(
    {
        "images": IMAGES,
        "classes": CLASSES,
        "options": {"resamples": RESAMPLES, "confidence": CONFIDENCE, "seed": SEED},
        "truths": truths,
        "a": arms["a"],
        "b": arms["b"],
        "firstResample": np.bincount(images[0], minlength=IMAGES).tolist(),
        "lastSeeds": seeds[-1],
        "interval": summary(picked(draws["a"]), np.mean(full["a"])),
        "intervalOfOneSeed": summary(draws["b"][0], full["b"][0]),
        "paired": summary(paired, np.mean(full["a"]) - np.mean(full["b"])),
        "pairedP": p_value(paired),
        "againstFixed": summary(fixed, np.mean(full["a"]) - full["b"][0]),
        # Of one model's seeds, which differ by chance.
        "seedsP": p_value(draws["a"][0] - draws["a"][1]),
        "imageDeviation": float(np.std(over_images, ddof=1)),
        "seedDeviation": float(np.std(np.array(full["a"]) - np.array(full["b"]), ddof=1)),
    },
    __import__("sys").stdout,
)
