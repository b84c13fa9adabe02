import type { Notation } from '../notation'
import { coco } from './coco'
import { kitti } from './kitti'
import { list } from './list'
import { openimages } from './openimages'
import { scalabel } from './scalabel'
import { voc } from './voc'
import { yolo } from './yolo'

/** Every notation that is read; where a file may be of several, the first that is sure of it has it. */
export const NOTATIONS: readonly Notation[] = [voc, coco, list, yolo, kitti, scalabel, openimages]

const [first, ...others] = NOTATIONS.map(({ name }) => name)
/** What the option `--format` takes. */
export const FORMATS: readonly [string, ...string[]] = [first!, ...others]
/** One of FORMATS. */
export type Format = string
