"""The twelve numbers of pycocotools 2.0.11 for the random cases, and each class's AP and AR100.

    pip install pycocotools==2.0.11
    python test/evaluate/oracle/coco.py > test/evaluate/oracle/coco.json
"""

import contextlib
import io
import json

import numpy as np
from cases import CASES, LARGE, make_case
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def as_coco(case, rows, truth):
    coco = COCO()
    annotations = []
    for i, row in enumerate(rows):
        x1, y1, x2, y2 = row['box']
        w, h = x2 - x1, y2 - y1
        annotation = {'id': i + 1, 'image_id': row['image'] + 1, 'category_id': row['label'] + 1,
                      'bbox': [x1, y1, w, h], 'area': row['area'] if truth else w * h,
                      'iscrowd': row['crowd'] if truth else 0}
        if not truth:
            annotation['score'] = row['score']
        annotations.append(annotation)
    coco.dataset = {'images': [{'id': i + 1} for i in range(case['images'])],
                    'categories': [{'id': k + 1} for k in range(case['classes'])],
                    'annotations': annotations}
    coco.createIndex()
    return coco


def evaluate(case):
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(as_coco(case, case['truths'], True), as_coco(case, case['detections'], False), 'bbox')
        run.evaluate()
        run.accumulate()
        run.summarize()
    per_class = []
    for k in range(case['classes']):
        values = [run.eval['precision'][:, :, k, 0, 2], run.eval['recall'][:, k, 0, 2]]
        per_class.append([float(np.mean(v[v > -1])) if (v > -1).any() else -1 for v in values])
    return [float(v) for v in run.stats], per_class


if __name__ == '__main__':
    rows = [evaluate(make_case(number)) for number in [*range(CASES), LARGE]]
    print('[' + ',\n'.join(json.dumps(r) for r in rows) + ']')
