import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { TableRow } from '../../lib/base'
import { encodePng } from '../../lib/data'
import { disagreement } from '../../lib/evaluate'
import {
  accuracyTable,
  buildReport,
  computeFigure,
  differenceOf,
  differenceTable,
  failuresTable,
  findings,
  leadingSplit,
  methodsFigure,
  metricsTable,
  REPORT_FILES,
  renderHtml,
  renderMarkdown,
  sideBySide,
  verdictSentence,
  writeReport,
} from '../../lib/report'
import { type Arm, evaluationOn, METRICS, metricTable, tableValue } from '../../lib/study'
import { readDetections, type TrialDetections, type TrialFailure } from '../../lib/trial'
import { syntheticStudy } from './synthetic'

const folder = mkdtempSync(join(tmpdir(), 'report-'))
after(() => rmSync(folder, { recursive: true }))

const bootstrap = { resamples: 200 }
const input = { ...syntheticStudy(join(folder, 'trials'), { images: 60 }), bootstrap }
const model = buildReport(input)
const { summary } = model

const sectionIds = ({ sections }: typeof model) => sections.map(({ id }) => id)

/** What a reader sees: no scripts, no style. */
const visible = (page: string) => page.replace(/<(script|style)[\s\S]*?<\/\1>/g, '')

test('truth, teacher and student stand side by side, on the images on which the two differ most', async () => {
  const arms = Object.fromEntries(input.arms.map((arm) => [arm.name, arm]))
  const [teacher, student] = ['teacher', 'student'].map((name) =>
    readDetections(evaluationOn(arms[name]!.runs[0]!, 'test')!.folder),
  )
  const file = join(folder, 'grey.png')
  const [width, height] = [256, 96]
  writeFileSync(file, await encodePng({ width, height, pixels: new Uint8Array(3 * width * height).fill(99) }))
  const test = teacher!.ids.map((id) => ({ ...{ id, file, width, height }, boxes: [] }))
  const { classes } = input.data
  const study = { dataset: { name: 'grey', classes, hash: '', splits: { test } } }
  const found = await sideBySide(study, input, { count: 3, minScore: 0.5 })
  assert.ok(found)
  assert.deepEqual([found.split, found.models, found.exhibits.length], ['test', ['teacher', 'student'], 3])
  const all = found.safety.found.at(-1)!
  assert.equal(all.objects, teacher!.truths.image.length)
  assert.equal(all.both + all.onlyTeacher + all.onlyStudent + all.neither, all.objects)
  assert.equal(all.lost.value, all.onlyTeacher / all.objects)
  assert.ok(all.lost.lower < all.lost.value && all.lost.value < all.lost.upper)
  assert.equal(found.safety.lost.length, all.onlyTeacher)
  assert.deepEqual(
    found.safety.lost.map(({ side }) => side),
    found.safety.lost.map(({ side }) => side).sort((a, b) => b - a),
  )
  const images = new Set(found.safety.lost.map(({ image }) => image))
  assert.equal(found.lost.length, Math.min(3, images.size))
  assert.equal(found.lost[0]!.index, found.safety.lost[0]!.image)
  // Counted again, image by image.
  const boxes = ({ detections }: TrialDetections, image: number) =>
    [...detections.image.keys()]
      .filter((row) => detections.image[row] === image && detections.score[row]! >= 0.5)
      .map((row) => {
        const [x1, y1, x2, y2] = detections.box.subarray(4 * row, 4 * row + 4)
        const [label, score] = [detections.label[row]!, detections.score[row]!]
        return { x1: x1!, y1: y1!, x2: x2!, y2: y2!, label, score }
      })
  const counts = test.map((_, i) => disagreement(boxes(teacher!, i), boxes(student!, i)).boxes)
  assert.deepEqual(
    found.exhibits.map((shown) => shown.boxes),
    [...counts].sort((a, b) => b - a).slice(0, 3),
  )
  const report = buildReport({ ...input, sideBySide: found })
  assert.ok(sectionIds(report).includes('images') && sectionIds(report).includes('safety'))
  assert.equal(
    visible(renderHtml(report)).match(/<svg viewBox[^>]*role="img"/g)?.length,
    9 + 3 * found.lost.length,
  )
  assert.match(renderMarkdown(report), /\*Pictures in index\.html: The images of test/)
  assert.equal(sectionIds(model).includes('images'), false)
  assert.equal(await sideBySide(study, { ...input, arms: [] }), undefined)
  await assert.rejects(
    sideBySide({ dataset: { ...study.dataset, splits: {} } }, input),
    /test: expected the image .* that was measured, found none in the data set/,
  )
})

