/** The report's sections about what a run was made with, and what it cost. */
import { headsOf, layersOf } from '../detector'
import { type Profile, stageSteps } from '../study'
import { details, list, type Section, section, table, text } from './document'
import { describeLatency, duration, percent, significant } from './format'
import { isStudy, type OwnModel, type ReportInput, type Summary } from './summary'
import { costTable, dataTable, provenanceTable, sizeTable } from './tables'

/** Of using the models, and of training them. */
export function cost(summary: Summary): Section {
  const trained = summary.trials.flatMap(({ trial }) => trial.metrics.training ?? [])
  const seconds = trained.reduce((sum, training) => sum + training.seconds, 0)
  const rows = [...new Map(costTable(summary).map((row) => [`${row.trial} ${row.seed}`, row])).values()]
  return section('cost', 'Cost', [
    table('Using a model', sizeTable(summary)),
    text(
      'One multiply-accumulate (MAC) is two floating-point operations; the mmdet count also includes biases, batch norm, ' +
        'activations and poolings, and is what published tables call FLOPs.' +
        (summary.latency ? ` Milliseconds: ${describeLatency(summary.latency)}.` : ''),
    ),
    table('Training', rows),
    rows.length > 0 &&
      text(
        `${duration(seconds)} of training in all, counted trial by trial; trials that ran side by side took less time together. MACs count a backward pass as two forward passes and include the teacher’s forward passes. Peak memory is that of the process.` +
          (summary.trials.some(({ role }) => role === 'preparation')
            ? ''
            : ` ${withoutPreparation(summary)}`),
      ),
  ])
}

/** Why the table has no training of teacher and student. */
function withoutPreparation({ models }: Summary): string {
  const whose = models?.shipped === false ? 'were given' : 'are shipped with the workbook'
  return `Teacher and student ${whose}; this run does not include the cost of their training.`
}

/** A network of the user's own in one line. */
function describeGiven({ name, trained, network }: OwnModel): string {
  const { input, strides, classes, anchors } = headsOf(network)
  const kinds = strides.map((stride, head) => {
    const sizes = anchors[head]!.map((size) => size.join(' × ')).join(', ')
    return `stride ${stride} with anchors ${sizes}`
  })
  return (
    `${name}, of your own${trained ? '' : ', with new weights that were trained first'}: ${layersOf(network).layers.length} layers ` +
    `with weights, input ${input[1]} × ${input[0]} pixels, ${classes} classes; ${kinds.join('; ')}`
  )
}

/** The profile's settings. */
export function settings(input: ReportInput, { profile, data, arms }: Summary): Section {
  const { changes = [] } = input
  const { recipe, stages, detector } = profile
  const given = input.models?.given ?? {}
  const seeds = new Set(arms.flatMap(({ splits: { validation, test } }) => (validation ?? test)?.seeds ?? []))
  const { teacher, sparse, finetune, distill } = stageSteps(profile, data.ownData)
  const entries: [string, string][] = [
    given.teacher
      ? ['teacher', describeGiven(given.teacher)]
      : [
          'input',
          `${detector.input[1]} × ${detector.input[0]} pixels, width ${significant(detector.width)} of the published`,
        ],
    ...(given.student ? [['student', describeGiven(given.student)] as [string, string]] : []),
    ['batch', String(recipe.batch)],
    [
      'ground-truth loss',
      Object.entries(recipe.loss)
        .map(([name, value]) => `${name} ${value}`)
        .join(', '),
    ],
    [
      'optimiser',
      `SGD: ${Object.entries(recipe.sgd)
        .map(([name, value]) => `${name} ${value}`)
        .join(', ')}; ${recipe.schedule}`,
    ],
    [
      'steps of teacher, sparse, fine-tuned, distilled',
      [teacher, sparse, finetune, ...(isStudy(input) ? [distill] : ['by arm'])].join(', '),
    ],
    [
      'pruning',
      given.student
        ? 'none: the student was given'
        : `to ${pruningBudget(stages.prune)}; floor ${stages.prune.floor}, cap ${stages.prune.cap}, multiples of ${stages.prune.multiple}, shared masks by ${stages.prune.shared}${pruningPlaces(stages.prune)}`,
    ],
    ['seeds', [...seeds].join(', ') || 'none'],
  ]
  return section('settings', 'Settings', [
    table(
      `Profile ${profile.name}`,
      entries.map(([setting, value]) => ({ setting, value })),
    ),
    changes.length > 0 &&
      table(
        'Changes to the profile that it extends',
        changes.map(({ key, from, to }) => ({ key, before: valueText(from), now: valueText(to) })),
      ),
    text('For the rest, see the profile’s file and every trial’s config.json.'),
  ])
}

function pruningBudget({ macs, parameters, milliseconds }: Profile['stages']['prune']): string {
  if (macs !== undefined) return `${percent(macs)} of the MACs`
  return parameters === undefined
    ? `${milliseconds} milliseconds a call`
    : `${percent(parameters)} of the parameters`
}

function pruningPlaces({ prunable, blocks }: Profile['stages']['prune']): string {
  const layers =
    prunable === undefined ? '' : `; layers: ${Array.isArray(prunable) ? prunable.join(', ') : prunable}`
  return `${layers}${blocks === undefined ? '' : `; ${blocks} residual blocks taken out first`}`
}

/** A value of a profile as a user would write it. */
const valueText = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value))

/** Machine, versions, hashes, data. */
export function origin(summary: Summary): Section {
  const { trials, data } = summary
  const keys = ['commit', 'tensorflow', 'node', 'device', 'threads'] as const
  const values = keys.map((key) => {
    const found = new Set(trials.map(({ trial }) => String(trial.metrics.provenance[key] ?? 'not recorded')))
    return { what: key as string, value: [...found].join('; ') }
  })
  return section('provenance', 'Provenance', [
    table('What the trials ran with', [...values, { what: 'data hash', value: data.hash }]),
    table('Images and objects by class', dataTable(summary)),
    (data.files || data.unseen) &&
      details('What became of every file of the data, and what the network does not see', [
        list(data.files ?? []),
        list(data.unseen ?? []),
      ]),
    details('Every trial', [table('Trials', provenanceTable(summary))]),
  ])
}
