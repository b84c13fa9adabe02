/**
 * The setup: npm packages, Python environment, TensorFlow's addon for Node, notebook kernel.
 * A step is done when its stamp contains the hash of its inputs. The stamp is written last, so an interrupted
 * setup continues with the step it was in.
 */
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const addon = require('./addon.cjs')
const { withLock } = require('./lock.cjs')
const { cache, hash, onPath, read, root, SetupError, writeWhole } = require('./project.cjs')
const python = require('./python.cjs')
const { makeDeclarations } = require('../kernel/declarations.cjs')
const { runTool, stepList } = require('./tools.cjs')

/** @typedef {import('./project.cjs').Device} Device */
/** @typedef {import('./project.cjs').OnLine} OnLine */
/** @typedef {{ prefix: string, isConda: boolean }} Place the Python environment */
/**
 * @typedef {object} Step
 * @property {string} name of its stamp
 * @property {string} title shown to the user
 * @property {() => unknown[]} inputs hashed in the stamp
 * @property {() => boolean} present a quick check whether the result exists
 * @property {() => boolean} accept a thorough check that accepts a result this setup did not make
 * @property {(onLine: OnLine) => Promise<void>} run
 */

const GIB = 2 ** 30
/** Free disk space that the packages need. */
const SPACE = { cpu: 4 * GIB, cuda: 12 * GIB }

/**
 * The environment in which commands and kernels run.
 *
 * @param {string} prefix of the Python environment
 * @param {Device} device
 */
function environmentOf(prefix, device) {
  const site = python.sitePackages(prefix)
  const { libraries, programs } = site ? python.cudaFolders(site) : { libraries: [], programs: [] }
  /** @param {...(string | undefined)} parts */
  const join = (...parts) => parts.filter(Boolean).join(path.delimiter)
  /** @type {{ [name: string]: string }} */
  const added = {
    PATH: join(path.join(prefix, 'bin'), ...programs, process.env.PATH),
    WORKBOOK_PYTHON: path.join(prefix, 'bin/python'),
    WORKBOOK_DEVICE: device,
    // Otherwise the first process, such as a notebook, takes the whole card, and its trials find no memory.
    TF_FORCE_GPU_ALLOW_GROWTH: process.env.TF_FORCE_GPU_ALLOW_GROWTH ?? 'true',
    TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? '2',
    // Otherwise every thread of the C library's allocator keeps its own heap, 40 to 130 MiB in a training.
    MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX ?? '1',
  }
  if (device === 'cuda') Object.assign(added, cardEnvironment(programs))
  if (libraries.length > 0) added.LD_LIBRARY_PATH = join(...libraries, process.env.LD_LIBRARY_PATH)
  return added
}

/**
 * TensorFlow's settings on a card: kernels that give the same bits every time, and XLA, unless WORKBOOK_XLA=0, with its tools and
 * a folder for what it has compiled and tuned, from which later processes take it. XLA compiles at the first step, not after some
 * as by default: those first steps would round differently, after every resumption too.
 *
 * @param {string[]} programs folders of NVIDIA's programs
 */
function cardEnvironment(programs) {
  const compiler = programs.find((folder) => fs.existsSync(path.join(folder, 'ptxas')))
  const compiled = path.join(root, '.cache/xla')
  const flags = ['--tf_xla_enable_lazy_compilation=false', `--tf_xla_persistent_cache_directory=${compiled}`]
  if (process.env.WORKBOOK_XLA !== '0') flags.push('--tf_xla_auto_jit=2')
  const tools = [`--xla_gpu_per_fusion_autotune_cache_dir=${path.join(compiled, 'tuned')}`]
  if (compiler) tools.push(`--xla_gpu_cuda_data_dir=${path.dirname(compiler)}`)
  return {
    TF_DETERMINISTIC_OPS: process.env.TF_DETERMINISTIC_OPS ?? '1',
    TF_XLA_FLAGS: process.env.TF_XLA_FLAGS ?? flags.join(' '),
    XLA_FLAGS: process.env.XLA_FLAGS ?? tools.join(' '),
  }
}

