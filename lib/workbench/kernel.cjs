/**
 * The notebook kernel: tslab 1.0.22 with its known faults repaired from outside, and this project's own rules.
 * Jupyter starts it as `node kernel.cjs <connection file>` in the notebook's folder.
 *
 * - Cells see tsconfig.json: strict, Bundler resolution, and imports relative to the project's root ('./lib/losses').
 * - Modules of lib/ are loaded by Node through tsx; tslab only checks their types. An edited file is loaded again
 *   when the importing cell is run again.
 * - Requests run one after another; a failed cell cancels those that wait; nothing printed and no message is lost.
 * - A rejected promise or a throwing timer fails the cell that runs, or the next one.
 * - An interrupt aborts the signal of ./interrupt and leaves the cell a moment to stop by itself.
 */
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const util = require('node:util')

const root = path.resolve(__dirname, '../..')
process.env.NOTEBOOK_DIR = process.cwd()
process.chdir(root)
require('tsx/cjs')

const compiler = require('./kernel-compiler.cjs')
const { createExecutor } = require('tslab/dist/executor')
const jupyter = require('tslab/dist/jupyter')
const { beginCell, abortCell } = require('./interrupt')
const { describeValue, DISPLAY_HOOK } = require('./display')
const { reportProgress } = require('./progress')

const tslabVersion = require('tslab/package.json').version
if (tslabVersion !== '1.0.22') {
  throw new Error(
    `The kernel repairs tslab 1.0.22 and found ${tslabVersion}: set "tslab": "1.0.22" in package.json and run npm ci.`,
  )
}

/** A cell that was interrupted has this long to stop by itself before it is given up. */
const INTERRUPT_GRACE_MS = 1500
/** Output is sent at most this often, and never in pieces larger than this many characters. */
const OUTPUT_INTERVAL_MS = 50
const OUTPUT_LIMIT = 1 << 18
/** Requests that arrive this soon after a failed cell were sent before its failure was known. */
const DRAIN_MS = 50

const INTERRUPTED = { ename: 'Interrupted', evalue: 'the cell was interrupted', traceback: ['Interrupted'] }
const delay = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** What Jupyter shows of an error: name, message, and the stack without the kernel's own frames. */
function describeError(error) {
  if (!(error instanceof Error)) {
    const text = typeof error === 'string' ? error : util.inspect(error)
    return { ename: 'Thrown', evalue: text, traceback: [text] }
  }
  const cause = error.cause === undefined ? [] : ['Caused by:', ...describeError(error.cause).traceback]
  const stack = typeof error.stack === 'string' ? error.stack : String(error)
  const frames = stack
    .split('\n')
    .filter((line) => !/^\s+at .*(node:|node_modules[\\/]tslab|kernel\.cjs)/.test(line))
  // Line numbers of a compiled cell are not those of the cell as it was typed.
  const text = frames
    .join('\n')
    .replaceAll(`${root}${path.sep}`, '')
    .replace(/^evalmachine\.<anonymous>:\d+\n/, '')
    .replace(/evalmachine\.<anonymous>:\d+:\d+/g, 'cell')
    .replace(/(\n +at cell)+/g, '$1')
  return { ename: error.name, evalue: error.message, traceback: [text, ...cause] }
}

/** The cell that runs now, or null between cells. */
let current = null
/** Errors that surfaced between cells; they fail the next one. */
const late = []

function surfaced(error) {
  if (server.closed) return
  if (current) {
    current.errors.push(error)
    executor.interrupt()
    return
  }
  late.push(error)
  reportProgress({ event: 'late-error', message: describeError(error).traceback.join('\n') })
  process.stderr.write(`Uncaught after the cell had ended: ${describeError(error).traceback.join('\n')}\n`)
}

/** tslab's executor reports through this console: one log() for the last expression's value, error() for a failure. */
const executorConsole = {
  log: (value) => current?.result(value),
  error: (...args) => {
    if (!current) return
    if (args[0] === '%s%d:%d - %s') current.diagnostics.push(util.format(...args))
    else current.errors.push(args[0])
  },
}

const converters = compiler.createConverters()
const executor = createExecutor(root, converters, executorConsole)

class Handler extends jupyter.JupyterHandlerImpl {
  handleKernel() {
    const reply = super.handleKernel()
    reply.language_info.version = compiler.typescriptVersion
    reply.banner = `TypeScript ${compiler.typescriptVersion}, Node ${process.version}`
    return { status: 'ok', ...reply, implementation_version: tslabVersion }
  }

  handleShutdown(request) {
    return { status: 'ok', restart: Boolean(request.restart) }
  }
}

/**
 * ZeroMQ refuses a message while another one of the same socket is still on its way, and tslab does not wait. Messages go
 * out at once where they can, so that a cell that never pauses holds none back, and in order where they cannot.
 */
class SendQueue {
  waiting = []
  last = Promise.resolve()
  emptied = Promise.resolve()

  constructor(socket) {
    this.socket = socket
  }

