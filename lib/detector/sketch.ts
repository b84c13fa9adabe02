import type { Layer } from './layers'
import { outlineOf } from './outline'
import type { DetectorConfig } from './types'

const shape = ({ outputSize: [height, width], out }: Layer) => `${height}x${width}x${out}`

/**
 * The network as lines of text: stages from top to bottom, neck and heads to the right of the stages that they take,
 * shapes as height x width x channels.
 */
export function sketchNetwork(config: DetectorConfig): string {
  const { stages, scales } = outlineOf(config)
  const [height, width] = config.input
  const rows = stages.map(({ title, layer, detail }) => [title, shape(layer), detail])
  const columns = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  const backbone = rows.map((row) => row.map((cell, column) => cell.padEnd(columns[column]!)).join('  '))
  const detects = scales.map(
    ({ detect }, i) => `detect${i + 1} ${shape(detect)}${i === 0 && config.spp ? ' with SPP' : ''}`,
  )
  const widest = Math.max(...detects.map((text) => text.length))
  const way = config.upsample === 'deconv' ? 'deconv 2×2 /2' : 'nearest ×2'

  const lines = [`image ${height}x${width}x3`]
  backbone.forEach((text, row) => {
    const i = stages.length - 1 - row
    const scale = scales[i]
    if (!scale) {
      lines.push(text.trimEnd())
      return
    }
    const joined = scale.route ? '─▶ concat ─▶ ' : '───────────▶ '
    lines.push(`${text} ${joined}${detects[i]!.padEnd(widest)} ─▶ head ${shape(scale.output)}`)
    if (scale.route) {
      lines.push(`${' '.repeat(text.length + 6)}▲ 1×1 to ${scale.route.out}, ${way}, of detect${i}`)
    }
  })
  return lines.join('\n')
}
