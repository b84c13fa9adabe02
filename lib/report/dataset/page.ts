/** The result of `dataset check` as one self-contained page. */
import { type Html, html, pageStyle, trusted } from '../../base'
import { type CheckReport, describeAccount, describeLost, describeProblem, type LostBoxes } from '../../data'
import { classBars, sizeBars } from './bars'
import { type Picture, pictures } from './pictures'

/** Content of the page about a data set. */
export interface DatasetPage {
  /** Name of the data set. */
  readonly name: string
  readonly report: CheckReport
  /** What a profile's crop and size remove, and what the data lack for its study. */
  readonly profile?: {
    readonly name: string
    readonly lost: readonly LostBoxes[]
    readonly limits: readonly string[]
  }
}

/** Maximum number of problems listed; the terminal and --json list all. */
const MOST_PROBLEMS = 500

/** The page as HTML, with small pictures embedded. */
export async function datasetPage({ name, report, profile }: DatasetPage): Promise<string> {
  const { problems, counts, classes, found } = report
  const { samples, faulty, duplicates } = await pictures(report)
  const verdict = problems.length === 0 ? 'no problems' : `${problems.length} problems`
  const splits = Object.entries(counts).map(
    ([split, { images, boxes }]) => `${split} ${images} images, ${boxes} boxes`,
  )
  const page = html`<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name}: the data set</title>
<style>${pageStyle()}
${trusted(STYLE)}</style>
</head>
<body>
<header>
<h1>${name}</h1>
<p class="subtitle">${report.format}, ${classes.length} classes; ${splits.join('; ')}</p>
<div class="findings">
<p class="verdict">${verdict}</p>
${describeAccount(report.account).map((line) => html`<p>${line}</p>\n`)}</div>
</header>
<nav aria-label="Contents"><a href="#classes">Classes</a><a href="#sizes">Sizes</a>${
    profile && html`<a href="#profile">Profile</a>`
  }<a href="#images">Images</a><a href="#problems">Problems</a>${
    duplicates.length > 0 && html`<a href="#duplicates">Duplicates</a>`
  }</nav>
<main>
<section id="classes"><h2>Classes</h2>
<p>Objects of each class by split. Split colours are those of the legend.</p>
${trusted(classBars(found))}</section>
<section id="sizes"><h2>Sizes</h2>
<p>Side of a square of the object's area, in pixels of its image.</p>
${trusted(sizeBars(found))}</section>
${profile && profileSection(profile)}
<section id="images"><h2>Images with their boxes</h2>
${gallery(samples, 'There is no image that can be read.')}</section>
<section id="problems"><h2>Problems</h2>
${problems.length === 0 && html`<p>None.</p>`}
${gallery(faulty, '')}
${
  problems.length > 0 &&
  html`<ol class="problems">${problems
    .slice(0, MOST_PROBLEMS)
    .map((problem) => html`<li>${describeProblem(problem)}</li>\n`)}</ol>`
}
${problems.length > MOST_PROBLEMS && html`<p>and ${problems.length - MOST_PROBLEMS} more: see --json.</p>`}</section>
${
  duplicates.length > 0 &&
  html`<section id="duplicates"><h2>Duplicates</h2>
<p>The same bytes in two splits: on the left the copy that --fix leaves out, on the right the image that stays.</p>
${duplicates.map(([copy, first]) => html`<div class="pair">${shown(copy)}${shown(first)}</div>\n`)}</section>`
}
</main>
</body>
</html>
`
  return page.html
}

function profileSection({ name, lost, limits }: NonNullable<DatasetPage['profile']>): Html {
  const nothing = lost.length === 0 && limits.length === 0
  return html`<section id="profile"><h2>With the profile ${name}</h2>
${nothing && html`<p>The network sees every box, and a study may begin.</p>`}
${lost.length > 0 && html`<ul>${lost.map((line) => html`<li>${describeLost(line)}</li>\n`)}</ul>`}
${limits.length > 0 && html`<p>Before a study may begin:</p><ul>${limits.map((line) => html`<li>${line}</li>\n`)}</ul>`}</section>
`
}

function gallery(list: readonly Picture[], nothing: string): Html | false {
  if (list.length === 0) return nothing !== '' && html`<p>${nothing}</p>`
  return html`<div class="gallery">${list.map(shown)}</div>`
}

function shown({ svg, caption, note }: Picture): Html {
  const drawn = svg === undefined ? html`<div class="missing">cannot be drawn</div>` : trusted(svg)
  return html`<figure>${drawn}<figcaption>${caption}${note && html`<br><b>${note}</b>`}</figcaption></figure>
`
}

const STYLE = `
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; align-items: start; }
.pair { margin-bottom: 1rem; display: grid; grid-template-columns: repeat(2, minmax(0, 26rem)); gap: 1rem; }
.gallery figure, .pair figure { margin: 0; padding: 0.5rem; }
.gallery svg, .pair svg { display: block; width: 100%; height: auto; }
figcaption { overflow-wrap: anywhere; margin-top: 0.4rem; }
figcaption b { color: #7a3500; font-weight: 600; }
.missing { padding: 3rem 1rem; color: var(--soft); background: var(--pale); text-align: center; }
.problems { font-size: 0.85rem; padding-left: 2.5rem; }
.problems li { max-width: none; overflow-wrap: anywhere; margin: 0.2rem 0; }
svg.bars { display: block; max-width: 100%; height: auto; margin: 1rem 0; font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
`
