/** A small data set, a profile and a sweep whose names try to act: on pages, tables, objects, terminals and paths. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { generateScenes } from '../lib/data'
import { root } from '../lib/workbench/project'

/** Names of classes, each of another kind. */
export const CLASS_NAMES = [
  '<img src=x onerror=alert(1)>',
  '__proto__',
  'a|b `c`',
  'line\nbreak',
  '=1+1 **bold**',
  '$x$ %{y} \\(z\\)',
  ']]> "quote\' <!--',
  'constructor',
  '</script><script>alert(2)</script>',
  '\u00a0',
  '\u001b[31mred\u202e',
  '',
]

/** Names of images, and of what is compared. */
const IMAGE_NAMES = ['__proto__', 'a<b>&"\'', 'x|y `z`', '=cmd()', '# 1. -', '%{n}$x$']
export const ARM_NAMES = ['<img src=x onerror=alert(3)>', '__proto__', 'a|b\nc `d` $x$', '=1+1', 'toString']

const PROFILE = 'own <img src=x onerror=alert(4)> | $x$ `y`'
const QUESTION = 'Is <script>alert(5)</script> | better\nthan **this** [one](javascript:alert(6))?'

export interface Hostile {
  readonly data: string
  readonly profile: string
  readonly sweep: string
}

/** Writes the data set (COCO; scenes whose classes are divided and renamed), the profile and the sweep. */
export async function writeHostile(folder: string): Promise<Hostile> {
  const scenes = await generateScenes(join(folder, 'scenes'), {
    splits: { train: 96, validation: 32, test: 32 },
    width: 128,
    height: 48,
  })
  const data = join(folder, 'data & "set" <i>')
  for (const [split, samples = []] of Object.entries(scenes.splits)) {
    const images = samples.map(({ file, width, height }, i) => {
      const name = `${IMAGE_NAMES[i] ?? i}.png`
      const to = join(data, 'images', split, name)
      mkdirSync(dirname(to), { recursive: true })
      renameSync(file, to)
      return { id: i + 1, file_name: name, width, height }
    })
    const annotations = samples.flatMap(({ boxes = [] }, i) =>
      boxes.map(({ x1, y1, x2, y2, label }, j) => ({
        image_id: i + 1,
        // Every other image has the second half of the names for the first classes.
        category_id: label < 4 && i % 2 === 1 ? label + 8 : label,
        bbox: [x1, y1, x2 - x1, y2 - y1],
        id: 1000 * (i + 1) + j,
      })),
    )
    const categories = CLASS_NAMES.map((name, id) => ({ id, name }))
    const file = join(data, 'annotations', `instances_${split}.json`)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, JSON.stringify({ images, annotations, categories }))
  }
  const profile = join(folder, 'own.yaml')
  writeFileSync(profile, profileText())
  const sweep = join(folder, 'names.yaml')
  writeFileSync(sweep, sweepText(profile))
  return { data, profile, sweep }
}

/** The smoke profile with fewer steps still: that everything is shown, not that anything is learnt. */
function profileText(): string {
  const smoke = readFileSync(join(root, 'lib/study/profiles/smoke.yaml'), 'utf8')
  return smoke
    .replace(/^name: smoke$/m, `name: ${JSON.stringify(PROFILE)}`)
    .replace(/^ownDataSteps:.*$/m, 'ownDataSteps: { teacher: 30, sparse: 6, finetune: 8, distill: 6 }')
    .replace(/^side: \{ steps: 10/m, 'side: { steps: 4')
    .replace(/resamples: 200/, 'resamples: 60')
}

function sweepText(profile: string): string {
  const [reference] = ARM_NAMES
  const arms = ARM_NAMES.map((name, i) => ({
    name,
    steps: 4,
    rate: 0.01,
    ...(i % 2 === 1 && { terms: [{ method: 'class-kd', weight: { ratio: 0.3 } }] }),
  }))
  // JSON is YAML.
  return JSON.stringify(
    {
      name: basename('names.yaml', '.yaml'),
      question: QUESTION,
      profile,
      seeds: [1],
      references: [reference],
      arms,
    },
    null,
    1,
  )
}
