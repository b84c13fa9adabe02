"""The engine's operations in PyTorch (float64, NCHW): values and gradients for ops.test.ts. Writes ops.json beside it.

    python3 -m venv v && v/bin/pip install torch==2.13.0 numpy && v/bin/python test/engine/oracle/ops.py

Every case draws its inputs, then the coefficients c of the scalar sum(c * y), from the generator of
test/detector/oracle/lcg.py, all in -1..1.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[2] / "detector" / "oracle"))
from lcg import Lcg  # noqa: E402

torch.set_default_dtype(torch.float64)


def draw(random, shape, order=None):
    values = random.uniform(int(np.prod(shape)), -1, 1).reshape(shape).astype(np.float64)
    return torch.tensor(values if order is None else values.transpose(order).copy(), requires_grad=True)


def pack(tensor, order=None):
    values = tensor.detach().numpy()
    values = values if order is None else values.transpose(order)
    return base64.b64encode(np.float32(values).tobytes()).decode()


NHWC_TO_NCHW, NCHW_TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)
HWIO_TO_OIHW, OIHW_TO_HWIO = (3, 2, 0, 1), (2, 3, 1, 0)


def case(seed, x_shape, others, function):
    """others: (shape, order in which PyTorch wants it, order back)."""
    random = Lcg(seed)
    x = draw(random, x_shape, NHWC_TO_NCHW)
    rest = [draw(random, shape, there) for shape, there, _ in others]
    y = function(x, *rest)
    n, c, h, w = y.shape
    coefficients = draw(random, (n, h, w, c), NHWC_TO_NCHW).detach()
    (y * coefficients).sum().backward()
    return {
        "seed": seed,
        "x": list(x_shape),
        "others": [list(shape) for shape, _, _ in others],
        "y": pack(y, NCHW_TO_NHWC),
        "gradients": [pack(x.grad, NCHW_TO_NHWC)]
        + [pack(tensor.grad, back) for tensor, (_, _, back) in zip(rest, others)],
    }


def kernel(*shape):
    return shape, HWIO_TO_OIHW, OIHW_TO_HWIO


def vector(size):
    return (size,), None, None


def batch_norm(x, gamma, beta):
    return F.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-5)


if __name__ == "__main__":
    result = {
        # Darknet's: pad 1 on every side, stride 2; on even and odd sizes
        "darknet_even": case(1, (2, 6, 8, 3), [kernel(3, 3, 3, 4)], lambda x, k: F.conv2d(x, k, None, 2, 1)),
        "darknet_odd": case(2, (1, 7, 5, 3), [kernel(3, 3, 3, 4)], lambda x, k: F.conv2d(x, k, None, 2, 1)),
        "same": case(3, (2, 5, 6, 3), [kernel(3, 3, 3, 4)], lambda x, k: F.conv2d(x, k, None, 1, 1)),
        # the kernel of a transposed convolution is [k, k, out, in]: PyTorch's [in, out, k, k]
        "transpose": case(
            4, (2, 3, 4, 5), [kernel(2, 2, 3, 5)], lambda x, k: F.conv_transpose2d(x, k, None, 2)
        ),
        "bias": case(5, (2, 3, 4, 5), [vector(5)], lambda x, b: x + b[None, :, None, None]),
        "leaky": case(6, (2, 3, 4, 5), [], lambda x: F.leaky_relu(x, 0.1)),
        "nearest": case(8, (2, 3, 4, 5), [], lambda x: F.interpolate(x, scale_factor=2, mode="nearest")),
        "batch_norm": case(7, (3, 4, 5, 6), [vector(6), vector(6)], batch_norm),
    }
    random = Lcg(7)
    x = draw(random, (3, 4, 5, 6)).detach().reshape(-1, 6)
    result["statistics"] = {"mean": pack(x.mean(0)), "variance": pack(x.var(0, unbiased=True))}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
