/** The page's HTML around its script: everything that is there before a network has run. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Html, html, inScript, trusted } from '../../base'
import type { PageModel, PagePayload } from './payload'

/** The whole page. @param script what esbuild made of browser/main.ts */
export function pageHtml(payload: PagePayload, script: string): string {
  const [teacher, student] = payload.models
  const style = readFileSync(join(__dirname, 'page.css'), 'utf8')
  return html`<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; media-src blob: mediastream:; connect-src data: blob:">
<title>${teacher.name} and ${student.name}, side by side</title>
<style>${trusted(style)}</style>
</head>
<body>
<header>
<h1>Teacher and student</h1>
<button type="button" id="theme">Dark colours</button>
<p>Two detectors side by side in your browser: the ${student.name} is the ${teacher.name}, pruned and distilled. What only one of them finds is
orange; nothing that you show them leaves this computer.</p>
</header>
<main>
<section class="card controls" aria-label="What is looked at, and how">
${sources(payload)}
${settings(payload)}
<p id="message" role="status"></p>
</section>
<section id="panels" class="panels" aria-label="Detections">
${panel('teacher', teacher)}${panel('student', student)}</section>
<section class="card" aria-labelledby="differences-title">
<h2 id="differences-title">What they disagree on</h2>
<p id="summary" role="status" aria-live="polite"></p>
<ul id="differences"></ul>
${key()}
</section>
</main>
<noscript><p>The networks need JavaScript.</p></noscript>
<script type="application/json" id="payload">${trusted(JSON.stringify(payload).replaceAll('<', '\\u003c'))}</script>
<script>${inScript(script)}</script>
</body>
</html>
`.html
}

const SOURCES = [
  ['scenes', 'Scenes'],
  ['image', 'Image'],
  ['video', 'Video'],
  ['camera', 'Camera'],
] as const

function sources({ scenes }: PagePayload): Html {
  const choices = SOURCES.map(
    ([name, title], i) =>
      html`<label><input type="radio" name="source" id="source-${name}"${i === 0 && ' checked'}><span>${title}</span></label>`,
  )
  const thumbnails = scenes.map(
    ({ name, url }, i) =>
      html`<label><input type="radio" name="scene" id="scene-${i}"${i === 0 && ' checked'}><img src="${url}" alt="${name}"></label>
`,
  )
  return html`<fieldset class="segments"><legend>Look at</legend><div>${choices}</div></fieldset>
<fieldset id="of-scenes" class="thumbnails"><legend>Scene</legend><div>${thumbnails}</div></fieldset>
<div id="of-image" class="file" hidden><label for="image-file">Image file, or drop one anywhere</label><input type="file" id="image-file" accept="image/*"></div>
<div id="of-video" class="file" hidden><label for="video-file">Video file, or drop one anywhere</label><input type="file" id="video-file" accept="video/*"></div>
<div id="of-camera" class="file" hidden><button type="button" id="camera-start">Start the camera</button><span>It ends when you choose something else.</span></div>
<button type="button" id="pause" hidden>Pause</button>
<video id="player" muted playsinline hidden></video>
`
}

function settings({ views, decode, scenes }: PagePayload): Html {
  const hasTruth = scenes.some(({ truths }) => truths)
  return html`<div class="settings">
<div><label for="score">Least score</label><output id="score-value" for="score">0.30</output>
<input type="range" id="score" min="0.05" max="0.95" step="0.05" value="0.3"></div>
<div><label for="iou">NMS, IoU</label><output id="iou-value" for="iou">${decode.iou.toFixed(2)}</output>
<input type="range" id="iou" min="0.1" max="0.9" step="0.05" value="${decode.iou}"></div>
<div><label for="view">Part of the frame</label><select id="view">${views.map(({ name }, i) => html`<option value="${i}">${name}</option>`)}</select></div>
<div><label for="backend">Computed by</label><select id="backend"></select></div>
<label class="check"${!hasTruth && trusted(' hidden')}><input type="checkbox" id="truth"><span>Mark right and wrong</span></label>
</div>
`
}

function panel(side: 'teacher' | 'student', { name, macs, parameters }: PageModel): Html {
  const millions = (value: number) => `${(value / 1e6).toFixed(value < 1e7 ? 2 : 1)} M`
  return html`<article class="card panel" aria-labelledby="${side}-title">
<div class="heading"><h2 id="${side}-title">${name}</h2><p>${millions(macs)} multiply-accumulates, ${millions(parameters)} parameters</p></div>
<div class="stage"><canvas id="${side}-canvas" aria-hidden="true"></canvas><svg id="${side}-overlay" role="img" aria-label="${name}"></svg></div>
<dl><div><dt>Network</dt><dd id="${side}-ms">–</dd></div><div><dt>Decoding and NMS</dt><dd id="${side}-decode">–</dd></div><div><dt>Boxes</dt><dd id="${side}-count">–</dd></div></dl>
<details><summary>Boxes as a table</summary><div class="scroll"><table><thead><tr><th scope="col">Class</th><th scope="col">Score</th><th scope="col">Left</th><th scope="col">Top</th><th scope="col">Right</th><th scope="col">Bottom</th><th scope="col">Note</th></tr></thead><tbody id="${side}-rows"></tbody></table></div></details>
</article>
`
}

const key = (): Html => html`<ul class="key" aria-label="What the colours mean">
<li><span class="swatch agreed"></span>found by both</li>
<li><span class="swatch alone"></span>found by this one alone</li>
<li><span class="swatch alone missing"></span>found by the other alone</li>
<li><span class="swatch truth missing"></span>truth that is missed, when marked</li>
</ul>`