test('numbers come from the trials', () => {
  const control = input.arms.find(({ name }) => name === 'control')!
  const values = control.runs.map((run) => {
    const trial = evaluationOn(run, 'test')!
    const value = tableValue(metricTable(readDetections(trial.folder)))
    // Detections are stored in float32, as these were made.
    assert.ok(Math.abs(value - trial.metrics.evaluation.voc.mAP!) < 1e-12)
    return value
  })
  const arm = summary.arms.find(({ name }) => name === 'control')!
  assert.ok(Math.abs(arm.splits.test!.values.mAP50!.value - (values[0]! + values[1]!) / 2) < 1e-12)
  assert.deepEqual(arm.splits.test!.seeds, [1, 2])
  assert.deepEqual(Object.keys(arm.splits.test!.differences), ['control, equal compute', 'teacher'])
  assert.equal(arm.macsShare, 63_400_000 / 136_700_000)

  const best = summary.arms.find(({ name }) => name === 'objectness-mse')!
  const difference = best.splits.test!.values.mAP50!.value - arm.splits.test!.values.mAP50!.value
  const found = differenceOf(summary.arms, 'objectness-mse', 'control', 'test').mAP50
  assert.ok(Math.abs(found.difference - difference) < 1e-12)
  assert.equal(found.seeds, 2)
  assert.equal(best.terms[0]?.ratio, 0.3)
})

test('the verdict leads with the test split and names the best method', () => {
  assert.equal(leadingSplit(summary), 'test')
  assert.match(
    model.findings.verdict,
    /beat training on without a teacher .* the best, objectness-mse, differs by \+/,
  )
  assert.ok(
    model.findings.details.some((detail) =>
      /Worse than training on without a teacher: feature-mse/.test(detail),
    ),
  )
  const { chosen } = summary.selection!
  assert.equal(chosen?.name, 'objectness-mse')
  const run = input.arms
    .find(({ name }) => name === 'objectness-mse')!
    .runs.find(({ seed }) => seed === chosen?.seed)!
  assert.equal(chosen?.weights, run.training!.metrics.weights)
})

