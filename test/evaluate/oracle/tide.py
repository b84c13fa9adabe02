"""tidecv 1.0.1's mistakes for the random cases: AP, then count and cost of each kind, then the cost of all false
positives and of all false negatives, as fractions. Its recalls are i / 100; pycocotools' linspace differs in the
last bit of some, and is put in their place, so that one definition of AP holds everywhere.

    pip install tidecv==1.0.1 --no-deps && pip install pycocotools==2.0.11
    python test/evaluate/oracle/tide.py > test/evaluate/oracle/tide.json
"""

import json
import sys
from unittest.mock import MagicMock

import numpy as np
from cases import CASES, make_case

for drawing in ['appdirs', 'cv2', 'seaborn', 'pandas', 'matplotlib', 'matplotlib.pyplot', 'matplotlib.lines',
                'matplotlib.patches']:
    sys.modules[drawing] = MagicMock()

import tidecv.ap  # noqa: E402
from tidecv import TIDE  # noqa: E402
from tidecv.data import Data  # noqa: E402


class Recalls:
    def __getattr__(self, name):
        return getattr(np, name)

    def searchsorted(self, recalls, x_range, side):
        return np.searchsorted(recalls, np.linspace(0, 1, 101), side=side)


class Mean(tidecv.ap.ClassedAPDataObject):
    """tidecv divides by zero where mending leaves no class; nothing wrong and nothing to find is called 1."""

    def get_mAP(self):
        return super().get_mAP() if any(not o.is_empty() for o in self.objs.values()) else 100


tidecv.ap.np = Recalls()
tidecv.quantify.ClassedAPDataObject = Mean


def evaluate(case):
    truths, detections = Data('truths'), Data('detections')
    for image in range(case['images']):
        truths.add_image(image, str(image))

    def xywh(b):
        return [b[0], b[1], b[2] - b[0], b[3] - b[1]]

    for t in case['truths']:
        if t['crowd'] or t['difficult']:
            truths.add_ignore_region(t['image'], t['label'], xywh(t['box']))
        else:
            truths.add_ground_truth(t['image'], t['label'], xywh(t['box']))
    for d in case['detections']:
        detections.add_detection(d['image'], d['label'], d['score'], xywh(d['box']))
    run = TIDE().evaluate(truths, detections, mode=TIDE.BOX)
    costs = run.fix_main_errors()
    counts = run.count_errors()
    special = run.fix_special_errors()
    return [run.ap / 100, [[counts[k], float(costs[k]) / 100] for k in TIDE._error_types],
            [float(v) / 100 for v in special.values()]]


if __name__ == '__main__':
    rows = []
    for number in range(CASES):
        rows.append(evaluate(make_case(number)))
    print('[' + ',\n'.join(json.dumps(r) for r in rows) + ']')
