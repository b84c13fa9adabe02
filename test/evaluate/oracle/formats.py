"""pycocotools' numbers of the published review tool's 100 photos (its COCO truths and COCO detections, joined by
file and class name).

    WORKBOOK_DATASETS=... python test/evaluate/oracle/formats.py > test/evaluate/oracle/formats.json
"""

import contextlib
import io
import json
import os

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

root = os.path.join(os.environ['WORKBOOK_DATASETS'], 'formats')
found = json.load(open(f'{root}/dets/coco_format/coco_dets.json'))
files = {i['id']: i['file_name'] for i in found['images']}
names = {c['id']: c['name'] for c in found['categories']}
with contextlib.redirect_stdout(io.StringIO()):
    truths = COCO(f'{root}/gts/coco_format_v1/instances_default.json')
    image_ids = {i['file_name']: i['id'] for i in truths.dataset['images']}
    category_ids = {c['name']: c['id'] for c in truths.dataset['categories']}
    results = [{'image_id': image_ids[files[a['image_id']]], 'category_id': category_ids[names[a['category_id']]],
                'bbox': a['bbox'], 'score': a['score']} for a in found['annotations']]
    run = COCOeval(truths, truths.loadRes(results), 'bbox')
    run.evaluate()
    run.accumulate()
    run.summarize()
print(json.dumps([float(v) for v in run.stats]))
