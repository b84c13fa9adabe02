"""An independent, naive Pascal VOC evaluation; nothing but lists and floats.

    python test/evaluate/oracle/voc.py > test/evaluate/oracle/voc.json
"""

import json

from cases import CASES, LARGE, make_case


def overlap(a, b, plus):
    iw = min(a[2], b[2]) - max(a[0], b[0]) + plus
    ih = min(a[3], b[3]) - max(a[1], b[1]) + plus
    if iw <= 0 or ih <= 0:
        return 0.0
    inter = iw * ih
    area_a = (a[2] - a[0] + plus) * (a[3] - a[1] + plus)
    area_b = (b[2] - b[0] + plus) * (b[3] - b[1] + plus)
    return inter / (area_a + area_b - inter)


def class_ap(case, label, threshold, plus, eleven):
    truths = [t for t in case['truths'] if t['label'] == label]
    npos = sum(1 for t in truths if not t['difficult'])
    if npos == 0:
        return None
    taken = [False] * len(truths)
    detections = [d for d in case['detections'] if d['label'] == label]
    detections.sort(key=lambda d: -d['score'])  # stable
    tp = fp = 0
    points = []
    for d in detections:
        best, best_overlap = -1, 0.0
        for i, t in enumerate(truths):
            if t['image'] != d['image']:
                continue
            o = overlap(d['box'], t['box'], plus)
            if o > best_overlap:
                best, best_overlap = i, o
        if best >= 0 and best_overlap >= threshold:
            if truths[best]['difficult']:
                continue
            if taken[best]:
                fp += 1
            else:
                taken[best] = True
                tp += 1
        else:
            fp += 1
        points.append((tp, tp / (tp + fp)))
    if eleven:
        ap = 0.0
        for i in range(11):
            reached = [p for t, p in points if t * 10 >= i * npos]
            ap += (max(reached) if reached else 0.0) / 11
        return ap
    ap = 0.0
    last = 0.0
    for k, (t, _) in enumerate(points):
        recall = t / npos
        ap += (recall - last) * max(p for _, p in points[k:])
        last = recall
    return ap


def mean_ap(case, threshold=0.5, plus=0, eleven=False):
    aps = [class_ap(case, k, threshold, plus, eleven) for k in range(case['classes'])]
    defined = [a for a in aps if a is not None]
    return (sum(defined) / len(defined) if defined else None), aps


if __name__ == '__main__':
    rows = []
    for number in [*range(CASES), LARGE]:
        case = make_case(number)
        mean, aps = mean_ap(case)
        rows.append([mean, mean_ap(case, eleven=True)[0], mean_ap(case, plus=1)[0],
                     mean_ap(case, threshold=0.75)[0], aps])
    print('[' + ',\n'.join(json.dumps(r) for r in rows) + ']')
