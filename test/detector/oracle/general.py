"""Expected values for networks of every kind of layer, in PyTorch 2.13, float64: the oracle of general.test.ts.

    python general.py    (in the project's root; writes general.json beside this file)

The networks come from this library (general-networks.ts), as lists of layers; what the layers compute is said here. Of each: the
logits in inference; the loss of one training step with its terms; and of every weight's gradient the norm and three products with
random vectors.
"""

import base64
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent.parent / "losses/oracle"))
import yolo  # noqa: E402
from lcg import Lcg  # noqa: E402

torch.set_default_dtype(torch.float64)
OFFSET = 4
ACTIVATIONS = {
    "linear": lambda x: x,
    "leaky": lambda x: F.leaky_relu(x, 0.1),
    "relu": F.relu,
    "mish": F.mish,
    "swish": F.silu,
    "logistic": torch.sigmoid,
}


def draw(layers, random):
    """Weights in the order of the layers, as ../general.ts draws them; kernels in PyTorch's order."""
    weights = {}
    for layer in layers:
        transposed = layer["kind"] == "deconvolution"
        size, inputs, out = layer["kernel"], layer["in"] // layer["groups"], layer["out"]
        shape = (size, size, out, inputs) if transposed else (size, size, inputs, out)
        bound = math.sqrt(6 / (inputs * (1 if transposed else size**2)))
        kernel = random.uniform(math.prod(shape), -bound, bound).reshape(shape).transpose(3, 2, 0, 1)
        own = {"kernel": kernel}
        ranges = {"gamma": (0.5, 1), "beta": (-0.3, 0.3), "mean": (-0.2, 0.2), "variance": (0.5, 1.5)}
        for name, (low, high) in ranges.items() if layer["batchNorm"] else [("bias", (-1, 1))]:
            own[name] = random.uniform(out, low, high)
        if "beta" in own:
            # Away from the activations' kinks, where the rounding of float32 would decide.
            own["beta"] += np.float32([OFFSET * (1 - 2 * (i % 2)) for i in range(out)])
        weights[layer["name"]] = {
            name: torch.tensor(values.copy(), dtype=torch.float64, requires_grad=name not in ("mean", "variance"))
            for name, values in own.items()
        }
    return weights


def weighted(x, layer, own, training):
    kernel, bias, stride = own["kernel"], own.get("bias"), layer["stride"]
    if layer["kind"] == "deconvolution":
        x = F.conv_transpose2d(x, kernel, bias, stride, (layer["kernel"] - stride) // 2)
    else:
        x = F.conv2d(x, kernel, bias, stride, layer["padding"], groups=layer["groups"])
    if layer["batchNorm"]:
        running = (None, None) if training else (own["mean"], own["variance"])
        x = F.batch_norm(x, *running, own["gamma"], own["beta"], training=training, eps=1e-5)
    return ACTIVATIONS[layer["activation"]](x)


def max_pool(x, layer):
    before = layer["padding"] // 2
    after = layer["padding"] - before
    return F.max_pool2d(F.pad(x, (before, after, before, after), value=-math.inf), layer["size"], layer["stride"])


def add(first, others, activation):
    for other in others:
        channels = min(first.shape[1], other.shape[1])
        first = torch.cat([first[:, :channels] + other[:, :channels], first[:, channels:]], 1)
    return ACTIVATIONS[activation](first)


def run(network, weights, images, training):
    """The logits of every head [n, h, w, c]."""
    maps, outputs = {"images": images}, []
    for layer in network["layers"]:
        kind, source = layer["kind"], layer["from"]
        taken = [maps[name] for name in ([source] if isinstance(source, str) else source)]
        x = taken[0]
        if kind in ("convolution", "deconvolution"):
            x = weighted(x, layer, weights[layer["name"]], training)
        elif kind == "maxPool":
            x = max_pool(x, layer)
        elif kind == "upsample":
            x = x.repeat_interleave(layer["stride"], 2).repeat_interleave(layer["stride"], 3)
        elif kind == "route":
            x = torch.cat([list(t.chunk(layer["groups"], 1))[layer["groupId"]] for t in taken], 1)
        elif kind == "shortcut":
            x = add(x, taken[1:], layer["activation"])
        else:
            outputs.append(x.permute(0, 2, 3, 1))
        maps[layer["name"]] = x
    return outputs


def pack(values):
    return base64.b64encode(np.float32(values).tobytes()).decode()


def loss_of(logits, network, truths):
    """YOLOv3's loss with GIoU, divided by the positives; heads of one scale_x_y and three anchors."""
    heads = [layer for layer in network["layers"] if layer["kind"] == "yolo"]
    height, width = network["input"]
    yolo.STRIDES = [height // x.shape[1] for x in logits]
    yolo.ANCHORS = [head["anchors"] for head in heads]
    classes, scale = heads[0]["classes"], heads[0]["scaleXY"]
    batch = [[dict(box) for box in boxes] for boxes in truths]
    return yolo.yolo_loss(logits, batch, [height, width], classes, scale, {}, "giou", "positive", 0.01, [1, 1, 1])


def case(name, given):
    network, layers = given["network"], given["layers"]
    random = Lcg(given["seed"])
    weights = draw(layers, random)
    height, width = network["input"]
    # About 0: of images above 0 the first kernel's gradient is a small difference of large sums in float32.
    images = random.uniform(2 * height * width * 3, -1, 1).reshape(2, height, width, 3).transpose(0, 3, 1, 2)
    images = torch.tensor(images.copy(), dtype=torch.float64)
    with torch.no_grad():
        inference = torch.cat([x.reshape(-1) for x in run(network, weights, images, False)]).numpy()
    logits = run(network, weights, images, True)
    if name == "forms":
        # Its heads differ in anchors and scale_x_y: a sum of the logits with random factors.
        factors = [torch.tensor(random.uniform(x.numel(), -0.01, 0.01), dtype=torch.float64) for x in logits]
        terms = {"sum": sum((x.reshape(-1) * f).sum() for x, f in zip(logits, factors))}
    else:
        terms = loss_of(logits, network, given["truths"])
    total = sum(terms.values())
    total.backward()
    gradients = []
    vectors = Lcg(given["seed"] + 1000)
    for layer in layers:
        for suffix, weight in weights[layer["name"]].items():
            if suffix in ("mean", "variance"):
                continue
            gradient = weight.grad.permute(2, 3, 1, 0) if suffix == "kernel" else weight.grad
            flat = gradient.reshape(-1).numpy()
            products = [float(flat @ vectors.uniform(flat.size, -1, 1).astype(np.float64)) for _ in range(3)]
            gradients.append([float(np.linalg.norm(flat)), *products])
    terms = {key: value.item() for key, value in terms.items()}
    print(name, terms, len(gradients), "gradients")
    return {"inference": pack(inference), "terms": terms, "gradients": gradients}


if __name__ == "__main__":
    script = str(HERE / "general-networks.ts")
    command = ["node", "--require", "tsx/cjs", script]
    networks = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    result = {name: case(name, given) for name, given in networks.items()}
    (HERE / "general.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
