"""Times the operations of SavedModels on one thread: trace.py CALLS HEIGHT WIDTH FOLDER...

Prints JSON, a list with one entry a folder: milliseconds of each operation by its name, and of the whole call. The models take turns,
a call each; every number is a median. The images are noise, batch 1.
"""

import collections
import json
import os
import sys
import time

for name in ('OMP_NUM_THREADS', 'TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS'):
    os.environ[name] = '1'

import numpy as np
import tensorflow as tf

WARM_UP = 30
graph = tf.compat.v1
graph.disable_eager_execution()
calls, height, width = map(int, sys.argv[1:4])
images = np.random.default_rng(0).random((1, height, width, 3), np.float32)


class Model:
    def __init__(self, folder):
        self.session = graph.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            loaded = graph.saved_model.load(self.session, ['serve'], folder)
        signature = loaded.signature_def['serving_default']
        self.outputs = [value.name for value in signature.outputs.values()]
        self.feeds = {signature.inputs['images'].name: images}
        self.call = self.session.make_callable(self.outputs, list(self.feeds))
        self.whole = []
        self.operations = collections.defaultdict(list)

    def time(self):
        start = time.perf_counter()
        self.call(images)
        self.whole.append(1000 * (time.perf_counter() - start))

    def trace(self):
        options = graph.RunOptions(trace_level=graph.RunOptions.FULL_TRACE)
        metadata = graph.RunMetadata()
        self.session.run(self.outputs, self.feeds, options=options, run_metadata=metadata)
        for device in metadata.step_stats.dev_stats:
            for node in device.node_stats:
                took = node.op_end_rel_nanos - node.op_start_rel_nanos
                self.operations[node.node_name].append(took / 1e6)


models = [Model(folder) for folder in sys.argv[4:]]
for _ in range(WARM_UP):
    for model in models:
        model.call(images)
for _ in range(calls):
    for model in models:
        model.time()
        model.trace()
print(
    json.dumps(
        [
            {
                'call': float(np.median(model.whole)),
                'operations': {name: float(np.median(times)) for name, times in model.operations.items()},
            }
            for model in models
        ]
    )
)
