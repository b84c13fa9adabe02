import path from 'node:path'
import { Command } from 'commander'
import { interruptSignal } from '../../base'
import { root } from '../project'
import { say } from '../say'

/** `gallery`: the executed notebooks of a run as a folder of small pages. */
export function galleryCommand(): Command {
  return new Command('gallery')
    .description(
      'write the executed notebooks of a finished run as a folder of pages, with an index of all chapters; they load ' +
        'nothing from elsewhere and work when they are opened as files',
    )
    .argument('[run]', 'the folder of the run', path.relative(process.cwd(), path.join(root, 'runs/default')))
    .option('--out <folder>', 'where; an earlier gallery there is replaced', 'gallery')
    .addHelpText(
      'after',
      '\nThe gallery that comes with the workbook: npx workbook gallery --out data/gallery',
    )
    .action(async (run: string, { out }: { out: string }) => {
      const { writeGallery } = require('../gallery') as typeof import('../gallery')
      const { index, pages, bytes } = await writeGallery(path.resolve(run), path.resolve(out), {
        signal: interruptSignal(),
        onPage: (name) => console.error(name),
      })
      say(`${pages} pages, ${(bytes / 1e6).toFixed(1)} MB: ${index}`)
    })
}
