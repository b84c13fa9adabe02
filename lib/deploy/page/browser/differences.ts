/** What the models disagree on, in words. */

import type { ScoredBox } from '../../../evaluate/columns'
import { matchBoxes } from '../../../evaluate/disagreement'
import { element, make } from './dom'

export interface Compared {
  readonly names: readonly [string, string]
  readonly classes: readonly string[]
  readonly found: readonly [readonly ScoredBox[], readonly ScoredBox[]]
}

/** Said to screen readers at most this often. */
const SAID_MS = 2000
let said = 0

/** Lists the boxes that one model has alone; says it aloud where the frame stands still, or now and then where it moves. */
export function showDifferences({ names, classes, found }: Compared, moving: boolean): void {
  const [first, second] = found
  const { both, onlyFirst, onlySecond } = matchBoxes(first, second)
  const alone = [
    ...onlyFirst.map((index) => ({ name: names[0], side: 'teacher', box: first[index]! })),
    ...onlySecond.map((index) => ({ name: names[1], side: 'student', box: second[index]! })),
  ].sort((a, b) => b.box.score - a.box.score)
  const items = alone.map(({ name, side, box }) => {
    const place = `${words(box, classes)}, ${Math.round(box.x2 - box.x1)} × ${Math.round(box.y2 - box.y1)} pixels at ${Math.round(box.x1)}, ${Math.round(box.y1)}`
    return make('li', [make('span', `only ${name}`, { class: `chip ${side}` }), place])
  })
  element('differences', HTMLUListElement).replaceChildren(...items)
  const now = performance.now()
  if (moving && now - said < SAID_MS) return
  said = now
  const verdict =
    alone.length === 0
      ? 'Neither has a box of its own.'
      : `${onlyFirst.length === 0 ? 'None' : onlyFirst.length} by the ${names[0]} alone, ${onlySecond.length === 0 ? 'none' : onlySecond.length} by the ${names[1]} alone.`
  element('summary', HTMLElement).textContent =
    `${both.length === 1 ? '1 box is' : `${both.length} boxes are`} found by both. ${verdict}`
}

const words = ({ label, score }: ScoredBox, classes: readonly string[]) =>
  `${classes[label] ?? `class ${label}`} ${score.toFixed(2)}`
