"""Expected weights of five steps of SGD: PyTorch 2.13, float64.

Run: python sgd.py   (writes sgd.json beside this file)
"""

import json
import pathlib

import torch

HERE = pathlib.Path(__file__).parent
# Kernels decay, the others do not.
SHAPES = {"a/kernel": [3, 2], "a/gamma": [2], "b/kernel": [4], "b/bias": [3]}
STEPS = 5
MOMENTUM, DECAY, CLIP = 0.9, 5e-4, 2.5
RATES = [0.1, 0.08, 0.05, 0.02, 0.01]

torch.manual_seed(1)
weights = {name: torch.randn(shape, dtype=torch.float64) for name, shape in SHAPES.items()}
# Small and large in turn, so that some steps clip and some do not.
gradients = [
    {name: (0.3 if step % 2 else 3.0) * torch.randn(shape, dtype=torch.float64) for name, shape in SHAPES.items()}
    for step in range(STEPS)
]
# float32 is what the tested code is given.
weights = {name: value.float().double() for name, value in weights.items()}
gradients = [{name: value.float().double() for name, value in step.items()} for step in gradients]

parameters = {name: torch.nn.Parameter(value.clone()) for name, value in weights.items()}
kernels = [value for name, value in parameters.items() if name.endswith("kernel")]
others = [value for name, value in parameters.items() if not name.endswith("kernel")]
optimizer = torch.optim.SGD(
    [{"params": kernels, "weight_decay": DECAY}, {"params": others, "weight_decay": 0}], lr=0.1, momentum=MOMENTUM
)
expected = []
for rate, step in zip(RATES, gradients):
    for name, parameter in parameters.items():
        parameter.grad = step[name].clone()
    norm = torch.nn.utils.clip_grad_norm_(list(parameters.values()), CLIP)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    expected.append({
        "norm": norm.item(),
        "weights": {name: value.detach().flatten().tolist() for name, value in parameters.items()},
        "momentum": {name: optimizer.state[value]["momentum_buffer"].flatten().tolist() for name, value in parameters.items()},
    })

flat = lambda values: {name: value.flatten().tolist() for name, value in values.items()}
(HERE / "sgd.json").write_text(json.dumps({
    "shapes": SHAPES, "momentum": MOMENTUM, "weightDecay": DECAY, "clip": CLIP, "rates": RATES,
    "weights": flat(weights), "gradients": [flat(step) for step in gradients], "expected": expected,
}, indent=1) + "\n")
