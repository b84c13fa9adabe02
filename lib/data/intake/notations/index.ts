import type { Notation } from '../notation'
import { coco } from './coco'
import { kitti } from './kitti'
import { list } from './list'
import { openimages } from './openimages'
import { scalabel } from './scalabel'
import { voc } from './voc'
import { yolo } from './yolo'

/** All notations that can be read; a file that could be of several belongs to the first that is sure of it. */
export const NOTATIONS: readonly Notation[] = [voc, coco, list, yolo, kitti, scalabel, openimages]

const [first, ...others] = NOTATIONS.map(({ name }) => name)
/** Values of the option `--format`. */
export const FORMATS: readonly [string, ...string[]] = [first!, ...others]
/** One of FORMATS. */
export type Format = string
