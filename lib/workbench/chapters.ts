/** The chapters of the workbook: their questions, and the answers and pictures of what has been run. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { readDocument, withoutMail, writeAtomically } from '../base'
import type { MimeBundle } from './display'
import { joined, type Notebook, readNotebook } from './notebook-file'
import { root } from './project'

/** The notebook of all chapters, which is none itself. */
export const INDEX = 'index'

/** All notebooks in order of their dependencies; the index comes last. */
export function allNotebooks(): string[] {
  const folder = path.join(root, 'notebooks')
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ipynb'))
    .sort()
    .map((file) => path.join(folder, file))
}

const pictureSchema = z.union([
  z.object({ figure: z.record(z.unknown()) }).strict(),
  /** A data URL. */
  z
    .object({ image: z.string().startsWith('data:image/') })
    .strict(),
])
type ChapterPicture = z.infer<typeof pictureSchema>

const chapterSchema = z
  .object({
    /** The notebook's file without its ending. */
    name: z.string(),
    title: z.string(),
    question: z.string(),
    /** Markdown, of a run. */
    answer: z.string().optional(),
    picture: pictureSchema.optional(),
  })
  .strict()
/** A chapter with its question, and the answer and the picture of a run. */
export type Chapter = z.infer<typeof chapterSchema>

const recordSchema = z.object({ chapters: z.array(chapterSchema) }).strict()

/** The file of a gallery's chapters. */
export const CHAPTERS_FILE = 'chapters.json'
/** The gallery that comes with the workbook. */
export const SHIPPED_GALLERY = path.join(root, 'data/gallery')

/**
 * A chapter from its notebook: the heading and the quoted question of its first cell; and of the executed one, if it is given,
 * what the cells with the tags `answer` and `picture` have shown.
 */
export function readChapter(notebook: string, executed?: string): Chapter {
  const name = path.basename(notebook, '.ipynb')
  const lines = joined(readNotebook(notebook).cells[0]?.source ?? '').split('\n')
  const after = (sign: string): string =>
    lines
      .find((line) => line.startsWith(sign))
      ?.slice(sign.length)
      .trim() ?? ''
  const chapter = { name, title: after('# '), question: after('> ') }
  if (executed === undefined) return chapter
  const shown = readNotebook(executed)
  const answer = shownBy(shown, 'answer')
    .map((data) => data['text/markdown'])
    .find((text) => text !== undefined)
  const [picture] = shownBy(shown, 'picture').flatMap((data) => pictureOf(data) ?? [])
  return {
    ...chapter,
    ...(answer !== undefined && { answer: textOf(answer) }),
    ...(picture && { picture }),
  }
}

const tagsSchema = z.object({ tags: z.array(z.string()).optional() }).passthrough()
const textSchema = z.union([z.string(), z.array(z.string())])
const textOf = (value: unknown): string => joined(textSchema.parse(value))

/** What the cells with a tag have shown, each in several formats. */
function shownBy(notebook: Notebook, tag: string): Readonly<Record<string, unknown>>[] {
  return notebook.cells
    .filter((cell) => tagsSchema.safeParse(cell.metadata).data?.tags?.includes(tag))
    .flatMap(({ outputs = [] }) => outputs.flatMap(({ data }) => (data ? [data] : [])))
}

/** A figure, or the first image of a piece of HTML. */
function pictureOf(data: Readonly<Record<string, unknown>>): ChapterPicture | undefined {
  const figure = data['application/vnd.plotly.v1+json']
  if (figure !== undefined) return pictureSchema.parse({ figure })
  const html = data['text/html']
  const image = html === undefined ? undefined : /src="(data:image\/[^"]+)"/.exec(textOf(html))?.[1]
  return image === undefined ? undefined : { image }
}

/**
 * The chapters with what has been run of them: in the working copies, or by the command `run`, whichever is newer.
 * @param out the study's folder
 */
export function chaptersOf(out: string): Chapter[] {
  return allNotebooks()
    .filter((file) => path.basename(file) !== `${INDEX}.ipynb`)
    .map((file) => {
      const found = ['notebooks', 'lab']
        .map((folder) => path.join(out, folder, path.basename(file)))
        .filter(existsSync)
        .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
        .map((executed) => readChapter(file, executed))
      return found.find(({ answer }) => answer !== undefined) ?? found[0] ?? readChapter(file)
    })
}

/** The chapters of a gallery, or none. */
export function galleryChapters(folder = SHIPPED_GALLERY): readonly Chapter[] {
  const file = path.join(folder, CHAPTERS_FILE)
  return existsSync(file) ? readDocument(file, recordSchema).chapters : []
}

/** Height of a figure in the list of chapters, in pixels; maps of cells keep their own. */
const HEIGHT = 320

/**
 * The list of chapters as a notebook's outputs: each with a link, its question, its answer and its picture. A chapter that has
 * not been run shows those of the run that comes with the workbook, if there is one, and says so.
 */
export function chapterOutputs(chapters: readonly Chapter[], shipped = galleryChapters()): MimeBundle[] {
  return chapters.flatMap((chapter): MimeBundle[] => {
    const { name, title, question } = chapter
    const elsewhere = chapter.answer === undefined ? shipped.find((other) => other.name === name) : undefined
    const { answer, picture } = elsewhere ?? chapter
    const lines = [
      `### [${name.slice(0, 2)} · ${title}](${name}.ipynb)`,
      `**${question}**`,
      answer ?? '*Not run yet.*',
      ...(elsewhere?.answer === undefined ? [] : ['*In the run that comes with the workbook.*']),
    ]
    const text = lines.join('\n\n')
    const described: MimeBundle = { 'text/markdown': withoutMail(text), 'text/plain': text }
    return picture ? [described, pictureBundle(picture, title)] : [described]
  })
}

function pictureBundle(picture: ChapterPicture, title: string): MimeBundle {
  if ('image' in picture) {
    const html = `<img alt="" style="max-width:420px;width:100%" src="${picture.image}"/>`
    return { 'text/html': html, 'text/plain': `[picture of ${title}]` }
  }
  const { layout } = z
    .object({ layout: z.object({ height: z.number().optional(), images: z.unknown() }).passthrough() })
    .parse(picture.figure)
  const isSmall = layout.images !== undefined || (layout.height ?? 1000) < HEIGHT
  const figure = isSmall ? picture.figure : { ...picture.figure, layout: { ...layout, height: HEIGHT } }
  return { 'application/vnd.plotly.v1+json': figure, 'text/plain': `[figure of ${title}]` }
}

/** Puts the list of chapters into an index that has not been run, as if it had been: a reader who opens it sees them. */
export function fillIndex(file: string, chapters: readonly Chapter[]): void {
  const notebook = readNotebook(file)
  const cell = notebook.cells.find(({ id }) => id === 'chapters')
  if (!cell) return
  cell.outputs = chapterOutputs(chapters).map((data) => ({ output_type: 'display_data', data, metadata: {} }))
  writeAtomically(file, `${JSON.stringify(notebook, null, 1)}\n`)
}
