// The picture of the README: truth, teacher and student on three of 64 scenes, of those on which they differ by two boxes.
//
//     npx workbook script notebooks/scripts/side-by-side.mts data/pictures/side-by-side.png
import { createLoader, renderScene, SCENE_CLASSES } from 'detector-distillation-workbook/data'
import { Detector } from 'detector-distillation-workbook/detector'
import {
  disagreement,
  drawPanels,
  meaningsOf,
  moreDisagreement,
  panelsOf,
  type ScoredBox,
} from 'detector-distillation-workbook/evaluate'
import { createBatchDetector, loadCheckpoint } from 'detector-distillation-workbook/train'

const [out = 'side-by-side.png'] = process.argv.slice(2)
const MODELS = ['teacher', 'student']
const SHOWN = 0.5

const detectors = MODELS.map((name) => {
  const { network, weights } = loadCheckpoint(`data/checkpoints/default-${name}.json`)
  return createBatchDetector(new Detector(network, weights))
})
// Scenes that no training has seen, of the networks' own size; drawn again, larger, for the picture.
const seen: { index: number; found: ScoredBox[][] }[] = []
for (let index = 0; index < 64; index++) {
  const { image, boxes } = renderScene({ seed: 77, stream: 'picture', index })
  const { width, height } = image
  const loader = createLoader([{ id: '', file: '', width, height, boxes, image }], {
    input: [96, 256],
    batch: 1,
  })
  const batch = await loader.batchAt(0)
  const found = detectors.map((detector) =>
    detector.detect(batch).found[0]!.filter(({ score }) => score >= SHOWN),
  )
  seen.push({ index, found })
}
const rows = seen
  .map((scene) => ({ ...scene, ...disagreement(scene.found[0]!, scene.found[1]!) }))
  .filter(({ boxes }) => boxes === 2)
  .sort(moreDisagreement)
  .slice(0, 3)
  .map(({ index, found }) => {
    const { image, boxes } = renderScene({ seed: 77, stream: 'picture', index, width: 640 })
    const larger = found.map((list) =>
      list.map(({ x1, y1, x2, y2, ...rest }) => ({
        ...rest,
        x1: 2.5 * x1,
        y1: 2.5 * y1,
        x2: 2.5 * x2,
        y2: 2.5 * y2,
      })),
    )
    const panels = panelsOf({ name: '', truths: boxes, found: larger }, MODELS, SCENE_CLASSES)
    return { image, panels }
  })
const picture = await drawPanels(rows, SCENE_CLASSES, {
  ...{ width: 320, columns: 3, zoom: 2 },
  meanings: meaningsOf({ models: 2, hasTruth: true }),
})
await picture.png({ compressionLevel: 9, palette: true, quality: 90 }).toFile(out)
console.log(out)
