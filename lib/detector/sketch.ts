import { outlineOf, type Scale } from './outline'
import type { Shape } from './shapes'
import type { NetworkSpec } from './spec'

const shape = ({ height, width, channels }: Shape) => `${height}x${width}x${channels}`

/**
 * The network as lines of text: stages from top to bottom, neck and heads to the right of the stages of their size, shapes as
 * height x width x channels.
 */
export function sketchNetwork(network: NetworkSpec): string {
  const { stages, scales } = outlineOf(network)
  const rows = stages.map(({ title, shape: map, detail }) => [title, shape(map), detail])
  const columns = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)))
  const backbone = rows.map((row) => row.map((cell, column) => cell.padEnd(columns[column]!)).join('  '))
  const detect = ({ title, feature, pools }: Scale) =>
    `${title} ${shape(feature)}${pools.length > 0 ? ' with SPP' : ''}`
  const widest = Math.max(...scales.map((scale) => detect(scale).length))
  const strides = [
    ...new Set([...stages.map((stage) => stage.shape.stride), ...scales.map((scale) => scale.logits.stride)]),
  ]

  const [height, width] = network.input
  const lines = [`image ${height}x${width}x${network.channels}`]
  for (const stride of strides.sort((a, b) => a - b)) {
    const stage = stages.findIndex(({ shape: map }) => map.stride === stride)
    const text = backbone[stage] ?? ' '.repeat(columns.reduce((sum, column) => sum + column, 4))
    const own = scales.filter(({ logits }) => logits.stride === stride)
    if (own.length === 0) lines.push(text.trimEnd())
    own.forEach((scale, i) => {
      const before = i === 0 ? text : ' '.repeat(text.length)
      const joined = scale.isJoined ? '─▶ concat ─▶ ' : '───────────▶ '
      lines.push(`${before} ${joined}${detect(scale).padEnd(widest)} ─▶ head ${shape(scale.logits)}`)
      if (scale.link) lines.push(`${' '.repeat(text.length + 6)}▲ ${scale.link.text}, of ${scale.link.of}`)
    })
  }
  return lines.join('\n')
}
