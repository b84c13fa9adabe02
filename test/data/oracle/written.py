"""Reads with pycocotools what `dataset convert --to coco` writes of the fixtures, and stores it beside this script.

    pip install pycocotools==2.0.11
    node lib/workbench/bootstrap.cjs dataset convert test/data/fixtures OUT --annotations voc --to coco
    python test/data/oracle/written.py OUT
"""

import hashlib
import json
import sys
from pathlib import Path

from pycocotools.coco import COCO

found = {}
for path in sorted((Path(sys.argv[1]) / "annotations").glob("*.json")):
    coco = COCO(str(path))
    rows = []
    for image in coco.loadImgs(coco.getImgIds()):
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
            (category,) = coco.loadCats(annotation["category_id"])
            rows.append([image["file_name"], category["name"], *annotation["bbox"], annotation.get("ignore", 0)])
    found[path.name] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "rows": rows}
(Path(__file__).parent / "written.json").write_text(json.dumps(found) + "\n")
