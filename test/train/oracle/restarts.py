"""Learning rates of a cosine with warm restarts: PyTorch 2's CosineAnnealingWarmRestarts.

Run: python restarts.py   (writes restarts.json beside this file)
"""

import json
import pathlib

import torch

HERE = pathlib.Path(__file__).parent
RATE, PERIOD, STEPS = 0.4, 5, 40


def rates(factor):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer, T_0=PERIOD, T_mult=factor, eta_min=0.01 * RATE
    )
    values = []
    for _ in range(STEPS):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return values


(HERE / "restarts.json").write_text(
    json.dumps({"rate": RATE, "period": PERIOD, "cycles": [{"factor": f, "rates": rates(f)} for f in (1, 2)]}) + "\n"
)
