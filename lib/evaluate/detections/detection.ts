import { IMAGE_NAME, OTHER_IMAGE_NAME } from '../../data/image-types'
import { describeId } from '../../data/intake/notations/coco'
import { baseName, folderOf, stemOf } from '../../data/intake/paths'
import { shortened, someOf } from '../../data/intake/text'
import { type Problem, refuse } from '../../data/problem'
import type { TruthSet } from '../truth-files'

/** One detection as given by a file. */
export interface FileDetection {
  /** Index among the truths' images. */
  readonly image: number
  readonly name: string
  readonly score: number
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number]
  readonly size?: readonly [width: number, height: number]
}

export type Place = Pick<Problem, 'file' | 'line' | 'key'>

/** Finds the truths' images by the names and ids that detections use. */
export class TruthImages {
  private readonly byId = new Map<number | string, number>()
  private readonly byStem = new Map<string, number[]>()

  constructor(private readonly set: TruthSet) {
    set.images.forEach(({ id, place }, i) => {
      if (id !== undefined) this.byId.set(id, i)
      const stem = baseName(place).normalize('NFC')
      const members = this.byStem.get(stem)
      if (members === undefined) this.byStem.set(stem, [i])
      else members.push(i)
    })
  }

  /** By COCO's id; undefined where there is none. */
  withId(id: number | string): number | undefined {
    return this.byId.get(id)
  }

  get hasIds(): boolean {
    return this.byId.size > 0
  }

  /** The image with an id, or an error that names the id and its type. */
  ofId(id: number | string, place: Place): number {
    const found = this.byId.get(id)
    if (found !== undefined) return found
    return refuse({
      kind: 'missing image',
      ...place,
      message: `expected an image of the truths, found ${describeId(id, this.byId)}`,
    })
  }

  /** The image of a path or name, with or without extension: the only one of its name, else the one in the same folders. */
  ofName(written: string, place: Place): number {
    const path = written.replaceAll('\\', '/')
    const isImage = IMAGE_NAME.test(path) || OTHER_IMAGE_NAME.test(path)
    const stem = (isImage ? stemOf(path) : baseName(path)).normalize('NFC')
    const all = this.byStem.get(stem) ?? []
    if (all.length === 1) return all[0]!
    const folders = folderOf(path)
    const within = all.filter((i) => {
      const { place: known, name } = this.set.images[i]!
      if (isImage && baseName(name) !== baseName(path)) return false
      const [short, long] = [`/${folders}`, `/${folderOf(known)}`].sort((a, b) => a.length - b.length)
      return folders === '' || folderOf(known) === '' || long!.endsWith(short!)
    })
    if (within.length === 1) return within[0]!
    const names = all.map((i) => this.set.images[i]!.name)
    const message =
      all.length === 0
        ? `expected the name of an image with truths, found ${written}; an image without objects has an empty file of truths`
        : `expected the name of one image with truths, found ${written}, which may be ${someOf(names)}`
    return refuse({ kind: 'missing image', ...place, message })
  }
}

/** The name of a class; it must be one of the truths' classes if these are listed. */
export function knownClass(name: string, { listed, classes, labels }: TruthSet, place: Place): string {
  if (!listed || labels.has(name)) return name
  const message = `expected one of the truths' classes (${someOf(classes)}), found ${shortened(name)}`
  return refuse({ kind: 'unknown class', ...place, message })
}