test('a distilled network of another size is no method among the students', () => {
  const arms = summary.arms.map((arm) =>
    arm.name === 'objectness-mse' ? { ...arm, macs: 2 * arm.macs, macsShare: 1 } : arm,
  )
  const { verdict, details } = findings({ ...summary, arms })
  assert.match(verdict, / of 4 methods \((?!.*objectness-mse)/)
  const [other, ...none] = details.filter((detail) => detail.startsWith('Of another size'))
  assert.match(
    other ?? '',
    /with 100 % of the teacher’s MACs: objectness-mse differs by \+.* points from “control”, .* from “control, equal compute”/,
  )
  assert.deepEqual(none, [])
  assert.ok(!model.findings.details.some((detail) => detail.startsWith('Of another size')))
})

test('the control at equal compute and the teacher trained on are taken into account', () => {
  const of = (name: string) => summary.arms.find((arm) => arm.name === name)!
  const [best, compute, control] = ['objectness-mse', 'control, equal compute', 'control'].map(of)
  const accuracyOf = (arm: typeof best) => arm!.splits.test!.values.mAP50!.value
  const { mAP50 } = differenceOf(summary.arms, 'objectness-mse', 'control, equal compute', 'test')
  assert.ok(Math.abs(mAP50.difference - (accuracyOf(best) - accuracyOf(compute))) < 1e-12)
  // A backward pass counts as two forward ones; the method's teacher counts too.
  assert.ok(
    control!.trainingMacs < compute!.trainingMacs && compute!.trainingMacs <= 1.02 * best!.trainingMacs,
  )
  const details = model.findings.details.join('\n')
  assert.match(details, /Against “control, equal compute” .* of 5 methods shown better/)
  assert.match(details, /The teacher trained on for 15 steps differs from the teacher by/)
  const limits = JSON.stringify(model.sections.find(({ id }) => id === 'limits'))
  assert.doesNotMatch(limits, /not the same compute/)
  const points = computeFigure(summary.arms, { split: 'test' }).data
  assert.equal(points[0]!.name, 'without a teacher')
  assert.equal((points[0]!.x as number[]).length, 2)
  assert.ok(!points.some(({ name }) => name === 'teacher trained on'))
})

test('COCO AP has an interval and a paired difference of its own', () => {
  const { AP } = summary.arms.find(({ name }) => name === 'objectness-mse')!.splits.test!.values
  assert.ok(AP)
  const runs = input.arms.find(({ name }) => name === 'objectness-mse')!.runs
  const stored = runs.map((run) => evaluationOn(run, 'test')!.metrics.evaluation.coco.AP!)
  assert.ok(Math.abs(AP.value - (stored[0]! + stored[1]!) / 2) < 1e-12)
  assert.ok(AP.lower < AP.value && AP.value < AP.upper)
  const { AP: difference } = differenceOf(summary.arms, 'objectness-mse', 'control', 'test')
  assert.equal(difference.seeds, 2)
  assert.ok(difference.difference > 0)
})

test('students that detect next to nothing are not compared', () => {
  const runs = join(folder, 'blind')
  const study = syntheticStudy(runs, { images: 60, seeds: [1], test: false, control: 0, best: 0.02 })
  assert.match(buildReport({ ...study, bootstrap }).findings.verdict, /detect next to nothing/)
})

test('methods that do not differ from the control are not called better', () => {
  const runs = join(folder, 'equal')
  const equal = { images: 60, test: false, control: 0.75, best: 0.75 }
  const several = buildReport({ ...syntheticStudy(join(folder, 'several'), equal), bootstrap })
  assert.match(several.findings.verdict, /None of 5 distillation methods was shown to beat/)
  const report = buildReport({ ...syntheticStudy(runs, { ...equal, seeds: [1] }), bootstrap })
  assert.equal(leadingSplit(report.summary), 'validation')
  assert.match(
    report.findings.verdict,
    /^Too little was measured for a verdict \(1 seed, at least 2 needed\): the best of 5 methods against/,
  )
  const limits = JSON.stringify(report.sections.find(({ id }) => id === 'limits'))
  assert.match(limits, /One training seed/)
  assert.match(limits, /flatter whatever was chosen/)
})

test('an ablation compares one seed, with the method’s own setting among its points', () => {
  const points = (what: string) =>
    summary.ablations.flatMap(({ variation }) =>
      variation?.varied === what ? [[variation.method, variation.value, variation.own]] : [],
    )
  assert.deepEqual(points('lambda'), [
    ['class-kd', 0.33, false],
    ['class-kd', 1, true],
    ['class-kd', 3, false],
    ['objectness-mse', 0.33, false],
    ['objectness-mse', 1, true],
    ['objectness-mse', 3, false],
  ])
  assert.deepEqual(points('threshold'), [
    ['masked-class-kd', 0.01, false],
    ['masked-class-kd', 0.05, true],
    ['masked-class-kd', 0.3, false],
  ])
  // Its own is the published one, which the profile does not write down.
  assert.deepEqual(points('temperature'), [
    ['class-kd', 1, true],
    ['class-kd', 4, false],
  ])
  for (const { name } of summary.ablations) {
    assert.equal(differenceOf(summary.ablations, name, 'control').mAP50.seeds, 1)
  }
})

test('every metric of the list is in the report, with the value of the trials’ own evaluations', () => {
  const [first] = metricsTable(summary, 'test')
  // The images have no object whose sides are above 96 pixels.
  const { APlarge: _, ...others } = METRICS
  assert.deepEqual(
    Object.keys(first!).slice(1),
    Object.values(others).map(({ name }) => name),
  )
  const arm = input.arms.find(({ name }) => name === 'class-kd')!
  const stored = arm.runs.map((run) => evaluationOn(run, 'test')!.metrics.evaluation.coco)
  const { values } = summary.arms.find(({ name }) => name === 'class-kd')!.splits.test!
  for (const metric of ['AP', 'APsmall', 'APmedium'] as const) {
    const mean = (stored[0]![metric]! + stored[1]![metric]!) / 2
    assert.ok(Math.abs(values[metric]!.value - mean) < 1e-9, metric)
  }
  assert.ok(values.mAP75!.value < values.mAP50!.value)
})

test('all sections are there, except those that a run has no data for', () => {
  assert.deepEqual(sectionIds(model), [
    'results',
    'classes',
    'methods',
    'ablations',
    'selection',
    'model-card',
    'cost',
    'published',
    'limits',
    'settings',
    'provenance',
  ])
  const arms = input.arms.filter(({ name }) => name === 'teacher' || name === 'student')
  const partial = buildReport({ ...input, arms })
  assert.deepEqual(sectionIds(partial), [
    'results',
    'classes',
    'selection',
    'model-card',
    'cost',
    'published',
    'limits',
    'settings',
    'provenance',
  ])
  assert.match(partial.findings.verdict, /says nothing about distillation/)
  assert.doesNotMatch(renderMarkdown(partial), /NaN|undefined|null/)
})

test('every format shows the content of the data', () => {
  const rows = renderMarkdown(model).split('\n')
  assert.ok(rows.includes('| images | 12 | 5 |'))
  assert.ok(rows.includes('| car | 31 | – |'))
  assert.ok(rows.includes('| sign | 7 | – |'))
  assert.match(visible(renderHtml(model)), /Images and objects by class/)
  assert.match(renderMarkdown(model), new RegExp(input.data.hash))
})

test('a rerun gives the same report', () => {
  assert.equal(renderMarkdown(buildReport(input)), renderMarkdown(model))
})

test('the page is one file, escapes what it is given, and holds its figures as JSON', () => {
  const name = '<img src=x onerror=alert(1)> & "quotes"'
  const page = renderHtml(buildReport({ ...input, data: { ...input.data, name } }))
  const text = visible(page)
  assert.ok(!text.includes('<img'))
  assert.ok(text.includes('&lt;img src=x onerror=alert(1)&gt; &amp; &quot;quotes&quot;'))
  assert.doesNotMatch(text, /(src|href)="(?!#)|<link/)
  assert.doesNotMatch(text, /NaN|undefined|\[object/)
  const figures = [...page.matchAll(/<script type="application\/json">(.*?)<\/script>/g)].map(
    ([, json]) => json!,
  )
  assert.ok(figures.length >= 20)
  assert.equal([...page.matchAll(/<h3>[^<]+<\/h3>/g)].length, figures.length)
  for (const json of figures) {
    const { data, layout } = JSON.parse(json)
    assert.ok(data.length > 0 && layout.height > 0 && layout.title === undefined)
    assert.ok(!json.includes('<'))
  }
  // Plotly, the drawing code and the figures: no script ends before its end.
  assert.equal([...page.matchAll(/<script/g)].length >= figures.length + 2, true)
  assert.equal([...page.matchAll(/<\/script>/g)].length, figures.length + 2)
})

test('the files agree with each other', () => {
  const out = join(folder, 'report')
  const { page } = writeReport(out, model)
  assert.equal(page, join(out, 'index.html'))
  const read = (file: string) => readFileSync(join(out, file), 'utf8')
  const json = JSON.parse(read(REPORT_FILES.metrics))
  const lines = read(REPORT_FILES.table).trimEnd().split('\r\n')
  assert.equal(lines.length - 1, json.trials.length)
  // 2 fixed models and 8 trained ones with 2 seeds on 2 splits, and 7 ablations.
  assert.equal(json.trials.length, 2 * 2 + 8 * 2 * 2 + 7)
  const columns = lines[0]!.split(',')
  const row = lines.find((line) => line.startsWith('objectness-mse,method,distill'))!.split(',')
  const cell = (column: string) => row[columns.indexOf(column)]!
  const trial = json.trials.find((one: { metrics: { hash: string } }) => one.metrics.hash === cell('hash'))
  assert.equal(Number(cell('mAP50')), trial.metrics.evaluation.voc.mAP)
  assert.equal(Number(cell('lower')), trial.mAP50.lower)
  assert.equal(Number(cell('COCO AP')), trial.metrics.evaluation.coco.AP)
  assert.equal(Number(cell('macs')), 63_400_000)
  assert.equal(cell('methods'), 'objectness-mse')
  const markdown = read(REPORT_FILES.markdown)
  assert.match(markdown, /\| teacher \| 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] \|/)
  assert.doesNotMatch(markdown, /NaN|undefined|\[object/)
})

test('models that were measured on other images are refused', () => {
  const other = syntheticStudy(join(folder, 'other'), { images: 59, test: false })
  const arms = [input.arms[0]!, other.arms[2]!]
  assert.throws(
    () => buildReport({ ...input, arms }),
    /expected detections on the images of .*, found other images/,
  )
})

test('changes to the profile that a profile extends are among the settings', () => {
  assert.doesNotMatch(renderMarkdown(model), /Changed of the profile/)
  const changes = [{ key: 'stages.distill.steps', from: 600, to: 7 }]
  const text = renderMarkdown(buildReport({ ...input, changes }))
  assert.match(text, /Changes to the profile that it extends/)
  assert.match(text, /\| stages\.distill\.steps \| 600 \| 7 \|/)
})

test('what failed is shown as failed, with its reason, wherever the others stand', () => {
  const diverged: TrialFailure = {
    ...{
      format: 'trial-failure/1',
      kind: 'diverged',
      hash: 'f'.repeat(64),
      message: 'it diverged',
      provenance: {},
    },
    ...{ step: 9, what: 'box is NaN', values: { box: 'NaN' }, checkpoint: 6, advice: 'lower the rate' },
    grown: [{ term: 'box', since: 7, from: { step: 1, value: 2 }, to: { step: 8, value: 90 }, factor: 45 }],
  }
  const killed: TrialFailure = {
    ...{
      format: 'trial-failure/1',
      kind: 'error',
      hash: 'e'.repeat(64),
      message: 'out of memory\nat once',
      provenance: {},
    },
  }
  const arms = input.arms.map((arm): Arm => {
    const failed = (seed: number, failure: TrialFailure) => ({ seed, failure })
    if (arm.name === 'output-kd')
      return { ...arm, runs: [], failed: [failed(1, diverged), failed(2, diverged)] }
    if (arm.name === 'objectness-mse')
      return { ...arm, runs: arm.runs.slice(0, 1), failed: [failed(2, killed)] }
    if (arm.name === 'class-kd, lambda 3') return { ...arm, runs: [], failed: [failed(1, killed)] }
    return arm
  })
  const report = buildReport({ ...input, arms })
  const { summary: numbers, findings } = report
  assert.deepEqual(
    numbers.failed.map(({ name, failed }) => [name, failed.length]),
    [
      ['output-kd', 2],
      ['class-kd, lambda 3', 1],
    ],
  )
  assert.match(findings.verdict, /objectness-mse, differs by .*; of 2 training seeds one is left/)
  assert.match(
    findings.details[0]!,
    /^4 trials failed: objectness-mse, seed 2 \(out of memory\); output-kd, seed 1 /,
  )
  const find = (rows: readonly TableRow[], name: string) => rows.find(({ model }) => model === name)!
  assert.equal(
    find(accuracyTable(numbers), 'output-kd')['validation mAP@0.5 [interval]'],
    'failed: diverged at step 9: box is NaN',
  )
  assert.equal(find(accuracyTable(numbers), 'output-kd').seeds, 'none of 2')
  assert.equal(find(accuracyTable(numbers), 'objectness-mse').seeds, '1 (of 2)')
  const differences = differenceTable(numbers, 'test', 'control')
  assert.equal(find(differences, 'objectness-mse').seeds, '1 of 2')
  assert.equal(find(differences, 'objectness-mse').verdict, 'not shown: 1 seed, at least 2 needed')
  assert.equal(find(differences, 'output-kd')['mAP@0.5, points'], 'failed: diverged at step 9: box is NaN')
  assert.equal(find(differences, 'class-kd').seeds, '')
  assert.match(verdictSentence(numbers.arms, 'objectness-mse', 'control', 'test'), /, 1 of 2 training seeds$/)
  const [row] = failuresTable(numbers).filter(({ model }) => model === 'output-kd')
  assert.deepEqual(row, {
    ...{ model: 'output-kd', seed: 1, 'what happened': 'diverged at step 9: box is NaN' },
    ...{ 'what grew before': 'box 45 times from step 1 to 8', 'last good checkpoint': 'step 6' },
    'what to change': 'lower the rate',
  })
  const titles = (figures: { readonly data: readonly { readonly name?: unknown }[] }) =>
    figures.data.map(({ name }) => name)
  assert.ok(titles(computeFigure(numbers.arms, numbers)).includes('output-kd (failed)'))
  const marks = methodsFigure(numbers.arms, numbers).layout.annotations as { y: string; text: string }[]
  assert.deepEqual(
    marks.map(({ y, text }) => [y, text]),
    [['output-kd', 'failed: diverged at step 9: box is NaN']],
  )
  assert.ok(sectionIds(report).includes('failed'))
  for (const form of [renderMarkdown(report), visible(renderHtml(report))]) {
    assert.match(form, /What failed/)
    assert.match(form, /failed: out of memory/) // the point of the ablation
    assert.doesNotMatch(form, /undefined|\[object/)
  }

  // Without the control there is nothing to compare with, and that is said too.
  const without = arms.map((arm) =>
    arm.name === 'control' ? { ...arm, runs: [], failed: [{ failure: killed }] } : arm,
  )
  const alone = buildReport({ ...input, arms: without })
  assert.match(alone.findings.verdict, /says nothing about distillation/)
  assert.equal(
    find(differenceTable(alone.summary, 'test', 'control'), 'class-kd')['mAP@0.5, points'],
    'control failed: out of memory',
  )
})
