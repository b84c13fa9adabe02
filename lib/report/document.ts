/** A report as data, independent of its output formats. */
import type { TableRow } from '../base'
import type { Exhibit } from '../evaluate'
import type { Figure } from './figures'

/** A part of a section. */
export type Block =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | { readonly kind: 'table'; readonly caption: string; readonly rows: readonly TableRow[] }
  | { readonly kind: 'figure'; readonly caption: string; readonly figure: Figure }
  /** Images with what truth and models say of them. */
  | {
      readonly kind: 'exhibits'
      readonly caption: string
      readonly models: readonly string[]
      readonly exhibits: readonly Exhibit[]
    }
  /** Collapsed until opened, if the format supports it. */
  | { readonly kind: 'details'; readonly summary: string; readonly blocks: readonly Block[] }

/** A section of a report. */
export interface Section {
  /** Anchor within the page. */
  readonly id: string
  readonly title: string
  readonly blocks: readonly Block[]
}

export const text = (content: string): Block => ({ kind: 'text', text: content })
export const list = (items: readonly string[]): Block => ({ kind: 'list', items })
export const table = (caption: string, rows: readonly TableRow[]): Block => ({ kind: 'table', caption, rows })
export const figure = (caption: string, drawn: Figure): Block => ({ kind: 'figure', caption, figure: drawn })
export const details = (summary: string, blocks: readonly Block[]): Block => ({
  kind: 'details',
  summary,
  blocks,
})

/** A section with its non-empty blocks; without any if only prose is left. */
export function section(id: string, title: string, blocks: readonly (Block | false | undefined)[]): Section {
  const shown = present(blocks)
  // Prose alone would refer to tables and figures that this run does not have.
  return { id, title, blocks: shown.every(({ kind }) => kind === 'text') ? [] : shown }
}

/** The non-empty blocks. */
function present(blocks: readonly (Block | false | undefined)[]): Block[] {
  return blocks.flatMap((block): Block[] => {
    if (!block || (block.kind === 'table' && block.rows.length === 0)) return []
    if (block.kind === 'list' && block.items.length === 0) return []
    if (block.kind === 'figure' && block.figure.data.length === 0) return []
    if (block.kind === 'exhibits' && block.exhibits.length === 0) return []
    if (block.kind !== 'details') return [block]
    const inner = present(block.blocks)
    return inner.length === 0 ? [] : [{ ...block, blocks: inner }]
  })
}
