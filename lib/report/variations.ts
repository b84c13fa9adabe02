/** Arms that vary a method. */
import { PUBLISHED } from '../losses'
import type { Arm, ArmNumbers, ArmRun, Variation } from '../study'
import type { Term } from '../trial'

/** The order in which variations are listed. */
export function byMethodAndValue({ variation: a }: ArmNumbers, { variation: b }: ArmNumbers): number {
  return a!.method.localeCompare(b!.method) || a!.varied.localeCompare(b!.varied) || a!.value - b!.value
}

/** The arms that vary a method, and the methods' own settings as further points, with the same seed. */
export function withOwnSettings(arms: readonly Arm[], all: readonly Arm[]): Arm[] {
  const varied = all.filter(({ variation }) => variation)
  const own = new Map<string, Arm>()
  for (const { variation, runs } of varied) {
    const { method, varied: what } = variation!
    const arm = arms.find(({ name }) => name === method)
    const run = arm?.runs.find(({ seed }) => seed === runs[0]?.seed)
    const value = run && ownValue(run, what)
    if (!run || value === undefined) continue
    const name = `${method}, its own ${what}`
    own.set(name, {
      role: 'method',
      name,
      runs: [run],
      variation: { method, varied: what, value, own: true },
    })
  }
  return [...own.values(), ...varied]
}

function ownValue({ training }: ArmRun, varied: Variation['varied']): number | undefined {
  if (training?.config.kind !== 'distill') return undefined
  const [term] = training.config.terms
  return varied === 'lambda' || !term ? 1 : settingOf(term, varied)
}

/** A term's threshold or temperature, whether it says so or its method's default does; undefined without one. */
export function settingOf(term: Term, varied: Exclude<Variation['varied'], 'lambda'>): number | undefined {
  const published: Readonly<Record<'weight', number> & Partial<Record<typeof varied, number>>> =
    PUBLISHED[term.method]
  return term[varied] ?? published[varied]
}
