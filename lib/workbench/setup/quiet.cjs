/**
 * TensorFlow prints a greeting to the standard error of every process, whatever its log level. So commands run with a
 * pipe as standard error, copied here without the greeting; on a terminal their own messages bypass it.
 */
'use strict'

const tty = require('node:tty')

const GREETING =
  /^(WARNING: All log messages before absl::InitializeLog|I0000 .*(oneDNN custom operations|cpu_feature_guard)|To enable the following instructions)/

/** File descriptor of the real terminal in a command. */
const TERMINAL = 3

/**
 * Copies everything except the greeting, line by line.
 *
 * @param {import('node:stream').Readable} from
 * @param {{ write(text: string): unknown }} to
 */
function copyWithoutGreeting(from, to) {
  let rest = ''
  /** @param {string} text */
  const copy = (text) => {
    if (text && !GREETING.test(text)) to.write(text)
  }
  from.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
    const lines = (rest + text).split(/(?<=\n)/)
    rest = lines.at(-1)?.endsWith('\n') ? '' : (lines.pop() ?? '')
    for (const line of lines) copy(line)
  })
  from.on('end', () => copy(rest))
}

/** In the command itself: gives process.stderr the terminal back, with its width and colours. */
function takeTerminal() {
  const terminal = new tty.WriteStream(TERMINAL)
  Object.defineProperty(process, 'stderr', { value: terminal, configurable: true, enumerable: true })
}

module.exports = { copyWithoutGreeting }
if (process.env.WORKBOOK_TERMINAL === String(process.ppid)) takeTerminal()
