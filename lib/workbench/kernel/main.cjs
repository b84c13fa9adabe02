/**
 * The notebook kernel: tslab 1.0.22 with its known faults repaired from outside, and this project's own rules.
 * Jupyter starts it as `node main.cjs <connection file>` in the notebook's folder.
 *
 * - Cells see tsconfig.json: strict, Bundler resolution, and imports relative to the project's root ('./lib/losses').
 * - Modules of lib/ are loaded by Node through tsx; tslab only checks their types. An edited file is loaded again
 *   when the importing cell is run again.
 * - Requests run one after another; a failed cell cancels those that wait; nothing printed and no message is lost.
 * - A rejected promise or a throwing timer fails the cell that runs, or the next one.
 * - An interrupt aborts the signal of ../interrupt and makes the cell throw at its next await or turn of a loop. What
 *   does neither is broken off.
 * - What nearly every notebook imports is loaded and checked while nobody asks for anything yet.
 * - The cell `%reset` stops what earlier ones have left behind (at its next await or turn of a loop; timers go on) and forgets
 *   what they have declared; modules stay loaded.
 */
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const util = require('node:util')
const modules = require('./modules.cjs')

process.env.NOTEBOOK_DIR = process.cwd()
process.chdir(modules.root)
require('../../engine/loader.cjs')

const { typescriptVersion } = require('./compiler.cjs')
const jupyter = require('tslab/dist/jupyter')
const { Control, PATIENCE_MS } = require('./control.cjs')
const { describeError } = require('./errors.cjs')
const { CompileError, Executor } = require('./executor.cjs')
const { SendQueue } = require('./send-queue.cjs')
const { abortCells, beginCell, InterruptedError, isInterrupt } = require('../../base/interrupt')
const { describeValue, DISPLAY_HOOK } = require('../display')
const { reportProgress } = require('../progress')

const tslabVersion = require('tslab/package.json').version
if (tslabVersion !== '1.0.22') {
  throw new Error(
    `The kernel repairs tslab 1.0.22 and found ${tslabVersion}: set "tslab": "1.0.22" in package.json and run npm ci.`,
  )
}

/** Output is sent at most this often, and never in pieces larger than this many characters. */
const OUTPUT_INTERVAL_MS = 50
const OUTPUT_LIMIT = 1 << 18
/** Requests that arrive this soon after a failed cell were sent before its failure was known. */
const DRAIN_MS = 50
/** This long after Jupyter has seen the kernel, what most first cells import is made ready. */
const WARM_UP_MS = 200
const MOST_IMPORTED = ['./lib/index', 'danfojs-node']

const DELIMITER = Buffer.from('<IDS|MSG>')
const BROKEN_OFF =
  'The cell was broken off in the middle of what it did, so nothing was tidied up. Restart the kernel if it then misbehaves.'
const INTERRUPTED = { ename: 'Interrupted', evalue: 'the cell was interrupted' }
const delay = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Resolves when the events that have arrived so far were looked at: only the second turn comes after them. */
async function eventsSeen() {
  await new Promise(setImmediate)
  await new Promise(setImmediate)
}

const control = new Control()
/** How many interrupts there were: what began before the last one does not go on. */
let interrupts = 0
const goOn = (began) => {
  if (began !== interrupts || control.pending()) throw new InterruptedError()
}
const executor = new Executor(control, {
  __now__: () => interrupts,
  __resume__(began, value) {
    goOn(began)
    return value
  },
  async *__each__(began, items) {
    for await (const item of items) {
      goOn(began)
      yield item
    }
  },
  __step__: stopIfPending,
})
function stopIfPending() {
  if (control.pending()) throw new InterruptedError()
}

/** Once a cell has loaded TensorFlow, its operations stop on an interrupt as loops of cells do. */
const engineFile = path.join(modules.root, 'lib/engine/index.ts')
let engine
function watchOperations() {
  const loaded = require.cache[engineFile]
  if (loaded === engine || !loaded?.loaded) return
  engine = loaded
  engine.exports.beforeOperations(stopIfPending)
}
const describe = (error) => describeError(error, (text) => executor.withPlaces(text))

