"""Expected values of fake quantisation: PyTorch 2.13, torch.fake_quantize_per_tensor_affine and ..._per_channel_affine, float32.

Run: python fake.py   (writes fake.json beside this file)

PyTorch lets gradients through where the rounded number lies in the grid, this project, as TensorFlow, where the value lies between the
grid's smallest and largest value: they differ in the half step beyond both ends, where no value is drawn.
"""

import base64
import json
import pathlib

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
GRIDS = [(0.05, 3), (0.013, 128), (0.5, 0), (0.001, 255)]


def pack(x):
    return base64.b64encode(np.ascontiguousarray(x.detach().numpy(), dtype=np.float32).tobytes()).decode()


def activation(scale, zero, generator):
    low, high = -zero * scale, (255 - zero) * scale
    span = high - low
    x = low - 0.3 * span + 1.6 * span * torch.rand(2, 3, 4, 5, generator=generator)
    for edge in (low, high):
        x[(x - edge).abs() < scale] += 2 * scale
    # Not halfway between two values, where PyTorch rounds to the even number and TensorFlow up.
    x[((x / scale) % 1 - 0.5).abs() < 0.01] += 0.1 * scale
    x.requires_grad_()
    weight = torch.randn(x.shape, generator=generator)
    y = torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, 255)
    (y * weight).sum().backward()
    return {"scale": scale, "zeroPoint": zero, "x": pack(x), "dy": pack(weight), "y": pack(y), "dx": pack(x.grad)}


def kernel(generator):
    w = torch.randn(3, 3, 4, 6, generator=generator) * torch.logspace(-3, 2, 6)
    w[..., 2] = 0
    scale = torch.clamp(w.abs().amax(dim=(0, 1, 2)), min=127e-9) / 127
    w.requires_grad_()
    weight = torch.randn(w.shape, generator=generator)
    y = torch.fake_quantize_per_channel_affine(w, scale, torch.zeros(6, dtype=torch.int32), 3, -127, 127)
    (y * weight).sum().backward()
    return {"shape": list(w.shape), "x": pack(w), "dy": pack(weight), "y": pack(y), "dx": pack(w.grad)}


def main():
    generator = torch.Generator().manual_seed(1)
    result = {
        "torch": torch.__version__,
        "shape": [2, 3, 4, 5],
        "activations": [activation(scale, zero, generator) for scale, zero in GRIDS],
        "kernel": kernel(generator),
    }
    (HERE / "fake.json").write_text(json.dumps(result, indent=1) + "\n")


main()
