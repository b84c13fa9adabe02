/** The benchmark of a study's own models, if one was made. */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Study } from '../../study'
import { loadModel, modelFile } from '../../trial'
import { type Benchmark, readBenchmark, shippedBenchmark } from './result'

/** The measured files of a study's models, where there are any, and how they are measured. */
export interface StudyBenchmark {
  /** Of the study's teacher, and of a student. */
  readonly measured?: Benchmark
  /** Makes it. */
  readonly command: string
}

const ROOT = join(__dirname, '../../..')

/**
 * The benchmark in the study's folder, else the one that comes with the workbook where it is of this teacher and this student;
 * and the command that makes one.
 */
export function benchmarkOf({ plan, runs, settings, profile }: Study): StudyBenchmark {
  const out = join(settings.out, 'benchmark')
  const own = join(out, 'benchmark.json')
  const [teacher, student] = [plan.teacher, plan.student].map((ref) =>
    modelFile(ref, runs) ? loadModel(ref, runs).sha256 : undefined,
  )
  const isOf = (found: Benchmark | undefined, hash: string | undefined) =>
    found?.models.some(({ sha256 }) => sha256 === hash) ?? false
  const found = existsSync(own) ? readBenchmark(own) : undefined
  const shipped = shippedBenchmark()
  const measured =
    found && isOf(found, teacher)
      ? found
      : isOf(shipped, teacher) && isOf(shipped, student)
        ? shipped
        : undefined
  const words = [
    ...[plan.teacher, plan.student].map((ref) => relative(ROOT, modelFile(ref, runs) ?? 'MODEL.json')),
    ...(settings.data === undefined ? ['--profile', profile.name] : ['--data', settings.data]),
    ...['--out', relative(ROOT, out)],
  ]
  return { ...(measured && { measured }), command: `npx workbook benchmark ${words.join(' ')}` }
}
