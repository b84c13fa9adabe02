import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHmac, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as zmq from 'zeromq'
import { root } from '../../lib/workbench/project'

/** A message of Jupyter's protocol, as far as the tests look at it. */
export interface Message {
  type: string
  parent: string
  // biome-ignore lint/suspicious/noExplicitAny: each message type has its own content, and the assertions check it
  content: any
}

export interface Reply {
  status: string
  count: number
  /** What the cell printed, both streams together. */
  text: string
  /** The iopub messages of the request, without status messages, in order. */
  messages: Message[]
}

/** A Jupyter client, just large enough to talk to the kernel without Python. */
export class KernelClient {
  private readonly replies = new Map<string, (content: Message['content']) => void>()
  private readonly idle = new Map<string, (messages: Message[]) => void>()
  private readonly published = new Map<string, Message[]>()
  private begin: (() => void) | undefined
  private print: { text: string; resolve: () => void } | undefined

  private constructor(
    readonly process: ChildProcess,
    private readonly shell: zmq.Dealer,
    private readonly iopub: zmq.Subscriber,
    private readonly control: zmq.Dealer,
    private readonly key: string,
    private readonly folder: string,
    private readonly addresses: { readonly shell: string; readonly control: string },
  ) {}

  static async start(notebookDir: string, env: Readonly<Record<string, string>> = {}): Promise<KernelClient> {
    const folder = mkdtempSync(path.join(tmpdir(), 'kernel-test-'))
    const ports = await freePorts(5)
    const names = ['shell_port', 'iopub_port', 'stdin_port', 'control_port', 'hb_port']
    const key = randomUUID()
    const connection = { transport: 'tcp', ip: '127.0.0.1', key, signature_scheme: 'hmac-sha256' }
    const file = path.join(folder, 'connection.json')
    writeFileSync(
      file,
      JSON.stringify({ ...connection, ...Object.fromEntries(names.map((name, i) => [name, ports[i]])) }),
    )
    const launcher = path.join(root, 'lib/workbench/kernel/main.cjs')
    const child = spawn(process.execPath, [launcher, file], {
      cwd: notebookDir,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const shell = new zmq.Dealer()
    const control = new zmq.Dealer()
    const iopub = new zmq.Subscriber()
    iopub.receiveHighWaterMark = 0
    const addresses = { shell: `tcp://127.0.0.1:${ports[0]}`, control: `tcp://127.0.0.1:${ports[3]}` }
    shell.connect(addresses.shell)
    iopub.connect(`tcp://127.0.0.1:${ports[1]}`)
    control.connect(addresses.control)
    iopub.subscribe()
    const client = new KernelClient(child, shell, iopub, control, key, folder, addresses)
    void client.listen(shell)
    void client.listen(control)
    void client.listenIopub()
    // The subscription travels separately: it has arrived once something is heard that the kernel publishes with every answer.
    do await client.request('kernel_info_request', {})
    while (client.published.size === 0)
    return client
  }

  /** One more connection to a channel, under a name. Close it. */
  connect(channel: 'shell' | 'control', name: string): zmq.Dealer {
    const socket = new zmq.Dealer({ routingId: name, linger: 0 })
    socket.connect(this.addresses[channel])
    void this.listen(socket)
    return socket
  }

  /** Runs a cell and waits for its reply and for the end of its output. */
  async execute(code: string, content: Record<string, unknown> = {}): Promise<Reply> {
    const id = randomUUID()
    const messages = new Promise<Message[]>((resolve) => this.idle.set(id, resolve))
    const reply = await this.request(
      'execute_request',
      { code, silent: false, store_history: true, ...content },
      { id },
    )
    const all = await messages
    const streams = all.filter(({ type }) => type === 'stream')
    return {
      status: reply.status,
      count: reply.execution_count,
      text: streams.map(({ content: { text } }) => text).join(''),
      messages: all,
    }
  }

  async request(
    type: string,
    content: object,
    { id = randomUUID() as string, socket = this.shell }: { id?: string; socket?: zmq.Dealer } = {},
  ): Promise<Message['content']> {
    const header = { msg_id: id, session: 'test', username: 'test', msg_type: type, version: '5.3', date: '' }
    const parts = [header, {}, {}, content].map((part) => JSON.stringify(part))
    const hmac = createHmac('sha256', this.key)
    for (const part of parts) hmac.update(part)
    const reply = new Promise<Message['content']>((resolve) => this.replies.set(id, resolve))
    await socket.send(['<IDS|MSG>', hmac.digest('hex'), ...parts])
    return reply
  }

  /** Resolves when the kernel begins the next cell, which it compiles first. */
  begun(): Promise<void> {
    return new Promise((resolve) => {
      this.begin = resolve
    })
  }

  /** Resolves when a cell has printed a text. */
  printed(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.print = { text, resolve }
    })
  }

  /** Interrupts as the kernel's specification tells Jupyter to; resolves when the kernel has heard it. */
  async interrupt(): Promise<void> {
    assert.equal((await this.request('interrupt_request', {}, { socket: this.control })).status, 'ok')
  }

  /** Shuts the kernel down; answers with its exit code. */
  async stop(): Promise<number | null> {
    const exited = once(this.process, 'exit')
    void this.request('shutdown_request', { restart: false }, { socket: this.control })
    const [code] = await exited
    this.shell.close()
    this.control.close()
    this.iopub.close()
    rmSync(this.folder, { recursive: true, force: true })
    return code
  }

  private async listen(socket: zmq.Dealer): Promise<void> {
    for await (const frames of socket) {
      const { parent, content } = parse(frames)
      this.replies.get(parent)?.(content)
    }
  }

  private async listenIopub(): Promise<void> {
    for await (const frames of this.iopub) {
      const message = parse(frames)
      const messages = this.published.get(message.parent) ?? []
      this.published.set(message.parent, messages)
      if (message.type === 'execute_input') this.begin?.()
      if (this.print && message.content.text?.includes(this.print.text)) this.print.resolve()
      if (message.type !== 'status') messages.push(message)
      else if (message.content.execution_state === 'idle') this.idle.get(message.parent)?.(messages)
    }
  }
}

function parse(frames: readonly Buffer[]): Message {
  const start = frames.findIndex((frame) => frame.toString() === '<IDS|MSG>') + 2
  const [header, parent, , content] = frames.slice(start).map((frame) => JSON.parse(frame.toString()))
  return { type: header.msg_type, parent: parent.msg_id ?? '', content }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
