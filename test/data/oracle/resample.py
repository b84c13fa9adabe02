"""Resizing and HSV changes by OpenCV, for resample.test.ts and colour.test.ts.

    pip install numpy opencv-python-headless==4.12.0.88
    python test/data/oracle/resample.py

Images are floats, so that OpenCV does not round; values are 0..255 for resizing and 0..1 for colours.
"""

import json
from pathlib import Path

import cv2
import numpy as np

here = Path(__file__).parent
rng = np.random.default_rng(7)
image = rng.integers(0, 256, (23, 37, 3), dtype=np.uint8)

cases = []
for name, (h, w), method in [
    ("same", (23, 37), cv2.INTER_LINEAR),
    ("enlarged", (40, 50), cv2.INTER_LINEAR),
    ("a little smaller", (16, 20), cv2.INTER_LINEAR),
    ("much smaller, exact area", (8, 12), cv2.INTER_AREA),
    ("much smaller still", (3, 5), cv2.INTER_AREA),
]:
    out = cv2.resize(image.astype(np.float32), (w, h), interpolation=method)
    cases.append({"name": name, "size": [h, w], "pixels": np.round(out.astype(np.float64), 4).ravel().tolist()})
(here / "resample.json").write_text(
    json.dumps({"width": 37, "height": 23, "pixels": image.ravel().tolist(), "cases": cases}) + "\n"
)

# mmdet's PhotoMetricDistortion between its contrasts: RGB -> HSV, S * factor, (H + delta) mod 360, HSV -> RGB.
colours = rng.random((1, 40, 3)).astype(np.float32)
colours[0, 0] = [0.5, 0.5, 0.5]
colours[0, 1] = [1, 0, 0]
colours[0, 2] = [0, 1, 0]
colours[0, 3] = [0, 0, 1]
changes = []
for saturation, hue in [(1.0, 0.0), (0.5, 0.0), (1.4, 0.0), (1.0, 18.0), (0.7, -18.0), (1.2, 10.0)]:
    hsv = cv2.cvtColor(colours, cv2.COLOR_RGB2HSV)
    hsv[..., 1] *= saturation
    hsv[..., 0] = (hsv[..., 0] + hue) % 360
    rgb = np.clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), 0, 1)
    changes.append({"saturation": saturation, "hue": hue, "colours": np.round(rgb.astype(np.float64), 6).ravel().tolist()})
(here / "colour.json").write_text(
    json.dumps({"colours": colours.ravel().astype(float).tolist(), "changes": changes}) + "\n"
)
