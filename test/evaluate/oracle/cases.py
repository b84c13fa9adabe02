"""Random evaluation cases, the same numbers as ../cases.ts makes: a 32-bit linear congruential generator
(state = 1664525 * state + 1013904223 mod 2**32, value = state / 2**32) drives both, in the same order."""


class Lcg:
    def __init__(self, seed):
        self.state = (seed * 2654435761 + 12345) & 0xFFFFFFFF

    def next(self):
        self.state = (1664525 * self.state + 1013904223) & 0xFFFFFFFF
        return self.state / 4294967296

    def integer(self, count):
        return int(self.next() * count)

    def chance(self, p):
        return self.next() < p


CASES = 240
LARGE = 240  # one more case, with more pairs of detections and truths than are measured at once


def make_case(number):
    """Columns of one case. What is special about it follows from its number."""
    random = Lcg(number)
    grid = number % 2 == 0  # whole coordinates on a coarse grid: equal IoUs, exact thresholds, duplicates
    coarse = number % 3 == 0  # scores in tenths: ties
    crowded = number % 5 == 0  # crowds and stated areas
    many = number % 20 == 7  # more than 100 detections in an image and class
    large = number == LARGE
    images = 40 if large else 1 + random.integer(6)
    classes = 1 if many or large else 1 + random.integer(4)
    side = 16 if grid else (400 if number % 4 == 1 else 60)

    def coordinate():
        return random.integer(side) if grid else random.next() * side

    def extent():
        if random.chance(0.04):
            return 0
        return 1 + random.integer(8) if grid else random.next() * side / 2 + 1

    def any_box():
        x, y, w, h = coordinate(), coordinate(), extent(), extent()
        if number % 7 == 3 and random.chance(0.3):
            w = 32 if random.chance(0.5) else 96  # areas at the limits
            h = w
        return [x, y, x + w, y + h]

    truths = []
    if number % 11 != 4:
        for image in range(images):
            for _ in range(40 if large else random.integer(9)):
                box = any_box()
                area = (box[2] - box[0]) * (box[3] - box[1])
                if crowded and random.chance(0.3):
                    area = 1024 if random.chance(0.3) else area * random.next()
                truths.append({
                    'image': image, 'label': random.integer(classes), 'box': box, 'area': area,
                    'difficult': 1 if random.chance(0.2) else 0,
                    'crowd': 1 if crowded and random.chance(0.25) else 0,
                })
    detections = []
    if number % 13 != 5:
        for image in range(images):
            here = [t for t in truths if t['image'] == image]
            for _ in range(100 if large else 130 + random.integer(40) if many else random.integer(24)):
                if here and random.chance(0.7):
                    truth = here[random.integer(len(here))]
                    shift = 3 if grid else side / 10
                    dx, dy = random.next(), random.next()
                    if grid:
                        dx, dy = random.integer(shift) - 1, random.integer(shift) - 1
                    else:
                        dx, dy = (dx - 0.5) * shift, (dy - 0.5) * shift
                    if random.chance(0.2):
                        dx = dy = 0
                    b = truth['box']
                    box = [b[0] + dx, b[1] + dy, b[2] + dx, b[3] + dy]
                    label = random.integer(classes) if random.chance(0.2) else truth['label']
                else:
                    box = any_box()
                    label = random.integer(classes)
                score = random.integer(11) / 10 if coarse else random.next()
                detections.append({'image': image, 'label': label, 'box': box, 'score': score})
                if random.chance(0.05):
                    detections.append(dict(detections[-1]))
    return {'images': images, 'classes': classes, 'truths': truths, 'detections': detections}
