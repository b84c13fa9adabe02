import type { ScoredBox } from '../evaluate'

/** Boxes of one class that overlap more than this belong to one object; equals the threshold of NMS in decoding. */
const SAME_OBJECT = 0.45

/**
 * Merges one image's detections from several views or models into one list by averaging. By descending score
 * every box joins the first object of its class whose best box it overlaps (IoU > 0.45), or starts a new one. An object
 * keeps the best box of each view. Its box is their mean weighted by score; its score is their sum divided by the number
 * of views, so objects seen in only some views count less.
 *
 * @param views the detections of each view, in pixels of the image
 * @returns by descending score
 */
export function mergeViews(views: readonly (readonly ScoredBox[])[]): ScoredBox[] {
  const boxes = views
    .flatMap((found, view) => found.map((box) => ({ box, view })))
    .sort((a, b) => b.box.score - a.box.score)
  const objects: { first: ScoredBox; best: Map<number, ScoredBox> }[] = []
  for (const { box, view } of boxes) {
    const object = objects.find(({ first }) => first.label === box.label && iou(first, box) > SAME_OBJECT)
    if (!object) objects.push({ first: box, best: new Map([[view, box]]) })
    else if (!object.best.has(view)) object.best.set(view, box)
  }
  return objects
    .map(({ first, best }) => {
      const members = [...best.values()]
      const sum = members.reduce((total, { score }) => total + score, 0)
      const mean = (side: 'x1' | 'y1' | 'x2' | 'y2') =>
        members.reduce((total, member) => total + member.score * member[side], 0) / sum
      const corners = { x1: mean('x1'), y1: mean('y1'), x2: mean('x2'), y2: mean('y2') }
      return { ...corners, label: first.label, score: sum / views.length }
    })
    .sort((a, b) => b.score - a.score)
}

function iou(a: ScoredBox, b: ScoredBox): number {
  const width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1)
  const height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1)
  if (width <= 0 || height <= 0) return 0
  const area = (box: ScoredBox) => (box.x2 - box.x1) * (box.y2 - box.y1)
  return (width * height) / (area(a) + area(b) - width * height)
}
