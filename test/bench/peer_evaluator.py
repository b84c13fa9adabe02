"""pycocotools 2.0.11 on the files that evaluator.ts wrote."""

import contextlib
import io
import time

loaded = None


def prepare(folder):
    from pycocotools.coco import COCO

    global loaded
    with contextlib.redirect_stdout(io.StringIO()):
        truths = COCO(f"{folder}/truths.json")
        loaded = truths, truths.loadRes(f"{folder}/detections.json")
    return {}


def evaluate():
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(*loaded, "bbox")
        begin = time.perf_counter()
        run.evaluate()
        run.accumulate()
        run.summarize()
        seconds = time.perf_counter() - begin
    return {"seconds": seconds, "stats": [float(v) for v in run.stats]}