/** Does ahead, one piece after another until the first cell comes, what that cell would otherwise wait for. */
async function warmUp() {
  const compile = () => {
    const imports = MOST_IMPORTED.map((name, i) => `import * as m${i} from '${name}'`)
    executor.compile(imports.join('\n'))
  }
  const load = (name) => () => {
    try {
      executor.require(name)
    } catch {
      modules.forgetUnfinished() // the cell that imports it meets the error, and reports it
    }
    modules.noteLoaded()
    watchOperations()
  }
  for (const piece of [compile, ...MOST_IMPORTED.map(load)]) {
    await eventsSeen()
    if (server.arrived > 0 || server.closed) return
    piece()
  }
}

/** The cell that runs now, or null between cells. */
let current = null
/** Errors that surfaced between cells; they fail the next one. */
const late = []

function surfaced(error) {
  if (server.closed) return
  if (current) {
    current.errors.push(error)
    current.giveUp(error)
    return
  }
  if (isInterrupt(error)) return
  late.push(error)
  const text = describe(error).traceback.join('\n')
  reportProgress({ event: 'late-error', message: text })
  process.stderr.write(`Uncaught after the cell had ended: ${text}\n`)
}

/**
 * Stops the running cell, and what earlier ones have left behind.
 *
 * @param cell its number where the interrupt is for a certain cell
 * @param giveUp the cell was broken off and will not end by itself
 */
function interrupt({ cell, giveUp = false } = {}) {
  if (cell !== undefined && cell !== (current?.number ?? 0)) return
  control.takeNotice()
  interrupts++
  abortCells()
  if (!current) return
  const asked = current
  const again = asked.interrupted
  asked.interrupted = true
  asked.brokenOff ||= giveUp
  if (again || giveUp) asked.giveUp(new InterruptedError())
  else setTimeout(() => asked.giveUp(new InterruptedError()), PATIENCE_MS)
}

class Handler extends jupyter.JupyterHandlerImpl {
  handleKernel() {
    this.warmUp ??= setTimeout(warmUp, WARM_UP_MS)
    const reply = super.handleKernel()
    reply.language_info.version = typescriptVersion
    reply.banner = `TypeScript ${typescriptVersion}, Node ${process.version}`
    return { status: 'ok', ...reply, implementation_version: tslabVersion }
  }

  handleShutdown(request) {
    return { status: 'ok', restart: Boolean(request.restart) }
  }
}

class Server extends jupyter.ZmqServer {
  queue = Promise.resolve()
  /** What is sent through each socket, one message after another. */
  queues = new Map()
  count = 0
  outputs = null
  /** Cells are numbered as they arrive; those up to cancelledTo waited behind a failed one. */
  arrived = 0
  cancelledTo = 0

  /** A request may arrive while other sockets are being bound, and its answers go through those: it waits for them. */
  async init() {
    this.bound = super.init()
    await this.bound
  }

  async bindSocket(socket, port) {
    if (socket === this.control) {
      const { transport, ip, key } = this.connInfo
      await control.open(
        { address: `${transport}://${ip}:${port}`, key },
        {
          onMessage: async (...parts) => {
            await this.bound
            await super.handleShellMessage(control, ...parts)
          },
          onInterrupt: interrupt,
        },
      )
      return
    }
    // Without this ZeroMQ drops output, and the "idle" after it, beyond 1000 queued messages.
    if (socket === this.iopub) socket.sendHighWaterMark = 0
    await super.bindSocket(socket, port)
    if (socket === this.iopub) this.iopub = this.queueing(socket)
  }

  queueing(socket) {
    const lost = (error) => {
      if (!this.closed) process.stderr.write(`A message to Jupyter was lost: ${error.message}\n`)
    }
    const queue = this.queues.get(socket) ?? new SendQueue(socket, lost)
    this.queues.set(socket, queue)
    return queue
  }

