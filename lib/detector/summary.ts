import Table from 'cli-table3'
import { complexity, layerMacs, layerParameters } from './complexity'
import { type Layer, layersOf } from './layers'
import type { Part } from './operations'
import { sketchNetwork } from './sketch'
import type { DetectorConfig } from './types'

const PARTS: readonly Part[] = ['backbone', 'neck', 'head']
const grouped = (value: number) => value.toLocaleString('en-US')

/** Giga, three decimals: the teacher's 8,453,406,720 MACs are 8.453 G. */
export const inGiga = (value: number) => `${(value / 1e9).toFixed(3)} G`

const shape = ([height, width]: Layer['inputSize'], channels: number) => `${height}x${width}x${channels}`

/**
 * A detector for the terminal: a drawing (`sketchNetwork`); a table of every layer with weights (kernel/stride, shapes as
 * height x width x channels, multiply-accumulates, parameters) with totals by part; both counts of complexity by their names.
 */
export function summary(config: DetectorConfig): string {
  const { layers } = layersOf(config)
  const { macs, macsByPart, parameters, mmdet } = complexity(config)
  const table = new Table({
    head: ['layer', 'kernel', 'input', 'output', 'MACs', 'parameters'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  })
  for (const part of PARTS) {
    const own = layers.filter((layer) => layer.part === part)
    for (const layer of own) {
      const { name, kind, kernel, stride } = layer
      table.push([
        name,
        `${kernel}x${kernel}${stride > 1 ? `/${stride}` : ''}${kind === 'conv' ? '' : ` ${kind}`}`,
        shape(layer.inputSize, layer.in),
        shape(layer.outputSize, layer.out),
        grouped(layerMacs(layer)),
        grouped(layerParameters(layer)),
      ])
    }
    const parametersOfPart = own.reduce((sum, layer) => sum + layerParameters(layer), 0)
    const title = { colSpan: 4, content: `${part} (${own.length} layers)` }
    table.push([title, grouped(macsByPart[part]), grouped(parametersOfPart)])
  }
  table.push([{ colSpan: 4, content: `total (${layers.length} layers)` }, grouped(macs), grouped(parameters)])
  return [
    sketchNetwork(config),
    '',
    table.toString(),
    `MACs (multiply-accumulates of all convolutions; one MAC is two FLOPs): ${grouped(macs)} = ${inGiga(macs)}`,
    `by mmdetection's rules (with biases, batch norm, LeakyReLU and pools; published as "FLOPs"): ` +
      `${grouped(mmdet)} = ${inGiga(mmdet)}`,
    `parameters: ${grouped(parameters)}`,
  ].join('\n')
}
