"""onnx.checker, with shape inference, of the files given; prints how many nodes each has."""

import sys

import onnx

for file in sys.argv[1:]:
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    print(len(model.graph.node))
