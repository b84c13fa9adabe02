"""Times pycocotools 2.0.11 on the files that evaluator.ts wrote; prints its seconds and numbers as JSON.

    python evaluator.py truths.json detections.json
"""

import contextlib
import io
import json
import sys
import time

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

with contextlib.redirect_stdout(io.StringIO()):
    truths = COCO(sys.argv[1])
    detections = truths.loadRes(sys.argv[2])
    begin = time.perf_counter()
    run = COCOeval(truths, detections, 'bbox')
    run.evaluate()
    run.accumulate()
    run.summarize()
    seconds = time.perf_counter() - begin
print(json.dumps({'seconds': seconds, 'stats': [float(v) for v in run.stats]}))
