"""A training epoch as PyTorch's users write it: a Dataset (Pillow, NumPy), a DataLoader with one worker, SGD.

The worker keeps decoded frames, as the other side's loader does. It makes the same kind of views (flip, scale, aspect,
shift, linear colours), as bytes, and the same targets, not the same random numbers.
"""

import json
import math
import time

import numpy as np
import torch
from PIL import Image

from peer_network import read_problem


def area_iou(a, b):
    """IoU of corner boxes [n, 4] and [m, 4]."""
    size = np.clip(np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2]), 0, None)
    inside = size.prod(2)
    area = lambda v: (v[:, 2] - v[:, 0]) * (v[:, 3] - v[:, 1])
    return inside / (area(a)[:, None] + area(b)[None] - inside)


class Assigner:
    """The rules of lib/losses/assign.ts, for one image."""

    def __init__(self, config, options):
        self.options = options
        self.anchors = np.array(config["anchors"], np.float32)  # [scales, anchors, 2]
        self.strides = config["strides"]
        height, width = config["input"]
        self.grids = [(height // s, width // s) for s in self.strides]
        self.slots = []
        for (h, w), stride, anchors in zip(self.grids, self.strides, self.anchors):
            y, x, a = np.meshgrid(np.arange(h), np.arange(w), np.arange(len(anchors)), indexing="ij")
            centre = (np.stack([x, y], -1) + 0.5).reshape(-1, 2) * stride
            half = anchors[a.ravel()] / 2
            self.slots.append(np.concatenate([centre - half, centre + half], 1))

    def __call__(self, boxes, labels):
        targets = [np.zeros((h, w, len(a), 7), np.float32) for (h, w), a in zip(self.grids, self.anchors)]
        for target, slots in zip(targets, self.slots):
            target[..., 1] = 1
            if len(boxes):
                ignored = area_iou(slots, boxes).max(1) > self.options["ignoreThreshold"]
                target.reshape(-1, 7)[ignored, 1] = 0
        if not len(boxes):
            return targets
        centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        flat = self.anchors.reshape(-1, 2)
        overlap = np.minimum(sizes[:, None], flat[None]).prod(2)
        shape = overlap / (sizes.prod(1)[:, None] + flat.prod(1)[None] - overlap)
        best, secondary = [], []
        for i, (box, centre) in enumerate(zip(boxes, centres)):
            cells, candidates = [], []
            for (h, w), stride, anchors in zip(self.grids, self.strides, self.anchors):
                column, row = (
                    int(min(max(math.floor(c / stride), 0), n - 1)) for c, n in zip(centre, (w, h))
                )
                cells.append((row, column))
                middle = (np.array([column, row]) + 0.5) * stride
                candidates.append(np.concatenate([middle - anchors / 2, middle + anchors / 2], 1))
            top = int(area_iou(np.concatenate(candidates), box[None])[:, 0].argmax())
            for slot in range(len(flat)):
                fits = self.options["multiAnchor"] and shape[i, slot] > self.options["multiAnchorThreshold"]
                if slot != top and not fits:
                    continue
                scale, anchor = divmod(slot, self.anchors.shape[1])
                row, column = cells[scale]
                secondary.append((scale, row, column, anchor, i))
                if self.options["crossGrid"]:
                    h, w = self.grids[scale]
                    dx, dy = (int(np.sign(c / self.strides[scale] - at - 0.5)) for c, at in zip(centre, (column, row)))
                    if dx and 0 <= column + dx < w:
                        secondary.append((scale, row, column + dx, anchor, i))
                    if dy and 0 <= row + dy < h:
                        secondary.append((scale, row + dy, column, anchor, i))
            scale, anchor = divmod(top, self.anchors.shape[1])
            best.append((scale, *cells[scale], anchor, i))
        for scale, row, column, anchor, i in secondary + best:
            targets[scale][row, column, anchor] = (1, 0, *boxes[i], labels[i])
        return targets


class Scenes(torch.utils.data.Dataset):
    def __init__(self, samples, config, augment, assign):
        self.samples, self.augment = samples, augment
        self.height, self.width = config["input"]
        self.assign = Assigner(config, assign)
        self.frames = {}

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        sample = self.samples[index]
        if index not in self.frames:
            self.frames[index] = Image.open(sample["file"]).convert("RGB")
        frame = self.frames[index]
        random = np.random.default_rng(torch.randint(2**31, (1,)).item())
        affine, colour = self.augment["affine"], self.augment["colour"]
        scale = random.uniform(*affine["scale"])
        aspect = math.sqrt(math.exp(random.uniform(*np.log(affine["aspect"]))))
        size = np.array([self.width, self.height], np.float32)
        factor = size / frame.size * scale * (aspect, 1 / aspect)
        shift = size / 2 * (1 - scale * np.array([aspect, 1 / aspect])) + random.uniform(-1, 1, 2) * affine["shift"] * size
        if random.random() < self.augment["flip"]:
            factor[0], shift[0] = -factor[0], self.width - shift[0]
        inverse = (1 / factor[0], 0, -shift[0] / factor[0], 0, 1 / factor[1], -shift[1] / factor[1])
        view = frame.transform(
            (self.width, self.height), Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR, fillcolor=(114,) * 3
        )
        image = np.asarray(view, np.float32) @ self.colour(random, colour) + 255 * random.uniform(-1, 1) * colour["brightness"]
        boxes = np.array([[b["x1"], b["y1"], b["x2"], b["y2"]] for b in sample["boxes"]], np.float32).reshape(-1, 4)
        labels = np.array([b["label"] for b in sample["boxes"]], np.float32)
        corners = boxes.reshape(-1, 2, 2) * factor + shift
        whole = np.concatenate([corners.min(1), corners.max(1)], 1)
        kept = np.concatenate([whole[:, :2].clip(0), np.minimum(whole[:, 2:], size)], 1)
        sides, full = (kept[:, 2:] - kept[:, :2]).clip(0), whole[:, 2:] - whole[:, :2]
        stays = (sides.prod(1) >= self.augment["minKept"] * full.prod(1)) & (sides.min(1, initial=np.inf) >= self.augment["minSide"])
        targets = self.assign(kept[stays], labels[stays])
        return np.clip(image + 0.5, 0, 255).astype(np.uint8), *targets

    @staticmethod
    def colour(random, options):
        """Contrast, saturation and hue as one matrix."""
        contrast, saturation = (1 + random.uniform(-1, 1) * options[name] for name in ("contrast", "saturation"))
        angle = math.radians(random.uniform(-1, 1) * options["hue"])
        cos, sin = math.cos(angle), math.sin(angle) / math.sqrt(3)
        third = (1 - cos) / 3
        hue = np.full((3, 3), third) + np.eye(3) * cos + sin * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
        luma = np.outer([0.299, 0.587, 0.114], np.ones(3))
        return (contrast * hue @ (saturation * np.eye(3) + (1 - saturation) * luma)).astype(np.float32)


def collate(samples):
    images, *targets = zip(*samples)
    images = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    return images, [torch.from_numpy(np.stack(t)) for t in targets]


state = {}


def epoch(training, key, file, samples, batch, precision, layout, augment, assign):
    """One epoch; the first of a key is preceded by one that is not measured, as it decodes the frames."""
    if key not in state:
        problem = read_problem(file)
        with open(samples) as stream:
            data = Scenes(json.load(stream), problem.config, augment, assign)
        loader = torch.utils.data.DataLoader(
            data, batch, shuffle=True, drop_last=True, num_workers=1, persistent_workers=True, collate_fn=collate,
            prefetch_factor=4,
        )
        state[key] = training(problem, "teacher", precision, layout), loader
        run(*state[key])
    return run(*state[key])


def run(training, loader):
    begin = time.perf_counter()
    waited = 0.0
    images = 0
    asked = begin
    for pixels, targets in loader:
        waited += time.perf_counter() - asked
        result = training.step(training.place(pixels), targets)
        if not math.isfinite(result["total"]):
            raise ValueError("the loss is not finite")
        images += len(pixels)
        asked = time.perf_counter()
    seconds = time.perf_counter() - begin
    return {"imagesPerSecond": images / seconds, "seconds": seconds, "waitedShare": waited / seconds}
