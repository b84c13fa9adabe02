/** The kernel's end of Jupyter's channels: requests run one after another, and no message is lost. */
'use strict'

const { describeValue } = require('../display')
const { typescriptVersion } = require('./compiler.cjs')
const { PATIENCE_MS } = require('./control.cjs')
const { Outputs } = require('./outputs.cjs')
const { SendQueue } = require('./send-queue.cjs')
const { jupyter, version } = require('./tslab.cjs')

/** @typedef {import('./tslab.cjs').Socket} Socket */
/** @typedef {import('./tslab.cjs').OwnSocket} OwnSocket */
/** @typedef {import('./tslab.cjs').Message} Message */
/** @typedef {import('./cells.cjs').Cells} Cells */

/** Requests that arrive within this time after a failed cell were sent before its failure was known. */
const DRAIN_MS = 50
/**
 * Time after Jupyter has last asked for the kernel until common imports are prepared. That takes seconds, on a loaded machine half a
 * minute, during which nothing is answered; and Jupyter asks again until it has heard both channels.
 */
const WARM_UP_MS = 1000
const DELIMITER = Buffer.from('<IDS|MSG>')
/** @param {number} milliseconds */
const delay = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

class Handler extends jupyter.JupyterHandlerImpl {
  /** @type {NodeJS.Timeout | undefined} */
  timer
  isWarm = false

  /**
   * @param {Cells} cells
   * @param {() => void} warmUp
   */
  constructor(cells, warmUp) {
    super(cells.executor, false)
    this.warmUp = warmUp
  }

  begin() {
    this.isWarm = true
    this.warmUp()
  }

  /** @override */
  handleKernel() {
    clearTimeout(this.timer)
    if (!this.isWarm) this.timer = setTimeout(() => this.begin(), WARM_UP_MS)
    const reply = super.handleKernel()
    reply.language_info.version = typescriptVersion
    reply.banner = `TypeScript ${typescriptVersion}, Node ${process.version}`
    return { status: 'ok', ...reply, implementation_version: version }
  }

  /**
   * @override
   * @param {{ restart: boolean }} request
   */
  handleShutdown(request) {
    return { status: 'ok', restart: Boolean(request.restart) }
  }
}

class Server extends jupyter.ZmqServer {
  queue = Promise.resolve()
  /**
   * One queue per socket, which sends one message after another.
   *
   * @type {Map<Socket, SendQueue<(Uint8Array | string)[]>>}
   */
  queues = new Map()
  count = 0
  /** Cells are numbered as they arrive; those up to cancelledTo were waiting behind a failed one. */
  arrived = 0
  cancelledTo = 0
  /** The one that is running, or whose end is awaited. */
  running = 0
  /** @type {Promise<void> | undefined} */
  bound

  /**
   * @param {Cells} cells
   * @param {() => void} warmUp
   * @param {string} connectionFile
   */
  constructor(cells, warmUp, connectionFile) {
    super(new Handler(cells, warmUp), connectionFile)
    this.cells = cells
    this.outputs = new Outputs((text) => cells.executor.withPlaces(text))
  }

  /**
   * A request may arrive while other sockets, needed for its answers, are still being bound: it waits for them. A kernel
   * without one of them could never answer, so it ends, and Jupyter chooses other ports (it chose these before the kernel began,
   * and others may have taken them since).
   *
   * @override
   */
  async init() {
    this.bound = super.init()
    try {
      await this.bound
    } catch (error) {
      process.stderr.write(`The kernel cannot listen where Jupyter wants it to: ${String(error)}\n`)
      process.exit(1)
    }
  }

  /**
   * Where a socket listens: a port, or with the transport `ipc` a file.
   *
   * @param {number} port
   */
  address(port) {
    const { transport, ip } = this.connInfo
    return `${transport}://${ip}${transport === 'ipc' ? '-' : ':'}${port}`
  }

