/**
 * How often the interval calls one of two arms better that do not differ: the reason for `LEAST` in lib/study/statistics.ts. Made-up
 * detectors find an object of a mean difficulty with a probability of 0.75; a training seed shifts that by a normal number with a
 * standard deviation of 0.02, about what the choice of 200 images does to the difference. Nominal: 5 %.
 *
 *     npx workbook script test/study/verdict-rates.ts > test/study/verdict-rates.txt
 */
import { Random } from '../../lib/base'
import type { MatchTable } from '../../lib/evaluate'
import { metricTable, pairedDifference } from '../../lib/study'

const [REPLICATES, RESAMPLES, OBJECTS, CLASSES] = [400, 200, 4, 3]

/** Match tables of two arms on the same images, one a seed. */
function arms(random: Random, images: number, seeds: number, spread: number): [MatchTable[], MatchTable[]] {
  const rows = Array.from({ length: images * OBJECTS }, (_, i) => ({
    image: Math.floor(i / OBJECTS),
    label: random.integer(CLASSES),
    // Far apart, so that a box finds its own object alone.
    x: 100 * (i % OBJECTS),
    difficulty: random.next(),
  }))
  const boxes = (of: typeof rows) => Float64Array.from(of.flatMap(({ x }) => [x, 0, x + 20, 20]))
  const truths = {
    ...{ images, classes: CLASSES, box: boxes(rows) },
    image: Int32Array.from(rows, ({ image }) => image),
    label: Int32Array.from(rows, ({ label }) => label),
  }
  const table = (): MatchTable => {
    const share = 0.75 + spread * random.normal()
    const found = rows.filter(({ difficulty }) => difficulty + 0.15 * random.normal() < share)
    const wrong = rows.filter(() => random.next() < 0.2).map((row) => ({ ...row, x: row.x + 50 }))
    const all = [...found, ...wrong]
    const detections = {
      image: Int32Array.from(all, ({ image }) => image),
      label: Int32Array.from(all, ({ label }) => label),
      score: Float64Array.from(all, (_, i) =>
        i < found.length ? random.uniform(0.3, 1) : random.uniform(0, 0.6),
      ),
      box: boxes(all),
    }
    return metricTable({ truths, detections })
  }
  const all = () => Array.from({ length: seeds }, table)
  return [all(), all()]
}

function rate(images: number, seeds: number, spread: number): string {
  const random = new Random('verdict rates', images, seeds, spread)
  let shown = 0
  for (let i = 0; i < REPLICATES; i++) {
    const { lower, upper } = pairedDifference(...arms(random, images, seeds, spread), {
      resamples: RESAMPLES,
      seed: i,
    })
    if (lower > 0 || upper < 0) shown++
  }
  return `${((100 * shown) / REPLICATES).toFixed(1)} %`
}

console.log('models as they are, no difference between seeds: images, called different')
for (const images of [5, 10, 20, 30, 50, 100, 200]) console.log(`${images}\t${rate(images, 1, 0)}`)
console.log('200 images, seeds that differ: seeds, called different')
for (const seeds of [1, 2, 3, 5]) console.log(`${seeds}\t${rate(200, seeds, 0.02)}`)
