/**
 * The control channel, in a thread of its own: it receives an interrupt even while a cell computes without pause.
 * The thread tells the kernel, and breaks the cell off if the kernel cannot react.
 */
'use strict'

const { createHmac, randomUUID } = require('node:crypto')
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads')

/** A cell that does not react to an interrupt within this time is broken off. */
const PATIENCE_MS = 1500
const RETRY_MS = 100
/** Time for a kernel whose parent is gone to end by itself. */
const ALONE_SECONDS = 3

/** State shared by both threads; cells are numbered from 1, 0 is none. */
const CELL = 0 // the running one
const ASKED = 1 // the one that was asked to stop, until the kernel reacts
const COMPILING = 2 // 1 while the kernel itself works
const IN_SCRIPT = 3 // 1 until a cell has reached its first await
const CLOSED = 4

const DELIMITER = '<IDS|MSG>'

/** @typedef {{ address: string, key: string }} Channel */
/** @typedef {{ cell?: number, giveUp?: boolean }} Interrupt the cell to interrupt, and whether to give it up */
/** @typedef {{ frames?: Uint8Array[], interrupt?: Interrupt, alone?: boolean }} Message from the thread */

class Control {
  /** @type {Worker | undefined} */
  thread
  state = new Int32Array(new SharedArrayBuffer(5 * Int32Array.BYTES_PER_ELEMENT))

  /**
   * @param {Channel} channel
   * @param {{ onMessage: (...frames: Buffer[]) => void, onInterrupt: (interrupt: Interrupt) => void }} listeners `onMessage`
   *   gets a message's frames
   */
  async open({ address, key }, { onMessage, onInterrupt }) {
    const thread = new Worker(__filename, { workerData: { address, key, state: this.state } })
    this.thread = thread
    thread.unref()
    // ZeroMQ aborts the process if it ends with the socket open.
    process.once('exit', () => {
      thread.postMessage(null)
      Atomics.wait(this.state, CLOSED, 0, 1000)
    })
    await new Promise((resolve, reject) => {
      thread.once('error', reject)
      thread.once('message', resolve)
    })
    thread.on('message', (/** @type {Message} */ { frames, interrupt, alone }) => {
      if (alone) process.exit(1)
      if (frames) onMessage(...frames.map((frame) => Buffer.from(frame)))
      else onInterrupt(interrupt ?? {})
    })
  }

  /**
   * Like a ZeroMQ socket, through the thread.
   *
   * @param {readonly (Uint8Array | string)[]} frames
   */
  async send(frames) {
    this.thread?.postMessage(frames.map((frame) => Buffer.from(frame)))
  }

  /** @param {number} cell */
  begin(cell) {
    Atomics.store(this.state, CELL, cell)
  }

  end() {
    Atomics.store(this.state, CELL, 0)
  }

  /** Whether the running cell was asked to stop and the kernel has not handled it yet. */
  pending = () => {
    const asked = Atomics.load(this.state, ASKED)
    return asked !== 0 && asked === Atomics.load(this.state, CELL)
  }

  takeNotice() {
    Atomics.store(this.state, ASKED, 0)
  }

  /**
   * Does work of the kernel itself, which is never broken off.
   *
   * @template T
   * @param {() => T} work
   */
  compiling(work) {
    return this.during(COMPILING, work)
  }

  /**
   * Runs a script, in which SIGINT breaks off work that nothing else can.
   *
   * @template T
   * @param {() => T} work
   */
  inScript(work) {
    return this.during(IN_SCRIPT, work)
  }

  /**
   * @template T
   * @param {number} phase
   * @param {() => T} work
   */
  during(phase, work) {
    Atomics.store(this.state, phase, 1)
    try {
      return work()
    } finally {
      Atomics.store(this.state, phase, 0)
    }
  }
}

if (!isMainThread && parentPort) void listen(workerData, parentPort)

/**
 * A killed Jupyter sends no message: a kernel without its parent ends, and is ended if a cell computes without pause.
 *
 * @param {import('node:worker_threads').MessagePort} kernel
 */
