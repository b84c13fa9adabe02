import Table from 'cli-table3'
import { complexity, layerMacs, layerParameters } from './complexity'
import { layersOf, type WeightedLayer } from './layers'
import { sketchNetwork } from './sketch'
import type { NetworkSpec, Part } from './spec'

const PARTS: readonly Part[] = ['backbone', 'neck', 'head']
const grouped = (value: number) => value.toLocaleString('en-US')

/** Giga, three decimals: the teacher's 8,453,406,720 MACs are 8.453 G. */
export const inGiga = (value: number) => `${(value / 1e9).toFixed(3)} G`

/** What a layer is beside a convolution with batch norm: "deconv", "linear", "in 2 groups". */
function remarks({ kind, groups, batchNorm }: WeightedLayer): string {
  const said = [
    kind === 'deconvolution' && 'deconv',
    !batchNorm && 'linear',
    groups > 1 && `in ${groups} groups`,
  ]
  return said
    .filter(Boolean)
    .map((remark) => ` ${remark}`)
    .join('')
}

const shape = ([height, width]: WeightedLayer['inputSize'], channels: number) =>
  `${height}x${width}x${channels}`

/**
 * A network for the terminal: a drawing (`sketchNetwork`); a table of every layer with weights (kernel/stride, shapes as
 * height x width x channels, multiply-accumulates, parameters) with totals by part; both counts of complexity by their names.
 */
export function summary(network: NetworkSpec): string {
  const { layers } = layersOf(network)
  const { macs, macsByPart, parameters, mmdet } = complexity(network)
  const table = new Table({
    head: ['layer', 'kernel', 'input', 'output', 'MACs', 'parameters'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  })
  for (const part of PARTS) {
    const own = layers.filter((layer) => layer.part === part)
    for (const layer of own) {
      const { name, kernel, stride } = layer
      table.push([
        name,
        `${kernel}x${kernel}${stride > 1 ? `/${stride}` : ''}${remarks(layer)}`,
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
    sketchNetwork(network),
    '',
    table.toString(),
    `MACs (multiply-accumulates of all convolutions; one MAC is two FLOPs): ${grouped(macs)} = ${inGiga(macs)}`,
    `by mmdetection's rules (with biases, batch norm, activations and pools; published as "FLOPs"): ` +
      `${grouped(mmdet)} = ${inGiga(mmdet)}`,
    `parameters: ${grouped(parameters)}`,
  ].join('\n')
}
