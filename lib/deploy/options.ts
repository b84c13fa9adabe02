/** What a file is to be: its head, batch, pixels and numbers. */
import { z } from 'zod'
import type { Schema } from '../base'

/** `logits` of every scale, boxes and scores of every slot, or final detections with NMS inside. */
export const HEADS = ['logits', 'decoded', 'detections'] as const
/** What an exported file gives: logits, decoded boxes, or detections after NMS. */
export type Head = (typeof HEADS)[number]

/** Pixels as floats 0..1, or as the bytes 0..255 of an image [n, h, w, 3]: red, green, blue. */
export const PIXELS = ['float', 'uint8'] as const
/** How an exported file takes its images. */
export type Pixels = (typeof PIXELS)[number]

/** Precisions of exported files. */
export const PRECISIONS = ['float32', 'float16', 'int8'] as const
/** A precision of exported files. */
export type FilePrecision = (typeof PRECISIONS)[number]

/** What an exported file takes and gives. */
export interface FileOptions {
  readonly head: Head
  /** Images at once; `any` leaves it to who runs the file. */
  readonly batch: number | 'any'
  readonly pixels: Pixels
  readonly precision: FilePrecision
}

/** The options of a file where none are given. */
export const FILE_DEFAULTS: FileOptions = {
  head: 'logits',
  batch: 'any',
  pixels: 'float',
  precision: 'float32',
}

export const batchSchema: Schema<number | 'any'> = z.union([z.number().int().positive(), z.literal('any')])
