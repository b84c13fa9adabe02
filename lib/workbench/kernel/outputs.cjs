/** What the running cell prints and shows. */
'use strict'

const util = require('node:util')
const { DISPLAY_HOOK } = require('../display')
const { jupyter } = require('./tslab.cjs')

/** Output is sent at most this often, and never in pieces larger than this many characters. */
const INTERVAL_MS = 50
const LIMIT = 1 << 18

class Outputs {
  /** @type {'stdout' | 'stderr'} */
  name = 'stdout'
  text = ''
  sent = 0
  /** @type {NodeJS.Timeout | undefined} */
  timer
  /** @type {((type: string, content: object) => void) | undefined} */
  send

  /** @param {(text: string) => string} withPlaces replaces places in scripts of cells by those in the cells */
  constructor(withPlaces) {
    this.withPlaces = withPlaces
  }

  /**
   * From here on, output goes to this request, even after the cell's end.
   *
   * @param {(type: string, content: object) => void} send
   */
  attach(send) {
    this.flush()
    Object.assign(this, { send, name: 'stdout', sent: 0 })
    for (const name of /** @type {const} */ (['stdout', 'stderr'])) {
      const decoder = new util.TextDecoder()
      /** @typedef {(error?: Error | null) => void} Done */
      /**
       * @param {string | Uint8Array} chunk
       * @param {BufferEncoding | Done} [encoding]
       * @param {Done} [callback]
       */
      process[name].write = (chunk, encoding, callback) => {
        const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
        this.write(name, this.withPlaces(text))
        const done = typeof encoding === 'function' ? encoding : callback
        if (done) process.nextTick(done)
        return true
      }
    }
    /**
     * @param {import('../display').MimeBundle} data
     * @param {{ id?: string, update?: boolean }} [about]
     */
    const publish = (data, { id, update = false } = {}) => {
      this.flush()
      this.send?.(update ? 'update_display_data' : 'display_data', {
        data,
        metadata: {},
        transient: id === undefined ? {} : { display_id: id },
      })
    }
    Object.assign(globalThis, { [DISPLAY_HOOK]: publish })
    jupyter.lastWriteDisplayData = (content, update) =>
      publish(content.data, { id: content.transient.display_id, update })
  }

  /**
   * @param {'stdout' | 'stderr'} name
   * @param {string} text
   */
  write(name, text) {
    if (name !== this.name || this.text.length > LIMIT) this.flush()
    this.name = name
    this.text += text
    // Output after a pause is sent at once: a computing cell gives no timer a chance.
    if (performance.now() - this.sent > INTERVAL_MS) this.flush()
    else this.timer ??= setTimeout(() => this.flush(), INTERVAL_MS)
  }

  flush() {
    if (this.text === '') return
    const { name, text } = this
    clearTimeout(this.timer)
    Object.assign(this, { timer: undefined, text: '', sent: performance.now() })
    this.send?.('stream', { name, text })
  }
}

module.exports = { Outputs }