function endWithParent(kernel) {
  const parent = Number(process.env.JPY_PARENT_PID ?? process.ppid)
  let alone = 0
  setInterval(() => {
    if (process.ppid === parent) return
    if (alone++ === 0) kernel.postMessage({ alone: true })
    else if (alone > ALONE_SECONDS) process.kill(process.pid, 'SIGKILL')
  }, 1000)
}

/**
 * @param {Channel & { state: Int32Array }} channel
 * @param {import('node:worker_threads').MessagePort} kernel
 */
async function listen({ address, key, state }, kernel) {
  endWithParent(kernel)
  const zmq = require('zeromq')
  const socket = new zmq.Router()
  // Jupyter connects anew under the same name for every notebook. Without this ZeroMQ refuses the new connection as long as it
  // has not noticed the end of the former one, and never hears it again.
  socket.handover = true
  await socket.bind(address)
  /** @type {Promise<void>} */
  let last = Promise.resolve()
  /** @param {(Uint8Array | string)[]} frames */
  const send = (frames) => {
    last = last.then(() => socket.send(frames))
  }
  kernel.on('message', async (frames) => {
    if (frames) return send(frames)
    await last
    socket.close()
    Atomics.store(state, CLOSED, 1)
    Atomics.notify(state, CLOSED)
    process.exit()
  })
  kernel.postMessage('ready')
  const breakOff = createBreaker(state, kernel)
  for await (const frames of socket) {
    const request = parse(frames, key)
    if (request?.type !== 'interrupt_request') {
      kernel.postMessage({ frames })
      continue
    }
    const cell = Atomics.load(state, CELL)
    const again = cell !== 0 && Atomics.load(state, ASKED) === cell
    Atomics.store(state, ASKED, cell)
    kernel.postMessage({ interrupt: { cell } })
    if (cell !== 0) setTimeout(breakOff, again ? RETRY_MS : PATIENCE_MS, cell)
    send(request.answer('interrupt_reply', { status: 'ok' }))
  }
}

/**
 * Breaks a cell off in the middle of its work, once the kernel itself is idle.
 *
 * @param {Int32Array} state
 * @param {import('node:worker_threads').MessagePort} kernel
 * @returns {(cell: number) => void}
 */
function createBreaker(state, kernel) {
  /** @type {import('node:inspector').Session | undefined} */
  let session
  return function breakOff(cell) {
    if (Atomics.load(state, CELL) !== cell) return
    if (!session) {
      // Connect before checking the state: the cell that is broken off must not be a later one.
      const { Session } = require('node:inspector')
      session = new Session()
      session.connectToMainThread()
    }
    if (Atomics.load(state, ASKED) !== cell || Atomics.load(state, CELL) !== cell) return
    if (Atomics.load(state, COMPILING)) {
      setTimeout(breakOff, RETRY_MS, cell)
      return
    }
    if (Atomics.load(state, IN_SCRIPT)) process.kill(process.pid, 'SIGINT')
    else session.post('Runtime.terminateExecution')
    kernel.postMessage({ interrupt: { cell, giveUp: true } })
    setTimeout(breakOff, PATIENCE_MS, cell)
  }
}

/**
 * A message with a valid signature: its type, and how to answer it.
 *
 * @param {readonly Uint8Array[]} frames
 * @param {string} key
 */
function parse(frames, key) {
  const start = frames.findIndex((frame) => frame.toString() === DELIMITER)
  const [signature, ...parts] = frames.slice(start + 1)
  /** @param {readonly (string | Uint8Array)[]} texts */
  const sign = (texts) =>
    texts.reduce((hmac, text) => hmac.update(text), createHmac('sha256', key)).digest('hex')
  const [first] = parts
  if (start < 0 || !first || signature?.toString() !== sign(parts)) return null
  const header = JSON.parse(first.toString())
  /**
   * @param {string} type
   * @param {object} content
   */
  const answer = (type, content) => {
    const own = { ...header, msg_id: randomUUID(), msg_type: type, date: new Date().toISOString() }
    const texts = [own, header, {}, content].map((part) => JSON.stringify(part))
    return [...frames.slice(0, start + 1), sign(texts), ...texts]
  }
  return { type: header.msg_type, answer }
}

module.exports = { Control, PATIENCE_MS }
