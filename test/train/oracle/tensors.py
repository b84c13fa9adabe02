"""A small file of the reference implementation, safetensors 0.8.0 for numpy.

Run: python tensors.py   (writes python.safetensors beside this file)
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file

save_file(
    {
        "matrix": (np.arange(6, dtype=np.float32) / 4 - 1).reshape(2, 3),
        "scalar": np.array(0.1, np.float32),
        "empty": np.zeros((0, 4), np.float32),
        "größe/kernel": np.array([np.pi, -np.inf, 1e-45], np.float32),
    },
    pathlib.Path(__file__).parent / "python.safetensors",
    metadata={"made by": "safetensors 0.8.0", "ünicode": "ja"},
)
