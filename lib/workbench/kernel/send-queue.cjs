'use strict'

/**
 * @template Message
 * @typedef {{ send(message: Message): Promise<void>, close(): void }} Socket
 */

/**
 * Queue of one ZeroMQ socket. ZeroMQ refuses a message while another one of the same socket is still being sent, and tslab
 * does not wait. Messages go out at once if they can, so that a cell without pauses delays none, and
 * in order if they cannot.
 *
 * @template Message
 */
class SendQueue {
  /** @type {Message[]} */
  waiting = []
  last = Promise.resolve()
  emptied = Promise.resolve()

  /**
   * @param {Socket<Message>} socket
   * @param {(error: Error) => void} onLost gets the error of a message that did not go out
   */
  constructor(socket, onLost) {
    this.socket = socket
    this.onLost = onLost
  }

  /** @param {Message} message */
  send(message) {
    if (this.waiting.length > 0) {
      this.waiting.push(message)
      return
    }
    try {
      this.last = this.socket.send(message)
      this.last.catch(this.onLost)
    } catch (error) {
      if (!(error instanceof Error && /busy/.test(error.message))) throw error
      this.waiting.push(message)
      this.emptied = this.empty()
    }
  }

  async empty() {
    for (let [message] = this.waiting; message !== undefined; [message] = this.waiting) {
      await this.last.catch(() => undefined) // reported where it was sent
      this.last = this.socket.send(message)
      this.last.catch(this.onLost)
      this.waiting.shift()
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

module.exports = { SendQueue }
