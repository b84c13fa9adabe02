/** Truth, teacher and student on images beside each other, as one page that needs nothing else. */
import sharp from 'sharp'
import { type Html, html, pageStyle, renderTable, type TableRow, trusted } from '../../base'
import { encodePng } from '../../data'
import { type Disagreement, disagreement, moreDisagreement } from '../disagreement'
import { drawOverlay } from '../overlay'
import { type ComparedImage, meaningsOf, panelsOf } from './panels'

/** An image with its panels, made small, as it stands in the page. */
export interface Exhibit extends Disagreement {
  readonly name: string
  /** Where the sorting leaves images alike, they keep this order. */
  readonly index: number
  readonly html: Html
}

/** Content of the page that shows images with what models find. */
export interface ComparisonPage {
  readonly title: string
  readonly models: readonly string[]
  /** Least score of the boxes that are shown. */
  readonly score: number
  readonly hasTruth: boolean
  readonly images: number
  readonly agreement: readonly TableRow[]
  /** Sorted, the largest disagreement first; as many as there is room for. */
  readonly exhibits: readonly Exhibit[]
  /** What else is to be said: damaged images, places of the files. */
  readonly notes: readonly string[]
}

/** Width of the small image that all panels of an exhibit share, and of the drawing over it, which sets the size of letters. */
const [WIDTH, DRAWN_WIDTH] = [560, 400]
/** Times as high as wide, at most, that an image may be for the whole width of its column. */
const TALLEST = 2

interface Size {
  readonly width: number
  readonly height: number
}

/** Makes an image's exhibit; it holds the image once, as JPEG. */
export async function exhibit(
  compared: ComparedImage,
  index: number,
  { models, classes }: { readonly models: readonly string[]; readonly classes: readonly string[] },
): Promise<Exhibit> {
  const { name, image } = compared
  const share = Math.min(1, (TALLEST * image.width) / image.height)
  const [small, drawn] = [WIDTH, DRAWN_WIDTH].map((whole) => {
    const width = Math.max(1, Math.round(whole * share))
    return { width, height: Math.max(1, Math.round((image.height * width) / image.width)) }
  }) as [Size, Size]
  const jpeg = await sharp(await encodePng(image))
    .resize(small.width, small.height, { fit: 'fill' })
    .jpeg({ quality: 82 })
    .toBuffer()
  const size = { scale: drawn.width / image.width, ...drawn }
  const narrow = share < 1 && trusted(` style="width: ${(100 * share).toPrecision(3)}%"`)
  const shown = panelsOf(compared, models, classes).map(
    ({ title, boxes, description }) => html`<div class="panel"><p>${title}</p>
<svg viewBox="0 0 ${size.width} ${size.height}"${narrow} role="img" aria-label="${title}: ${description}">${trusted(drawOverlay(boxes, classes, size).join('\n'))}</svg></div>
`,
  )
  const differing = disagreementOf(compared)
  const words = differing && ` · ${count(differing.boxes, 'box differs', 'boxes differ')}`
  return {
    ...(differing ?? { boxes: 0, weight: 0 }),
    ...{ name, index },
    html: html`<figure class="exhibit"><figcaption>${name}${words}</figcaption>
<div class="panels" style="--frame: url(data:image/jpeg;base64,${jpeg.toString('base64')})">${shown}</div></figure>
`,
  }
}

/** Between two models, or between the truth and the only one; undefined where there is nothing to compare with. */
export function disagreementOf({
  truths,
  found: [first, second],
}: Pick<ComparedImage, 'truths' | 'found'>): Disagreement | undefined {
  if (first && second) return disagreement(first, second)
  if (!first || !truths) return undefined
  return disagreement(
    truths.filter(({ crowd }) => !crowd),
    first,
  )
}

type Rank = Pick<Exhibit, 'boxes' | 'weight' | 'index'>

/** The largest disagreement first, then the order of the images. */
export const byDisagreement = (a: Rank, b: Rank): number => moreDisagreement(a, b) || a.index - b.index

/** The page as one HTML file. */
export function comparisonPage(page: ComparisonPage): string {
  const { title, models, images, agreement, exhibits, notes } = page
  const isSorted = models.length === 2 || page.hasTruth
  const heading = isSorted ? 'Images, the largest disagreement first' : 'Images'
  return html`<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${pageStyle()}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="subtitle">${count(images, 'image', 'images')}, ${models.join(' and ')}${page.hasTruth && ', with the truth'}; boxes of a score from ${page.score} on</p>
${notes.length > 0 && html`<div class="findings">${notes.map((note) => html`<p>${note}</p>\n`)}</div>`}
</header>
<main>
<section id="agreement"><h2>By class</h2>
${agreement.length === 0 ? html`<p>No box was found.</p>` : renderTable('Boxes of one class are the same object from IoU 0.5 on', agreement)}</section>
<section id="images"><h2>${heading}</h2>
${colourKey(models.length, page.hasTruth)}
${exhibits.length < images && html`<p>${exhibits.length} of ${images} images; the others are in the files.</p>`}
${exhibits.map(({ html: shown }) => shown)}</section>
</main>
</body>
</html>
`.html
}

/** What the outlines of panels mean, for a page. */
export function colourKey(models: number, hasTruth: boolean): Html {
  const entries = meaningsOf({ models, hasTruth }).map(
    ({ colour, dashed, words }) =>
      html`<li><span class="swatch" style="border-color: ${colour}${dashed && '; border-style: dashed'}"></span>${words}</li>
`,
  )
  return html`<ul class="key">${entries}</ul>`
}

const count = (number: number, one: string, many: string) => `${number} ${number === 1 ? one : many}`
