"""Darknet files through OpenCV's own reader: the oracle of darknet.test.ts.

    npx workbook darknet            # the published sizes: fails where a logit differs too much (GBs, minutes)
    npx workbook darknet --update   # narrowed networks: writes darknet.json beside this file

Both make a Python with OpenCV (requirements.txt; OpenCV 5 has no Darknet reader any more) and run this script in the
project's root. This library writes cfg and weights files (darknet-files.ts) and its own outputs; OpenCV reads the files and
computes the logits in front of every [yolo] section. It reads the files, too, that this library writes of what it has read.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).parent
NAMES = ["yolov3", "yolov3-spp", "yolov3-tiny", "darknet21"]
# Of one size only: oracle/forms.cfg, oracle/more.cfg, and what pruning to half the MACs makes of the published networks.
SMALL = ["forms", "more", "yolov3-slim", "yolov3-spp-slim", "yolov3-tiny-slim"]
LIMIT = 1e-4  # of the largest logit


def infer(files, image, heads):
    net = cv2.dnn.readNetFromDarknet(f"{files}.cfg", f"{files}.weights")
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.enableWinograd(False)  # it rounds more
    net.setInput(np.ascontiguousarray(image.transpose(0, 3, 1, 2)))
    return [m.transpose(0, 2, 3, 1) for m in net.forward(heads)]


def run(name, size):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        script = str(HERE / "darknet-files.ts")
        subprocess.run(["node", "--require", "tsx/cjs", script, name, size, str(folder)], check=True)
        case = json.loads((folder / "case.json").read_text())
        height, width = case["size"]
        image = np.fromfile(folder / "image.f32", np.float32).reshape(1, height, width, 3)
        maps, again = (infer(folder / file, image, case["heads"]) for file in ("net", "again"))
        own = np.fromfile(folder / "outputs.f32", np.float32)
        digest = hashlib.sha256((folder / "net.cfg").read_bytes() + (folder / "net.weights").read_bytes()).hexdigest()
    values = np.concatenate([m.ravel() for m in maps])
    assert own.shape == values.shape, (own.shape, values.shape)
    largest = np.abs(values).max()
    difference = np.abs(own - values).max() / largest
    print(f"{name} {size} {height}x{width}: {values.size} logits, largest {largest:.4g}, sd {values.std():.4g}, "
          f"largest difference {difference:.3g} of it (at most {LIMIT}), "
          f"in the Euclidean norm {np.linalg.norm(own - values) / np.linalg.norm(values):.3g}", flush=True)
    exported = np.abs(np.concatenate([m.ravel() for m in again]) - values).max() / largest
    print(f"{name} {size}: written again, largest difference {exported:.3g} of it", flush=True)
    if not exported <= LIMIT:
        sys.exit(f"{name}: expected files that are written again to give the same, found a difference of {exported}")
    if not difference <= LIMIT:
        sys.exit(f"{name}: expected a largest difference of {LIMIT} of the largest logit, found {difference}")
    return {
        "name": name,
        "sha256": digest,
        "shapes": [list(m.shape) for m in maps],
        "logits": base64.b64encode(np.float32(values).tobytes()).decode(),
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["full"]:
        for name in NAMES:
            run(name, "full")
    elif sys.argv[1:] == ["update"]:
        result = [run(name, "narrow") for name in [*NAMES, *SMALL]]
        (HERE / "darknet.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
    else:
        sys.exit(f"expected full or update, found {sys.argv[1:]}")
