'use strict'

/**
 * What is sent through one ZeroMQ socket. ZeroMQ refuses a message while another one of the same socket is still on its
 * way, and tslab does not wait. Messages go out at once where they can, so that a cell that never pauses holds none back,
 * and in order where they cannot.
 */
class SendQueue {
  waiting = []
  last = Promise.resolve()
  emptied = Promise.resolve()

  /** @param onLost gets the error of a message that did not go out */
  constructor(socket, onLost) {
    this.socket = socket
    this.onLost = onLost
  }

  send(message) {
    if (this.waiting.length > 0) {
      this.waiting.push(message)
      return
    }
    try {
      this.last = this.socket.send(message)
      this.last.catch(this.onLost)
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
      this.last.catch(this.onLost)
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
