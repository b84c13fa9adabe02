import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { runCommand } from '../../lib/workbench/commands/run'
import commands from '../../lib/workbench/commands.json'
import { root } from '../../lib/workbench/project'

const folder = mkdtempSync(path.join(tmpdir(), 'cli-test-'))
after(() => rmSync(folder, { recursive: true }))

interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts the real program. */
function workbook(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const program = path.join(root, 'lib/workbench/bootstrap.cjs')
  const child = spawn(process.execPath, [program, ...words], { cwd: folder, env: { ...process.env, ...env } })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, stdout, stderr }))
  })
}
const STACK = /^\s+at .+:\d+:\d+\)?$/m

/** A process that has loaded TensorFlow says so in this file. */
const loaded = path.join(folder, 'loaded')
const probe = path.join(folder, 'probe.cjs')
writeFileSync(
  probe,
  `process.on('exit', () => {
  const names = Object.keys(require.cache).filter((name) => name.includes('/@tensorflow/'))
  if (names.length > 0) require('node:fs').appendFileSync(${JSON.stringify(loaded)}, names[0] + '\\n')
})`,
)
const NODE_OPTIONS = `--require ${probe}`

test('no words, --help and -h list all but the hidden commands, and load none', async () => {
  const [first, ...others] = await Promise.all(
    [[], ['--help'], ['-h'], ['help']].map((words) => workbook(words, { NODE_OPTIONS })),
  )
  assert.ok(first)
  for (const outcome of others) assert.deepEqual(outcome, first)
  assert.deepEqual({ ...first, stdout: '' }, { status: 0, stdout: '', stderr: '' })
  const listed = [...first.stdout.matchAll(/^ {2}([a-z]+)(?: \[command\])? {2,}\S/gm)].map(([, name]) => name)
  const shown = Object.entries(commands).filter(([, entry]) => !('hidden' in entry && entry.hidden))
  assert.deepEqual(listed, [...shown.map(([name]) => name), 'help'])
  assert.equal(existsSync(loaded), false)
})

test('every command is in the list of commands.json, and has help that loads no TensorFlow', async () => {
  const names = readdirSync(path.join(root, 'lib/workbench/commands')).map((file) =>
    path.basename(file, '.ts'),
  )
  const own = Object.entries(commands).filter(([, entry]) => !('program' in entry))
  assert.deepEqual(names.sort(), own.map(([name]) => name).sort())
  for (const name of names) {
    const { status, stdout, stderr } = await workbook([name, '--help'], { NODE_OPTIONS })
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' }, name)
    assert.match(stdout, new RegExp(`^Usage: npx workbook ${name} `))
    assert.match(stdout, /--help/)
    assert.equal(existsSync(loaded), false, `${name} --help loads TensorFlow`)
  }
})

test('the probe of the tests above sees TensorFlow where it is loaded', async () => {
  writeFileSync(path.join(folder, 'none.json'), '{}')
  await workbook(['model', 'show', 'none.json'], { NODE_OPTIONS })
  assert.match(readFileSync(loaded, 'utf8'), /tensorflow/)
})

test('help <command> is the help of the command, and subcommands have theirs', async () => {
  const [asked, direct, below] = await Promise.all([
    workbook(['help', 'sweep']),
    workbook(['sweep', '--help']),
    workbook(['dataset', 'convert', '-h']),
  ])
  assert.deepEqual(asked, direct)
  assert.match(asked.stdout, /recovery,\s.*or a\s+YAML file/s)
  assert.equal(below.status, 0)
  assert.match(below.stdout, /^Usage: npx workbook dataset convert /)
})

test('commands with a program of their own have help as the others have', async () => {
  const names = Object.entries(commands).flatMap(([name, entry]) => ('program' in entry ? [name] : []))
  assert.ok(names.length >= 4)
  for (const name of names) {
    const [asked, direct] = await Promise.all([workbook(['help', name]), workbook([name, '--help'])])
    assert.deepEqual(asked, direct)
    assert.deepEqual({ status: direct.status, stderr: direct.stderr }, { status: 0, stderr: '' }, name)
    assert.match(direct.stdout, new RegExp(`^Usage: npx workbook ${name} `))
  }
})

test('--version is that of package.json', async () => {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }
  assert.deepEqual(await workbook(['--version']), { status: 0, stdout: `${version}\n`, stderr: '' })
})

