// Detections against truths: VOC's and COCO's numbers. Files are scored by `npx workbook evaluate`.
//
//     npx workbook script notebooks/scripts/score.mts
import {
  type Detections,
  evaluateCoco,
  evaluateVoc,
  type Truths,
} from 'detector-distillation-workbook/evaluate'

// Two images and two classes, 0 and 1; a row each object, boxes as x1 y1 x2 y2 in pixels.
const truths: Truths = {
  images: 2,
  classes: 2,
  image: Int32Array.of(0, 0, 1),
  label: Int32Array.of(0, 1, 0),
  box: Float64Array.of(...[10, 10, 50, 50], ...[60, 20, 90, 80], ...[5, 5, 45, 65]),
}
const detections: Detections = {
  image: Int32Array.of(0, 0, 0, 1),
  label: Int32Array.of(0, 0, 1, 0),
  score: Float64Array.of(0.9, 0.8, 0.7, 0.6),
  box: Float64Array.of(...[10, 10, 50, 50], ...[200, 10, 240, 50], ...[60, 20, 90, 80], ...[5, 5, 45, 65]),
}

// Class 0: found, wrong, found = (1 * 1 + 1 * 2/3) / 2 = 0.833; class 1: found = 1.
const voc = evaluateVoc(truths, detections)
console.log(`VOC mAP@0.5   ${voc.mAP?.toFixed(4)}`)
for (const [label, { ap }] of voc.perClass.entries()) console.log(`  class ${label}     ${ap?.toFixed(4)}`)

const coco = evaluateCoco(truths, detections)
for (const name of ['AP', 'AP50', 'AP75', 'AR100'] as const)
  console.log(`COCO ${name.padEnd(8)} ${coco[name].toFixed(4)}`)
