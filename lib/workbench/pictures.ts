import { escapeHtml } from '../base/escape'
import { showHtml } from './display'

/** A picture of a gallery. */
export interface Picture {
  /** The text of an SVG. */
  readonly svg: string
  readonly caption?: string
}

/** Shows pictures side by side, `columns` in a row. */
export function showGallery(pictures: readonly Picture[], { columns = 3 } = {}): void {
  const figures = pictures.map(({ svg, caption = '' }) => {
    // As an image, not inline: unexecuted notebooks show images, but no drawings.
    const source = `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`
    return (
      `<figure style="margin:0"><img style="width:100%" alt="${escapeHtml(caption || 'picture')}" src="${source}"/>` +
      `<figcaption style="font-size:85%">${escapeHtml(caption)}</figcaption></figure>`
    )
  })
  const style = `display:grid;grid-template-columns:repeat(${columns},1fr);gap:0.6em`
  const captions = pictures.map(({ caption }) => `[${caption ?? 'picture'}]`).join(' ')
  showHtml(`<div style="${style}">${figures.join('')}</div>`, captions)
}