  send(message) {
    if (this.waiting.length > 0) {
      this.waiting.push(message)
      return
    }
    try {
      this.last = this.socket.send(message)
      this.last.catch(reportLost)
    } catch (error) {
      if (!/busy/.test(error.message)) throw error
      this.waiting.push(message)
      this.emptied = this.empty()
    }
  }

  async empty() {
    for (; this.waiting.length > 0; this.waiting.shift()) {
      await this.last.catch(() => undefined) // reported where it was sent
      this.last = this.socket.send(this.waiting[0])
      this.last.catch(reportLost)
    }
  }

  /** Resolves when everything is out. */
  async settled() {
    await this.emptied
    await this.last.catch(() => undefined)
  }

  close() {
    this.socket.close()
  }
}

function reportLost(error) {
  if (!server.closed) process.stderr.write(`A message to Jupyter was lost: ${error.message}\n`)
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

  async bindSocket(socket, port) {
    // Without this ZeroMQ drops output, and the "idle" after it, beyond 1000 queued messages.
    if (socket === this.iopub) socket.sendHighWaterMark = 0
    await super.bindSocket(socket, port)
    if (socket === this.iopub) this.iopub = this.queueing(socket)
  }

  queueing(socket) {
    const queue = this.queues.get(socket) ?? new SendQueue(socket)
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

  handleShellMessage(socket, ...parts) {
    // Completion, inspection and the like are answered while a cell waits; only cells queue up.
    const type = JSON.parse(parts[parts.findIndex((part) => part.equals(DELIMITER)) + 2].toString()).msg_type
    const answers = this.queueing(socket)
    if (type !== 'execute_request') return super.handleShellMessage(answers, ...parts)
    const number = ++this.arrived
    this.queue = this.queue.then(async () => {
      this.running = number
      await super.handleShellMessage(answers, ...parts)
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
    const failure = await this.runCell(code)
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
  async runCell(code) {
    const cell = {
      errors: late.splice(0),
      diagnostics: [],
      interrupted: false,
      result: (value) => this.result(value),
    }
    if (cell.errors.length > 0) {
      const { ename, evalue, traceback } = describeError(cell.errors[0])
      return { ename, evalue: `${evalue} (uncaught after an earlier cell had ended)`, traceback }
    }
    current = cell
    beginCell()
    try {
      compiler.reloadEdited()
      const ok = await executor.execute(code)
      await new Promise(setImmediate)
      await new Promise(setImmediate)
      const { code: reason } = cell.errors[0] ?? {}
      if (cell.interrupted || reason === 'ERR_SCRIPT_EXECUTION_INTERRUPTED') return INTERRUPTED
      if (cell.errors.length > 0) return describeError(cell.errors[0])
      if (ok) return null
      const evalue = cell.diagnostics.join('\n') || 'the cell failed'
      return { ename: 'TypeScript', evalue, traceback: [evalue] }
    } catch (error) {
      return describeError(error)
    } finally {
      compiler.noteLoaded()
      current = null
    }
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
    this.outputs = { name: 'stdout', text: '', timer: null }
    for (const name of ['stdout', 'stderr']) {
      const decoder = new util.TextDecoder()
      process[name].write = (chunk, encoding, callback) => {
        const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
        this.write(name, text)
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

  /** Ends the process whatever timers or work still run; the running cell may stop by itself first. */
  async close() {
    abortCell()
    for (let waited = 0; current && waited < INTERRUPT_GRACE_MS; waited += DRAIN_MS) await delay(DRAIN_MS)
    this.flush()
    await Promise.race([
      Promise.all([...this.queues.values()].map((queue) => queue.settled())),
      delay(INTERRUPT_GRACE_MS),
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
    outputs.timer ??= setTimeout(() => this.flush(), OUTPUT_INTERVAL_MS)
  }

  flush() {
    const { outputs } = this
    if (!outputs || outputs.text === '') return
    const { name, text } = outputs
    clearTimeout(outputs.timer)
    outputs.timer = null
    outputs.text = ''
    this.send(this.request, this.iopub, 'stream', { name, text })
  }
}

const DELIMITER = Buffer.from('<IDS|MSG>')

process.on('SIGINT', () => {
  if (!current) return
  const cell = current
  const again = cell.interrupted
  cell.interrupted = true
  abortCell()
  const giveUp = () => {
    if (current === cell) executor.interrupt()
  }
  if (again) giveUp()
  else setTimeout(giveUp, INTERRUPT_GRACE_MS)
})
// Jupyter that was killed cannot say so: a kernel without its parent ends by itself.
const parent = Number(process.env.JPY_PARENT_PID ?? process.ppid)
setInterval(() => {
  if (process.ppid !== parent) process.exit(1)
}, 1000).unref()

process.on('uncaughtException', surfaced)
process.on('unhandledRejection', surfaced)

const connectionFile = process.argv[2]
if (!connectionFile || !fs.existsSync(connectionFile)) {
  throw new Error(
    `The kernel is started by Jupyter with a connection file; found ${connectionFile ?? 'none'}. Start: npm run lab`,
  )
}
const server = new Server(new Handler(executor, false), connectionFile)
server.init()