const WRONG: readonly [words: string, message: RegExp][] = [
  ['runn', /^error: unknown command 'runn'\n\(Did you mean run\?\)\nAdd --help/],
  ['docter --help', /^error: unknown command 'docter'\n\(Did you mean doctor\?\)/],
  ['dataset chekc .', /^error: unknown command 'chekc'\n\(Did you mean check\?\)\nAdd --help/],
  ['run --profil smoke', /^error: unknown option '--profil'\n\(Did you mean --profile\?\)\nAdd --help/],
  ['setup --gpu', /^error: unknown option '--gpu'/],
  ['script --inspect mine.ts', /^error: unknown option '--inspect'/],
  ['doctor twice', /^error: too many arguments for 'doctor'\. Expected 0 arguments but got 1\./],
  ['sweep', /^error: missing required argument 'sweep'/],
  ['evaluate --truth none.json', /^error: required option '--detections <path>' not specified/],
  [
    'check --steps few',
    /^error: option '--steps <n>' argument 'few' is invalid\. expected a whole number above 0/,
  ],
  ['bench --parts x', /^error: .* 'x' is invalid\. Allowed choices are training, inference/m],
  ['cuda --formats float8', /^error: .* 'float8' is invalid\. Allowed choices are float32, TF32/],
  ['run --from here', /^\nfrom: expected student, teacher, scratch, found "here"\n$/],
  ['run --seeds one', /^\nseeds: expected whole numbers separated by commas, found "one"\n$/],
  ['run --seeds 1,,2', /^\nseeds: expected whole numbers separated by commas, found "1,,2"\n$/],
  ['run --seeds 1,2,1', /^\nseeds: expected every seed once, found \[1,2,1\]\n$/],
  ['run --seeds -1', /^\nseeds: at "\[0\]": expected a number of at least 0, found -1\n$/],
  [
    'run --seeds 9007199254740993',
    /^\nseeds: at "\[0\]": expected a number of at most 9007199254740991, found /,
  ],
  ['run --profile small', /^\nprofile small: expected one of default, .* or a \.yaml file, found neither\n$/],
  ['run --data nowhere', /^\n--data nowhere: expected a folder with a data set, found nothing\n$/],
  ['sweep mine', /^\nsweep mine: expected one of .*recovery.* or a \.yaml file, found neither\n$/],
  [
    'sweep mine.yaml',
    /^\nmine\.yaml: expected a file, found nothing|^\nsweep mine\.yaml: expected one of .* found neither\n$/,
  ],
  ['script mine.ts', /^\nscript: expected a file, found nothing at .*mine\.ts\n$/],
  [
    'test test/nothing.test.ts',
    /^\ntest: expected a test file or a folder of test\/, found nothing at .*\n$/,
  ],
  ['dataset check nowhere', /^\n.*\/nowhere: expected the folder of a data set, found nothing\n$/],
  ['evaluate --truth a.json --detections b.json', /^\na\.json: expected a file, found nothing\n$/],
  ['model show missing.json', /^\nmissing\.json: expected a file, found nothing\n$/],
  ['model import a.cfg b.weights c.json --classes d', /^\na\.cfg: expected a file, found nothing\n$/],
  [
    'detect none.json a.jpg',
    /^\na\.jpg: expected an image, a folder, a pattern or a video, found nothing\n$/,
  ],
  ['detect none.json', /^error: missing required argument 'source'/],
  [
    'detect a.json b --write all',
    /^error: .* 'all' is invalid\. expected some of pictures, page, coco, yolo, csv/,
  ],
  ['detect a.json b --crop 0,0,1', /^error: .* expected four fractions x1,y1,x2,y2/],
  ['detect a.json b --score 2', /^error: .* expected a number from 0 to 1/],
  ['page no.json no.json', /^\nno\.json: expected a file, found nothing\n$/],
  ['repro --compare nowhere', /^\n--compare nowhere: expected the folder of a run, found nothing\n$/],
  ['trial --config missing.json --out .', /^\nmissing\.json: expected a file, found nothing\n$/],
]
for (const [words, message] of WRONG) {
  test(`workbook ${words} is refused in a sentence`, async () => {
    const { status, stdout, stderr } = await workbook(words.split(' '))
    assert.match(stderr, message)
    assert.doesNotMatch(stderr, STACK)
    assert.deepEqual({ status, stdout }, { status: 1, stdout: '' })
  })
}