  /**
   * @override
   * @param {OwnSocket} socket
   * @param {number} port
   */
  async bindSocket(socket, port) {
    if (socket === this.control) {
      const { control, interrupt } = this.cells
      await control.open(
        { address: this.address(port), key: this.connInfo.key },
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
    if (socket === this.shell || socket === this.stdin) socket.handover = true // see control.cjs
    await socket.bind(this.address(port))
    if (socket === this.iopub) this.iopub = this.queueing(socket)
  }

  /** @param {Socket} socket */
  queueing(socket) {
    /** @param {Error} error */
    const lost = (error) => {
      if (!this.cells.closed) process.stderr.write(`A message to Jupyter was lost: ${error.message}\n`)
    }
    const queue = this.queues.get(socket) ?? new SendQueue(/** @type {OwnSocket} */ (socket), lost)
    this.queues.set(socket, queue)
    return queue
  }

  /**
   * @param {Message} request
   * @param {Socket} socket
   * @param {string} type
   * @param {object} content
   */
  send(request, socket, type, content) {
    if (this.cells.closed) return
    const message = request.createReply()
    message.header.msg_type = type
    message.content = content
    message.signAndSend(this.connInfo.key, socket)
  }

  /**
   * @override
   * @param {Socket} socket
   * @param {...Buffer} parts
   */
  async handleShellMessage(socket, ...parts) {
    await this.bound
    // Completion, inspection and the like are answered while a cell waits; only cells queue up.
    const header = parts[parts.findIndex((part) => part.equals(DELIMITER)) + 2]
    const type = header && JSON.parse(header.toString()).msg_type
    const answers = this.queueing(socket)
    if (type !== 'execute_request') return super.handleShellMessage(answers, ...parts)
    const number = ++this.arrived
    const { control } = this.cells
    this.queue = this.queue.then(async () => {
      this.running = number
      // Before anybody learns that it runs: a later interrupt means this cell.
      control.begin(number)
      try {
        await super.handleShellMessage(answers, ...parts)
      } finally {
        control.end()
      }
    })
    return this.queue
  }

  /**
   * @override
   * @param {Socket} socket
   * @param {Message} request
   */
  handleCommInfoRequest(socket, request) {
    this.send(request, socket, 'comm_info_reply', { status: 'ok', comms: {} })
  }

  /**
   * @override
   * @param {Socket} socket
   * @param {import('./tslab.cjs').Message<import('./tslab.cjs').Cell>} request
   */
  async handleExecute(socket, request) {
    const { code, silent, stop_on_error: stopOnError = true } = request.content
    /**
     * @param {string} status
     * @param {object} [more]
     */
    const reply = (status, more) =>
      this.send(request, socket, 'execute_reply', { status, execution_count: this.count, ...more })
    if (this.running <= this.cancelledTo) {
      reply('aborted')
      return
    }
    if (!silent) this.count += 1
    this.send(request, this.iopub, 'execute_input', { code, execution_count: this.count })
    this.outputs.attach((type, content) => this.send(request, this.iopub, type, content))
    const failure =
      code.trim() === '%reset'
        ? await this.reset()
        : await this.cells.run(code, {
            name: silent ? `silent ${this.running}` : String(this.count),
            number: this.running,
            onValue: (value) => this.result(request, value),
          })
    this.outputs.flush()
    if (!failure) {
      reply('ok', { payload: [], user_expressions: {} })
      return
    }
    this.send(request, this.iopub, 'error', failure)
    if (stopOnError) {
      await delay(DRAIN_MS)
      this.cancelledTo = this.arrived
    }
    reply('error', failure)
  }

  async reset() {
    const failure = await this.cells.reset(DRAIN_MS)
    this.count = 0
    return failure
  }

  /**
   * Sends a cell's last value; a value with a representation of its own (a table) sends that too.
   *
   * @param {Message} request
   * @param {{}} value
   */
  result(request, value) {
    this.outputs.flush()
    const data = describeValue(value)
    this.send(request, this.iopub, 'execute_result', { execution_count: this.count, data, metadata: {} })
  }

  /**
   * Ends the process, whatever timers or work still run. The running cell may stop by itself first, and an immediate error of
   * work left by earlier ones is still reported.
   *
   * @override
   */
  async close() {
    const { cells } = this
    if (cells.current) cells.interrupt()
    await delay(DRAIN_MS)
    for (let waited = 0; cells.current && waited < PATIENCE_MS; waited += DRAIN_MS) await delay(DRAIN_MS)
    this.outputs.flush()
    await Promise.race([
      Promise.all([...this.queues.values()].map((queue) => queue.settled())),
      delay(PATIENCE_MS),
    ])
    cells.closed = true
    super.close()
    setTimeout(() => process.exit(0), DRAIN_MS)
  }
}

module.exports = { Server }
