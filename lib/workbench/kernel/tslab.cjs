/** The parts of tslab 1.0.22 used here, with types missing from its own declarations. */
'use strict'

const { version } = require('tslab/package.json')

if (version !== '1.0.22') {
  throw new Error(
    `The kernel repairs tslab 1.0.22 and found ${version}: set "tslab": "1.0.22" in package.json and run npm ci.`,
  )
}

/** @typedef {{ send(frames: (Uint8Array | string)[]): unknown }} Socket */
/**
 * @typedef {import('./send-queue.cjs').Socket<(Uint8Array | string)[]> & {
 *   sendHighWaterMark: number,
 *   handover: boolean,
 *   bind(address: string): Promise<void>,
 * }} OwnSocket of ZeroMQ
 */
/**
 * @template [Content=object]
 * @typedef {{
 *   header: { msg_type: string },
 *   content: Content,
 *   createReply(): Message,
 *   signAndSend(key: string, socket: Socket): void,
 * }} Message
 */
/**
 * @typedef {{
 *   connInfo: { transport: string, ip: string, key: string },
 *   iopub: Socket,
 *   shell: Socket,
 *   stdin: Socket,
 *   control: Socket,
 *   init(): Promise<void>,
 *   bindSocket(socket: OwnSocket, port: number): Promise<void>,
 *   handleShellMessage(socket: Socket, ...frames: Buffer[]): Promise<void>,
 *   handleCommInfoRequest(socket: Socket, request: Message): void,
 *   handleExecute(socket: Socket, request: Message<Cell>): Promise<void>,
 *   close(): void,
 * }} ServerParts
 */
/** @typedef {{ code: string, silent: boolean, stop_on_error?: boolean }} Cell as Jupyter sends it */
/** @typedef {{ language_info: { version: string }, banner: string }} About the kernel */
/** @typedef {{ handleKernel(): About, handleShutdown(request: { restart: boolean }): { restart: boolean } }} HandlerParts */
/** @typedef {{ data: import('../display').MimeBundle, transient: { display_id?: string } }} Display */
/**
 * @typedef {{
 *   ZmqServer: new (handler: object, file: string) => ServerParts,
 *   JupyterHandlerImpl: new (executor: object, isJs: boolean) => HandlerParts,
 *   lastWriteDisplayData: (display: Display, update: boolean) => void,
 * }} Jupyter
 */

const jupyter = /** @type {Jupyter} */ (/** @type {unknown} */ (require('tslab/dist/jupyter')))

module.exports = { jupyter, version }