  send(request, socket, type, content) {
    if (this.closed) return
    const message = request.createReply()
    message.header.msg_type = type
    message.content = content
    message.signAndSend(this.connInfo.key, socket)
  }

  async handleShellMessage(socket, ...parts) {
    await this.bound
    // Completion, inspection and the like are answered while a cell waits; only cells queue up.
    const type = JSON.parse(parts[parts.findIndex((part) => part.equals(DELIMITER)) + 2].toString()).msg_type
    const answers = this.queueing(socket)
    if (type !== 'execute_request') return super.handleShellMessage(answers, ...parts)
    const number = ++this.arrived
    this.queue = this.queue.then(async () => {
      this.running = number
      // Before anybody is told that it runs: whoever then interrupts means this cell.
      control.begin(number)
      try {
        await super.handleShellMessage(answers, ...parts)
      } finally {
        control.end()
      }
    })
    return this.queue
  }

  handleCommInfoRequest(socket, request) {
    this.send(request, socket, 'comm_info_reply', { status: 'ok', comms: {} })
  }

  async handleExecute(socket, request) {
    const { code, silent, stop_on_error: stopOnError = true } = request.content
    if (this.running <= this.cancelledTo) {
      this.send(request, socket, 'execute_reply', { status: 'aborted', execution_count: this.count })
      return
    }
    if (!silent) this.count += 1
    this.send(request, this.iopub, 'execute_input', { code, execution_count: this.count })
    this.attachOutputs(request)
    const failure =
      code.trim() === '%reset'
        ? await this.reset()
        : await this.runCell(code, silent ? `silent ${this.running}` : String(this.count))
    this.flush()
    if (!failure) {
      this.send(request, socket, 'execute_reply', {
        status: 'ok',
        execution_count: this.count,
        payload: [],
        user_expressions: {},
      })
      return
    }
    this.send(request, this.iopub, 'error', failure)
    if (stopOnError) {
      await delay(DRAIN_MS)
      this.cancelledTo = this.arrived
    }
    this.send(request, socket, 'execute_reply', { status: 'error', execution_count: this.count, ...failure })
  }

  /** Runs one cell; the answer is what went wrong, or null. */
  async runCell(code, name) {
    const [earlier] = late.splice(0)
    if (earlier !== undefined) {
      const failure = describe(earlier)
      return { ...failure, evalue: `${failure.evalue} (uncaught after an earlier cell had ended)` }
    }
    const cell = { number: this.running, errors: [], interrupted: false }
    const givenUp = new Promise((_, reject) => {
      cell.giveUp = reject
    })
    givenUp.catch(() => undefined) // it is looked at where the cell is waited for
    current = cell
    beginCell(control.pending)
    const edited = modules.forgetEdited()
    const beforeRun = async () => {
      await eventsSeen()
      if (cell.interrupted || control.pending()) throw new InterruptedError()
    }
    try {
      const value = await executor.execute(code, { name, givenUp, beforeRun })
      if (value !== undefined && value !== null) this.result(value)
    } catch (error) {
      cell.errors.push(error)
    }
    await eventsSeen() // a rejection that nobody handles surfaces only now
    modules.noteLoaded()
    watchOperations()
    control.end() // an interrupt while the answer goes out is no longer for this cell
    current = null
    const old = edited
      .filter((file) => !modules.isLoaded(file))
      .map((file) => path.relative(modules.root, file))
    if (old.length > 0) {
      process.stderr.write(
        `Edited: ${old.join(', ')}. Run the cells again that import it to see the change.\n`,
      )
    }
    return this.failureOf(cell)
  }

  /** Makes room for another notebook; the answer is an error of what this one has left behind, or null. */
  async reset() {
    interrupts++
    abortCells()
    await delay(DRAIN_MS)
    executor.reset()
    this.count = 0
    const [error] = late.splice(0)
    return error === undefined ? null : describe(error)
  }

