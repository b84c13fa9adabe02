"""Gaussian blur of a small image: SciPy's gaussian_filter1d along rows and columns, borders repeated.

Run: python blur.py   (writes blur.json beside this file)
"""

import json
import math
import pathlib

import numpy as np
from scipy.ndimage import gaussian_filter1d

HERE = pathlib.Path(__file__).parent
image = np.random.default_rng(3).random((5, 7, 3)).astype(np.float32)
cases = []
for deviation in (0.2, 0.8, 2.5):
    blurred = image.astype(np.float64)
    for axis in (1, 0):
        blurred = gaussian_filter1d(blurred, deviation, axis=axis, mode="nearest", radius=math.ceil(3 * deviation))
    cases.append({"deviation": deviation, "values": blurred.ravel().tolist()})
(HERE / "blur.json").write_text(json.dumps({"shape": [5, 7, 3], "values": image.ravel().tolist(), "cases": cases}) + "\n")