/**
 * The steps in order.
 *
 * @param {Place & { device: Device }} place
 * @returns {Step[]}
 */
function steps({ device, prefix, isConda }) {
  const environment = () => ({ ...process.env, ...environmentOf(prefix, device) })
  const list = python.requirements(device)
  return [
    {
      name: 'packages',
      title: 'npm packages',
      inputs: () => [read(path.join(root, 'package-lock.json')), read(path.join(root, 'package.json'))],
      present: () => fs.existsSync(path.join(root, 'node_modules/.package-lock.json')),
      accept: packagesMatchLock,
      async run(onLine) {
        if (!onPath('npm')) throw new SetupError('npm is missing: install Node together with npm.')
        await runTool('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { onLine })
      },
    },
    {
      name: 'python',
      title: isConda
        ? `conda environment ${prefix}`
        : `Python packages (TensorFlow for ${device.toUpperCase()})`,
      inputs: () => [list, prefix],
      present: () => python.sitePackages(prefix) !== null && fs.existsSync(path.join(prefix, 'bin/jupyter')),
      accept: () => python.missingFrom(prefix, list) === '',
      async run(onLine) {
        if (isConda) {
          throw new SetupError(
            `The conda environment ${prefix} lacks ${python.missingFrom(prefix, list)}.\n` +
              'Bring it up to date:  conda env update -f environment.yml    or leave it:  conda deactivate',
          )
        }
        checkSpace(device)
        await makeVenv(prefix, onLine)
        const pip = [
          '-m',
          'pip',
          'install',
          '--disable-pip-version-check',
          '--no-input',
          '--progress-bar',
          'off',
        ]
        await runTool(path.join(prefix, 'bin/python'), [...pip, ...list], { onLine })
      },
    },
    {
      name: 'addon',
      title: "TensorFlow's addon for Node",
      inputs: () => [process.versions.modules, process.arch, python.sitePackages(prefix), list],
      present: () => fs.existsSync(addon.binary),
      accept: () => {
        addon.linkTensorFlow(python.tensorFlowIn(prefix))
        return addon.loads(environment())
      },
      async run(onLine) {
        addon.linkTensorFlow(python.tensorFlowIn(prefix))
        await addon.build(environment(), onLine)
      },
    },
    {
      name: 'kernel',
      title: 'notebook kernel, and the types of lib/ for it',
      inputs: () => [kernelFiles(prefix, device)],
      present: () => kernelFiles(prefix, device).every(([file, text]) => read(file) === text),
      accept: () => false,
      async run() {
        for (const [file, text] of kernelFiles(prefix, device)) writeWhole(file, text)
        // Before the notebooks, which make them again if lib/ has been edited since.
        await makeDeclarations()
      },
    },
  ]
}

/**
 * Files that tell Jupyter about the kernel, and papermill about its language, with their texts.
 *
 * @param {string} prefix
 * @param {Device} device
 * @returns {[file: string, text: string][]}
 */
function kernelFiles(prefix, device) {
  const site = python.sitePackages(prefix)
  /** @type {[string, string][]} */
  const files = [[path.join(prefix, 'share/jupyter/kernels/tslab/kernel.json'), kernelSpec(prefix, device)]]
  if (!site) return files
  const plugIn = 'papermill_typescript'
  const about = path.join(site, `${plugIn}-1.0.dist-info`)
  return [
    ...files,
    [path.join(site, `${plugIn}.py`), read(path.join(root, `lib/workbench/${plugIn}.py`)) ?? ''],
    [path.join(about, 'METADATA'), `Metadata-Version: 2.1\nName: ${plugIn}\nVersion: 1.0\n`],
    [path.join(about, 'entry_points.txt'), `[papermill.engine]\n${plugIn} = ${plugIn}:Engine\n`],
    [path.join(about, 'RECORD'), ''],
  ]
}

/**
 * @param {string} prefix
 * @param {Device} device
 */
function kernelSpec(prefix, device) {
  // Kernels started by Jupyter without this setup (an editor, plain `jupyter lab`) need the same environment.
  const { PATH: _, LD_LIBRARY_PATH: __, ...own } = environmentOf(prefix, device)
  const site = python.sitePackages(prefix)
  const libraries = site ? python.cudaFolders(site).libraries.join(path.delimiter) : ''
  const env = { ...own, ...(libraries ? { LD_LIBRARY_PATH: libraries } : {}) }
  const argv = [process.execPath, path.join(root, 'lib/workbench/kernel/main.cjs'), '{connection_file}']
  const about = { display_name: 'TypeScript', language: 'typescript', interrupt_mode: 'message' }
  return `${JSON.stringify({ argv, ...about, env }, null, 2)}\n`
}

/** Whether node_modules matches package-lock.json. */
function packagesMatchLock() {
  const installed =
    JSON.parse(read(path.join(root, 'node_modules/.package-lock.json')) ?? '{}').packages ?? {}
  const wanted = JSON.parse(read(path.join(root, 'package-lock.json')) ?? '{}').packages ?? {}
  return Object.entries(wanted).every(([place, { version, optional, link }]) => {
    if (!place.startsWith('node_modules/')) return true
    if (!installed[place]) return optional === true
    if (link) return fs.existsSync(path.join(root, place))
    return installed[place].version === version && fs.existsSync(path.join(root, place, 'package.json'))
  })
}

/** @param {Device} device */
function checkSpace(device) {
  const { bavail, bsize } = fs.statfsSync(root)
  if (bavail * bsize >= SPACE[device]) return
  /** @param {number} bytes */
  const gib = (bytes) => (bytes / GIB).toFixed(1)
  throw new SetupError(
    `The packages need about ${gib(SPACE[device])} GiB in ${root}, and ${gib(bavail * bsize)} GiB are free. Free some space.`,
  )
}

/**
 * @param {string} prefix
 * @param {OnLine} onLine
 */
async function makeVenv(prefix, onLine) {
  const own = path.join(prefix, 'bin/python')
  python.removeHalfInstalled(prefix)
  try {
    await runTool(own, ['-m', 'pip', '--version'])
    return
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
  }
  const found = python.findPython()
  await runTool(found.python, ['-m', 'venv', '--clear', prefix], {
    onLine,
    hint: `Install Python's venv module:  sudo apt-get install -y python${found.version}-venv`,
  })
}

/** @param {string} name */
const stampFile = (name) => path.join(cache, `${name}.stamp`)
/** @param {Step} step */
const isDone = (step) => read(stampFile(step.name)) === hash(step.inputs()) && step.present()

/**
 * Does what is missing of the setup and returns the environment for commands.
 *
 * @param {{ device?: Device, packagesOnly?: boolean }} [options] the requested device, and whether npm's packages suffice
 * @returns {Promise<NodeJS.ProcessEnv>}
 * @throws SetupError naming what is missing and how to get it
 */
async function setUp({ device: asked, packagesOnly = false } = {}) {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw new SetupError(
      `TensorFlow's library comes from its wheels for Linux on x64 and arm64; this is ${process.platform} on ${process.arch}.\n` +
        'On Windows use WSL 2, on macOS a Linux container or virtual machine.',
    )
  }
  const device = python.chooseDevice(asked)
  const place = python.choosePrefix()
  const plan = steps({ device, ...place }).filter(({ name }) => !packagesOnly || name === 'packages')
  if (!plan.every(isDone)) {
    /** @param {string} pid */
    const onWait = (pid) =>
      process.stderr.write(`Another setup (process ${pid}) runs in this folder; waiting for it.\n`)
    await withLock(() => perform(plan), { onWait })
  }
  return { ...process.env, ...environmentOf(place.prefix, device) }
}

/** @param {Step[]} plan */
async function perform(plan) {
  const show = stepList()
  let told = false
  for (const step of plan) {
    if (isDone(step)) continue
    fs.rmSync(stampFile(step.name), { force: true })
    if (!(step.present() && step.accept())) {
      if (!told) process.stderr.write('Setting up (once; if interrupted, it continues from here)\n')
      told = true
      await show(step.title, (onLine) => step.run(onLine))
    }
    writeWhole(stampFile(step.name), hash(step.inputs()))
  }
}

module.exports = { environmentOf, setUp }