test('an error says where it comes from only with --debug', async () => {
  const words = ['model', 'show', 'missing.json']
  for (const debugged of [
    ['--debug', ...words],
    [...words, '--debug'],
  ]) {
    const { status, stderr } = await workbook(debugged)
    assert.equal(status, 1)
    assert.match(stderr, /missing\.json: expected a file, found nothing/)
    assert.match(stderr, STACK)
  }
})

test('a bug has no stack trace either, in a promise or a timer', async () => {
  for (const [how, code] of [
    ['thrown', "throw new TypeError('odd')"],
    ['in a timer', "setTimeout(() => { throw new TypeError('odd') })"],
    ['in a promise', "Promise.reject(new TypeError('odd'))"],
  ]) {
    // Loaded into the command's process, where it replaces what the command prints first.
    const file = path.join(folder, 'odd.cjs')
    writeFileSync(
      file,
      `if (process.argv[1]?.endsWith('cli.ts')) { const { log } = console; console.log = () => { console.log = log; ${code} } }`,
    )
    const odd = { NODE_OPTIONS: `--require ${file}` }
    const { status, stderr } = await workbook(['model', 'show', 'teacher'], odd)
    assert.equal(stderr, '\nTypeError: odd\n--debug shows where this comes from.\n', how)
    assert.equal(status, 1)
    assert.match((await workbook(['--debug', 'model', 'show', 'teacher'], odd)).stderr, STACK)
  }
})

/** The project as a fresh clone has it, without packages. */
function clone(): string {
  const place = mkdtempSync(path.join(folder, 'clone-'))
  for (const name of ['package.json', 'environment.yml', 'lib/workbench'])
    cpSync(path.join(root, name), path.join(place, name), { recursive: true })
  return place
}
const npx = (cwd: string, ...words: string[]): Outcome =>
  spawnSync('npx', ['workbook', ...words], {
    cwd,
    encoding: 'utf8',
    env: {
      ...process.env,
      npm_config_cache: path.join(folder, 'npm-cache'),
      npm_config_registry: 'http://127.0.0.1:9/', // nothing is fetched
    },
  })

test('npx starts the program in a fresh clone and below it, from the clone itself', () => {
  const place = clone()
  const { status, stdout } = npx(place)
  assert.equal(status, 0)
  assert.match(stdout, /^Usage: npx workbook <command>\n/)
  assert.match(stdout, /^ {2}run {9}run the whole study/m)
  assert.doesNotMatch(stdout, /^ {2}trial/m)
  assert.equal(npx(path.join(place, 'lib'), '--help').stdout, stdout)
  assert.match(npx(place, '--version').stdout, /^\d+\.\d+\.\d+\n$/)
  const wrong = npx(place, 'runn')
  assert.equal(wrong.status, 1)
  assert.match(wrong.stderr, /^error: unknown command 'runn'\nUsage/)
  assert.equal(existsSync(path.join(place, '.cache')), false)
})

test("an error of the set-up's own has no stack trace without --debug", () => {
  const place = clone()
  mkdirSync(path.join(place, 'node_modules/commander'), { recursive: true })
  writeFileSync(path.join(place, 'node_modules/.package-lock.json'), '{}')
  writeFileSync(path.join(place, 'package-lock.json'), '{ no JSON')
  const program = path.join(place, 'lib/workbench/bootstrap.cjs')
  const start = (...words: string[]) => spawnSync(process.execPath, [program, ...words], { encoding: 'utf8' })
  const { status, stdout, stderr } = start('doctor')
  assert.deepEqual({ status, stdout }, { status: 1, stdout: '' })
  assert.match(stderr, /^\nThe set-up failed: .*JSON.*\n--debug shows where this comes from\.\n$/)
  for (const words of [
    ['doctor', '--debug'],
    ['--debug', 'doctor'],
    ['--debug', 'setup'],
    ['setup', '--debug'],
  ])
    assert.match(start(...words).stderr, STACK)
})

test('run --from-scratch is short for --from scratch', () => {
  const from = (...words: string[]): unknown =>
    runCommand()
      .action(() => undefined)
      .parse(words, { from: 'user' })
      .opts().from
  assert.equal(from('--from-scratch'), 'scratch')
  assert.equal(from('--from', 'teacher'), 'teacher')
  assert.equal(from(), undefined)
})
