/** What the project takes from others: its lock file, its pins, its table of reasons. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readDocument, recordOf } from '../../lib/base'
import { root } from '../../lib/workbench/project'

/** Licences under which a package may come; of two with OR one must be among them, of two with AND both. */
const LICENCES = new Set([
  ...['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'Python-2.0', 'Unlicense'],
  // Libraries that are linked as they come: libvips under sharp, ZeroMQ under the kernel.
  ...['LGPL-3.0-or-later', 'MPL-2.0'],
])

const packageSchema = z.object({
  version: z.string().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  license: z.string().optional(),
  link: z.boolean().optional(),
})
const lockSchema = z.object({ lockfileVersion: z.literal(3), packages: recordOf(packageSchema) })
const versions = recordOf(z.string()).default({})
const manifestSchema = z.object({ dependencies: versions, devDependencies: versions })

/** Every npm package of the lock file by its place, this project's own left out. */
function lockedPackages() {
  const { packages } = readDocument(join(root, 'package-lock.json'), lockSchema)
  return Object.entries(packages).filter(([place, { link }]) => place.startsWith('node_modules/') && !link)
}

/** Packages of the lock file without a SHA-512 of their archive, or with the name of a host. */
export function unsealedPackages(): string[] {
  return lockedPackages().flatMap(([place, { integrity, resolved }]) =>
    /^sha512-[\w+/]{86}==$/.test(integrity ?? '') && resolved === undefined ? [] : [place],
  )
}

/** Packages of the lock file under another licence than those that are allowed. */
export function otherLicences(): string[] {
  return lockedPackages().flatMap(([place, { license = BY_FILE.get(place) ?? 'none' }]) =>
    isAllowed(license) ? [] : [`${place}: ${license}`],
  )
}

/** Packages that say their licence in a file of text alone. */
const BY_FILE = new Map([['node_modules/typed-function', 'MIT']])

function isAllowed(expression: string): boolean {
  const plain = expression.replace(/[()]/g, '')
  const choices = plain.split(' OR ')
  return choices.some((choice) => choice.split(' AND ').every((licence) => LICENCES.has(licence.trim())))
}

/** A row of DEPENDENCIES.md. */
export interface Dependency {
  readonly name: string
  readonly version: string
  readonly licence: string
  readonly reason: string
}

/** The rows of DEPENDENCIES.md. */
export function describedDependencies(): Dependency[] {
  return readFileSync(join(root, 'DEPENDENCIES.md'), 'utf8')
    .split('\n')
    .filter((line) => /^\| (?!package \|)/.test(line))
    .map((line) => {
      const [name = '', version = '', licence = '', reason = ''] = line.slice(2, -2).split(' | ')
      return { name, version, licence, reason }
    })
}

/** The lists of Python packages: the project's own, the engine's, and that of the runtimes of exported files. */
const PYTHON_LISTS = [
  'environment.yml',
  'lib/workbench/snakemake/requirements.txt',
  'lib/deploy/runtimes/requirements.txt',
] as const

/** What package.json and the Python lists name, as "name version". */
export function namedDependencies(): string[] {
  const { dependencies, devDependencies } = readDocument(join(root, 'package.json'), manifestSchema)
  const python = PYTHON_LISTS.flatMap((place) =>
    pinsOf(readFileSync(join(root, place), 'utf8')).map(([name, version]) => `${name} ${version}`),
  )
  const npm = Object.entries({ ...dependencies, ...devDependencies }).map(
    ([name, version]) => `${name} ${version}`,
  )
  return [...npm, ...python]
}

/** Python packages of a list with their exact versions. */
function pinsOf(text: string): [name: string, version: string][] {
  return [...text.matchAll(/^\s*(?:- )?([\w.-]+)==([\w.]+)\s*(?:#.*)?$/gm)].map(
    ([, name = '', version = '']) => [name, version],
  )
}

/** Lines of the Python lists that name a package without an exact version. */
export function unpinnedPython(): string[] {
  const [environment, ...others] = PYTHON_LISTS.map((place) => readFileSync(join(root, place), 'utf8')) as [
    string,
    ...string[],
  ]
  const pip = environment.slice(environment.indexOf('- pip:') + '- pip:'.length)
  const isNeither = (line: string) => /^\s*(#.*)?$/.test(line)
  return [pip, ...others]
    .flatMap((text) => text.split('\n'))
    .filter((line) => !isNeither(line) && pinsOf(line).length === 0)
}

const auditSchema = z.object({
  metadata: z.object({
    vulnerabilities: z.object({ high: z.number(), critical: z.number(), total: z.number() }),
  }),
  vulnerabilities: recordOf(z.object({ name: z.string(), severity: z.string(), range: z.string() })),
})
export type Audit =
  | { readonly answered: false; readonly reason: string }
  | { readonly answered: true; readonly serious: readonly string[]; readonly total: number }

/** Known vulnerabilities of what is needed to run, if the registry answers that; not every mirror does. */
export function audit(): Audit {
  const { stdout, error } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
  })
  return error ? { answered: false, reason: error.message } : readAudit(stdout)
}

/** What `npm audit --json` says. */
export function readAudit(text: string): Audit {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    return { answered: false, reason: 'npm gave no JSON' }
  }
  const found = auditSchema.safeParse(answer)
  if (!found.success) {
    const said = z.object({ message: z.string() }).safeParse(answer)
    return { answered: false, reason: said.success ? withoutHosts(said.data.message) : 'npm gave no report' }
  }
  const { metadata, vulnerabilities } = found.data
  const serious = Object.values(vulnerabilities).filter(({ severity }) => /high|critical/.test(severity))
  return {
    answered: true,
    total: metadata.vulnerabilities.total,
    serious: serious.map(({ name, severity, range }) => `${name} ${range}: ${severity}`),
  }
}

const withoutHosts = (message: string) => message.replace(/https?:\/\/[^/\s]+/g, 'registry')
