/** Where a forward pass spends its time: a table of layers, with a row for every part of the network. */

import type { TableRow } from '../base'
import type { TimesByLayer } from '../deploy'
import { percent } from './format'

type Times = { readonly macs: number; readonly milliseconds: number }

const sumOf = (times: readonly (Times | undefined)[]): Times => ({
  macs: times.reduce((sum, one) => sum + (one?.macs ?? 0), 0),
  milliseconds: times.reduce((sum, one) => sum + (one?.milliseconds ?? 0), 0),
})

/** "stage1" of "stage1/block1/expand"; Darknet's layers, which have no such names, are a part each. */
const partOf = (name: string): string => name.split('/')[0]!

/**
 * Every layer of a teacher and a student with what the student has left of its operations and of its time; parts and the whole in
 * rows of their own. `starting` is what a call takes beside its layers.
 *
 * @param times of two models, the teacher first
 */
export function layerTable({ layers, calls }: TimesByLayer): TableRow[] {
  const row = (
    name: string,
    channels: string,
    [teacher, student]: readonly (Times | undefined)[],
  ): TableRow => ({
    layer: name,
    channels,
    'MACs left': teacher?.macs ? percent((student?.macs ?? 0) / teacher.macs) : '–',
    'teacher, ms': teacher ? teacher.milliseconds.toFixed(3) : '–',
    'student, ms': student ? student.milliseconds.toFixed(3) : '–',
    'time left': teacher?.milliseconds ? percent((student?.milliseconds ?? 0) / teacher.milliseconds) : '–',
  })
  const total = (name: string, own: TimesByLayer['layers']): TableRow =>
    row(
      name,
      '',
      [0, 1].map((i) => sumOf(own.map(({ models }) => models[i]))),
    )
  const parts = [...new Set(layers.map(({ name }) => partOf(name)))]
  const rows = parts.flatMap((part) => {
    const own = layers.filter(({ name }) => partOf(name) === part)
    const single = own.map(({ name, models }) =>
      row(name, models.map((model) => model?.channels ?? '–').join(' → '), models),
    )
    return own.length > 1 ? [...single, total(`${part}, all`, own)] : single
  })
  const whole = [0, 1].map((i) => sumOf(layers.map(({ models }) => models[i])))
  const starting = calls.map((call, i) => ({
    macs: 0,
    milliseconds: Math.max(0, call - whole[i]!.milliseconds),
  }))
  return [...rows, total('all layers', layers), row('starting them', '', starting)]
}
