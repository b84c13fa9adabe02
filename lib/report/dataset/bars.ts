/** Bars of a data set's classes and sizes as SVG. */
import { html } from '../../base'
import { tabulateClasses, type WritableSet } from '../../data'

const COLOURS: ReadonlyMap<string, string> = new Map([
  ['train', '#0072b2'],
  ['validation', '#e69f00'],
  ['test', '#009e73'],
  ['shifted', '#cc79a7'],
])
const WIDTH = 860
const LABEL = 190
const ROW = 16

interface Bar {
  readonly split: string
  readonly count: number
  readonly note: string
}

/** Groups of horizontal bars, one group per class or size, with one bar per split. */
function bars(groups: readonly { readonly name: string; readonly bars: readonly Bar[] }[]): string {
  const counts = groups.flatMap((group) => group.bars.map(({ count }) => count))
  const most = counts.reduce((largest, count) => Math.max(largest, count), 1)
  const splits = [...new Set(groups.flatMap((group) => group.bars.map(({ split }) => split)))]
  const room = WIDTH - LABEL - 170
  let y = 34
  const drawn = groups.map(({ name, bars: list }) => {
    const top = y
    y += Math.max(1, list.length) * ROW + 8
    const rows = list.map(({ split, count, note }, i) => {
      const width = (room * count) / most
      const line = top + i * ROW
      return html`<rect x="${LABEL}" y="${line}" width="${Math.max(count > 0 ? 1 : 0, width).toFixed(1)}" height="${ROW - 3}" fill="${COLOURS.get(split) ?? '#57606a'}"/>
<text x="${(LABEL + width + 6).toFixed(1)}" y="${line + 11}" fill="#57606a">${count === 0 ? 'none' : count}${note}</text>
`
    })
    const shortened = name.length > 26 ? `${name.slice(0, 25)}…` : name
    return html`<text x="${LABEL - 8}" y="${top + 11}" text-anchor="end" font-weight="600">${shortened}<title>${name}</title></text>
${rows}`
  })
  const legend = splits.map(
    (
      split,
      i,
    ) => html`<rect x="${LABEL + i * 110}" y="8" width="12" height="12" fill="${COLOURS.get(split) ?? '#57606a'}"/>
<text x="${LABEL + i * 110 + 18}" y="18">${split}</text>
`,
  )
  return html`<svg class="bars" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img">
${legend}${drawn}</svg>
`.html
}

/** Objects by class and split, with the number of images that contain them. */
export function classBars(set: WritableSet): string {
  const barsOf = new Map(set.classes.map((name): [string, Bar[]] => [name, []]))
  for (const { class: name, split, objects, images } of tabulateClasses(set))
    barsOf.get(name)!.push({ split, count: objects, note: objects > 0 ? ` in ${images} images` : '' })
  return bars([...barsOf].map(([name, list]) => ({ name, bars: list })))
}

const SIDES = [0, 8, 16, 32, 64, 128, 256, 512, Infinity]

/** Objects by the side of a square of equal area, and by split. */
export function sizeBars({ splits }: WritableSet): string {
  const labelled = Object.entries(splits).filter(([, samples]) => samples?.some(({ boxes }) => boxes))
  const sides = labelled.map(([split, samples]) => ({
    split,
    sides: (samples ?? []).flatMap(({ boxes = [] }) =>
      boxes.map(({ x1, y1, x2, y2 }) => Math.sqrt(Math.max(0, (x2 - x1) * (y2 - y1)))),
    ),
  }))
  return bars(
    SIDES.slice(0, -1).map((from, i) => {
      const to = SIDES[i + 1]!
      return {
        name: to === Infinity ? `from ${from}` : `${from} to ${to}`,
        bars: sides.map(({ split, sides: all }) => ({
          split,
          count: all.filter((side) => side >= from && side < to).length,
          note: '',
        })),
      }
    }),
  )
}
