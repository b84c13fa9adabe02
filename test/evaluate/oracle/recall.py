"""What pycocotools 2.0.11 finds of the random cases at a score of 0.3 and IoU 0.5: every truth as 0 or 1, the wrong boxes of every
class, and by class and side (half-open, in pixels) the truths and how many of them are found, counted with numpy.

    pip install pycocotools==2.0.11
    python test/evaluate/oracle/recall.py > test/evaluate/oracle/recall.json
"""

import contextlib
import io
import json

import numpy as np
from cases import CASES, LARGE, make_case
from coco import as_coco
from pycocotools.cocoeval import COCOeval

SCORE = 0.3
SIDES = [('tiny', 0, 16), ('small', 16, 32), ('medium', 32, 96), ('large', 96, 1e5)]


def evaluate(case):
    truths = case['truths']
    kept = [row for row in case['detections'] if row['score'] >= SCORE]
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(as_coco(case, truths, True), as_coco(case, kept, False), 'bbox')
        run.params.iouThrs = np.array([0.5])
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ['all']
        run.params.maxDets = [100]
        run.evaluate()
    found = np.zeros(len(truths), int)
    wrong = np.zeros(case['classes'], int)
    for image in filter(None, run.evalImgs):
        for truth, match, ignored in zip(image['gtIds'], image['gtMatches'][0], image['gtIgnore']):
            found[truth - 1] = match > 0 and not ignored
        missed = (image['dtMatches'][0] == 0) & ~image['dtIgnore'][0].astype(bool)
        wrong[image['category_id'] - 1] += int(missed.sum())
    label = np.array([row['label'] for row in truths], int)
    side = np.sqrt([row['area'] for row in truths])
    sound = np.array([row['crowd'] == 0 for row in truths], bool)
    groups = []
    for k in range(case['classes']):
        for name, low, high in SIDES:
            here = sound & (label == k) & (low <= side) & (side < high)
            if here.any():
                groups.append([k, name, int(here.sum()), int(found[here].sum())])
    return [''.join(map(str, found)), wrong.tolist(), groups]


if __name__ == '__main__':
    rows = [evaluate(make_case(number)) for number in [*range(CASES), LARGE]]
    print('[' + ',\n'.join(json.dumps(r) for r in rows) + ']')