  failureOf({ errors: [error, ...more], interrupted, brokenOff }) {
    const wasBrokenOff = brokenOff || error?.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED'
    if (wasBrokenOff) {
      modules.forgetUnfinished()
      process.stderr.write(`${BROKEN_OFF}\n`)
    }
    if (interrupted || wasBrokenOff || isInterrupt(error)) {
      const where = [error, ...more].find((one) => isInterrupt(one) && /cell\[/.test(one.stack))
      return { ...INTERRUPTED, traceback: where ? describe(where).traceback : ['Interrupted'] }
    }
    if (error instanceof CompileError) {
      return { ename: error.name, evalue: error.message, traceback: [error.message] }
    }
    return error === undefined ? null : describe(error)
  }

  /** Sends a cell's last value; what has an own picture (a table) sends that too. */
  result(value) {
    this.flush()
    const data = describeValue(value)
    this.send(this.request, this.iopub, 'execute_result', { execution_count: this.count, data, metadata: {} })
  }

  /** From here on, output goes to this request, also when it comes after the cell's end. */
  attachOutputs(request) {
    this.flush()
    this.request = request
    this.outputs = { name: 'stdout', text: '', timer: null, sent: 0 }
    for (const name of ['stdout', 'stderr']) {
      const decoder = new util.TextDecoder()
      process[name].write = (chunk, encoding, callback) => {
        const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
        this.write(name, executor.withPlaces(text))
        const done = typeof encoding === 'function' ? encoding : callback
        if (done) process.nextTick(done)
        return true
      }
    }
    const publish = (data, { id, update = false } = {}) => {
      this.flush()
      this.send(this.request, this.iopub, update ? 'update_display_data' : 'display_data', {
        data,
        metadata: {},
        transient: id === undefined ? {} : { display_id: id },
      })
    }
    globalThis[DISPLAY_HOOK] = publish
    jupyter.lastWriteDisplayData = (content, update) =>
      publish(content.data, { id: content.transient.display_id, update })
  }

  /**
   * Ends the process whatever timers or work still run. The running cell may stop by itself first, and an error of what
   * earlier ones have left behind is still told if it comes at once.
   */
  async close() {
    if (current) interrupt()
    await delay(DRAIN_MS)
    for (let waited = 0; current && waited < PATIENCE_MS; waited += DRAIN_MS) await delay(DRAIN_MS)
    this.flush()
    await Promise.race([
      Promise.all([...this.queues.values()].map((queue) => queue.settled())),
      delay(PATIENCE_MS),
    ])
    this.closed = true
    super.close()
    setTimeout(() => process.exit(0), DRAIN_MS)
  }

  write(name, text) {
    const { outputs } = this
    if (name !== outputs.name || outputs.text.length > OUTPUT_LIMIT) this.flush()
    outputs.name = name
    outputs.text += text
    // What comes after a pause goes out at once: a cell that computes gives no timer a chance.
    if (performance.now() - outputs.sent > OUTPUT_INTERVAL_MS) this.flush()
    else outputs.timer ??= setTimeout(() => this.flush(), OUTPUT_INTERVAL_MS)
  }

  flush() {
    const { outputs } = this
    if (!outputs || outputs.text === '') return
    const { name, text } = outputs
    clearTimeout(outputs.timer)
    Object.assign(outputs, { timer: null, text: '', sent: performance.now() })
    this.send(this.request, this.iopub, 'stream', { name, text })
  }
}

process.on('SIGINT', () => interrupt())
process.on('uncaughtException', surfaced)
process.on('unhandledRejection', surfaced)

const connectionFile = process.argv[2]
if (!connectionFile || !fs.existsSync(connectionFile)) {
  throw new Error(
    `The kernel is started by Jupyter with a connection file; found ${connectionFile ?? 'none'}. Start: npx workbook lab`,
  )
}
const server = new Server(new Handler(executor, false), connectionFile)
server.init()
