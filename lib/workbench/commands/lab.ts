import { spawn } from 'node:child_process'
import path from 'node:path'
import { Command } from 'commander'
import { pathInside, writeAtomically } from '../../base'
import { pythonProgram, root } from '../project'
import { type StudyOptions, withStudyOptions, workbookOptions } from '../study-options'

const { makeDeclarations } = require('../kernel/declarations.cjs') as { makeDeclarations(): Promise<void> }

/** Without this JupyterLab asks every user, over the notebook, whether it may fetch news. */
const SETTINGS = {
  '@jupyterlab/apputils-extension:notification': { fetchNews: 'false', checkForUpdates: false },
}

/**
 * Figures are drawn for paper. Under a dark theme their lightness is turned round, their hues stay, and photographs in them are
 * turned back.
 */
const STYLE = `body[data-jp-theme-light="false"] {
  .js-plotly-plot, .js-plotly-plot image { filter: invert(1) hue-rotate(180deg); }
  .js-plotly-plot .main-svg { background: transparent !important; }
  .js-plotly-plot .bg { fill: transparent !important; }
}
`

/**
 * `lab`: starts JupyterLab on working copies of the notebooks, which open the study given by the options, with the index of
 * all chapters before the reader.
 *
 *     npx workbook lab --profile smoke --seeds 1,2
 *     npx workbook lab --data frames -- --port=8890 --no-browser      options after -- are JupyterLab's own
 */
export function labCommand(): Command {
  const command = new Command('lab')
    .description(
      'start JupyterLab on working copies of the notebooks; they open the study that the options say',
    )
    .argument('[jupyter-options...]', "behind --: JupyterLab's own options, e.g. -- --port=8890 --no-browser")
  return withStudyOptions(command).action(async (jupyterOptions: string[], given: StudyOptions) => {
    const { ENVIRONMENT } = require('../study-settings') as typeof import('../study-settings')
    const { allNotebooks, chaptersOf, fillIndex, INDEX } =
      require('../chapters') as typeof import('../chapters')
    const { environmentOf, eventsFolder } = require('../workbook') as typeof import('../workbook')
    const { makeWorkingCopies } = require('../working-copies') as typeof import('../working-copies')
    void makeDeclarations() // kernels use them as soon as they exist
    const options = await workbookOptions(given)
    const events = options.tensorboard ? { [ENVIRONMENT.tensorboard]: eventsFolder(options.out) } : {}
    const { folder, outdated } = makeWorkingCopies(allNotebooks(), path.join(options.out, 'lab'))
    fillIndex(path.join(folder, `${INDEX}.ipynb`), chaptersOf(options.out))
    console.log(`Working copies: ${folder}`)
    for (const copy of outdated)
      console.log(
        `${copy}: your cells were kept; the notebook has changed since. Delete the copy to have the new one.`,
      )
    const settings = path.join(root, '.cache/lab')
    writeAtomically(path.join(settings, 'overrides.json'), JSON.stringify(SETTINGS))
    const style = path.join(settings, 'custom')
    writeAtomically(path.join(style, 'custom.css'), STYLE)
    const asRoot = process.getuid?.() === 0 ? ['--allow-root'] : []
    // A folder outside the project becomes JupyterLab's root, which shows nothing above it.
    const inside = pathInside(root, folder)
    const places = [
      `--ServerApp.root_dir=${inside === undefined ? folder : root}`,
      `--LabApp.default_url=/lab/tree/${[...(inside?.split(path.sep) ?? []), `${INDEX}.ipynb`].map(encodeURIComponent).join('/')}`,
      `--LabApp.app_settings_dir=${settings}`,
      '--LabApp.custom_css=True',
      // Where JupyterLab looks for custom.css; otherwise in the user's own settings.
      `--ServerApp.tornado_settings=static_custom_path=${style}`,
    ]
    const lab = spawn(pythonProgram('jupyter'), ['lab', ...places, ...asRoot, ...jupyterOptions], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, ...environmentOf(options), ...events },
    })
    process.on('SIGINT', () => undefined) // JupyterLab asks whether to stop
    process.on('SIGTERM', () => lab.kill('SIGTERM'))
    process.exitCode = await new Promise<number>((resolve, reject) => {
      lab.once('error', reject)
      lab.once('exit', (code) => resolve(code ?? 1))
    })
  })
}
