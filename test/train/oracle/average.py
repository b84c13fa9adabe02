"""The exponential moving average of a layer's weights and running statistics over twelve steps: PyTorch 2, float64.

torch.optim.swa_utils.AveragedModel with use_buffers, and TensorFlow's ramp of the decay, min(decay, (1 + t) / (10 + t)).

Run: python average.py   (writes average.json beside this file)
"""

import json
import pathlib

import torch
from torch.optim.swa_utils import AveragedModel

HERE = pathlib.Path(__file__).parent
DECAY, STEPS = 0.6, 12

torch.manual_seed(2)
layer = torch.nn.BatchNorm1d(4).double()
NAMES = {"gamma": layer.weight, "beta": layer.bias, "mean": layer.running_mean, "variance": layer.running_var}


def decay(count):
    # The first update copies; update t + 1 follows step t.
    t = int(count) - 1
    return min(DECAY, (1 + t) / (10 + t))


averaged = AveragedModel(
    layer, avg_fn=lambda average, value, count: decay(count) * average + (1 - decay(count)) * value, use_buffers=True
)
values, expected = [], []
for step in range(STEPS + 1):
    with torch.no_grad():
        for value in NAMES.values():
            value.copy_(torch.randn(4).double())
    # What the layer counts for itself is no weight.
    layer.num_batches_tracked.zero_()
    averaged.update_parameters(layer)
    module = averaged.module
    found = {"gamma": module.weight, "beta": module.bias, "mean": module.running_mean, "variance": module.running_var}
    values.append({name: value.detach().tolist() for name, value in NAMES.items()})
    expected.append({name: value.detach().tolist() for name, value in found.items()})

(HERE / "average.json").write_text(json.dumps({"decay": DECAY, "values": values, "expected": expected}) + "\n")
