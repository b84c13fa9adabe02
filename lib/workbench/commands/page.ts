import path from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Fit } from '../../data'
import { withPair } from '../data-options'
import { profileCrop } from '../profile-crop'
import { note, say } from '../say'

/** What a page for sharing may weigh. */
const LARGEST = 10_000_000

interface Options {
  readonly images?: readonly string[]
  readonly scenes: number
  readonly fit: Fit
  readonly profile?: string
  readonly weights: 'float16' | 'float32'
}

const EXAMPLES = `
Examples:
  npx workbook page data/checkpoints/default-teacher.json data/checkpoints/default-student.json
  npx workbook page teacher.json student.json demo.html --images street/*.jpg --fit pad`

/** `page`: teacher and student side by side in the browser, as one file. */
export function pageCommand(): Command {
  const command = new Command('page').description(
    'write one HTML file that runs teacher and student side by side in the browser, on scenes, images, videos or the ' +
      'camera; it needs no network and works when it is opened as a file',
  )
  return withPair(command)
    .argument('[out]', 'the file', 'page.html')
    .option('--images <files...>', 'images that the page carries, instead of rendered street scenes')
    .option('--scenes <n>', 'rendered street scenes that it carries', wholeOrNone, 6)
    .addOption(
      new Option(
        '--fit <how>',
        'how frames are put into the input at first: stretched, or with their shape kept',
      )
        .choices(['stretch', 'pad'])
        .default('stretch'),
    )
    .option('--profile <name>', "offer also the part of a frame that a profile's crop says")
    .addOption(
      new Option('--weights <type>', 'float16 halves the file and changes logits by up to 0.1')
        .choices(['float16', 'float32'])
        .default('float16'),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (teacher: string, student: string, out: string, options: Options) => {
      const { writeDemoPage } = require('../../deploy/page') as typeof import('../../deploy/page')
      const { images, scenes, fit, profile, weights } = options
      const { bytes } = await writeDemoPage([teacher, student], path.resolve(out), {
        ...{ images, scenes, fit, half: weights === 'float16' },
        ...(profile !== undefined && { crop: profileCrop(profile) }),
      })
      say(`${out}: ${(bytes / 1e6).toFixed(2)} MB`)
      if (bytes > LARGEST)
        note(`${out}: above ${LARGEST / 1e6} MB; fewer --images, or --weights float16, make it smaller`)
    })
}

function wholeOrNone(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('expected a whole number')
  return value
}
