/**
 * The world: all that a program needs from outside itself. Nothing outside `src/world` (the real one) and `src/testing`
 * (the simulated one) touches time, randomness, sockets, files or threads in any other way, so the whole product, and a
 * user's own code, runs unchanged in the simulator.
 */
export interface World {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly network: Network
  readonly datagrams: Datagrams
  readonly probes: Probes
  readonly disk: Disk
  readonly threads: Threads
  readonly logger: Logger
}

export interface Clock {
  /**
   * Milliseconds, fractional, since an arbitrary origin. Never goes back, and is shared by all threads of the machine.
   * Goes on while the process is stopped. Its rate may differ from other machines' by the drift of their oscillators.
   */
  monotonicMs(): number
  /** Milliseconds since 1970-01-01T00:00:00Z. May step forwards and back: never use it to measure a length of time. */
  wallMs(): number
}

export interface Timers {
  /** Calls `callback` once, `delayMs` or more from now. Callbacks due at the same time run in the order of their setting. */
  after(delayMs: number, callback: () => void): Timer
  /** Calls `callback` once the input that is waiting now has been handled: the place to flush what was gathered. */
  immediate(callback: () => void): void
}

export interface Timer {
  /** Idempotent; after it returns the callback will not be called. */
  cancel(): void
}

export interface Random {
  /** Uniform in [0, 1). */
  float(): number
  /** Uniform among the integers `min..max`, both included. */
  integer(min: number, max: number): number
  /** In the Node world, fit for secrets. */
  bytes(length: number): Uint8Array
}

/** Messages (frames) between processes. */
export interface Network {
  /** Listens on `host:port`; port 0 takes a free one. Rejects with `unavailable` when the address is taken. */
  listen(address: string, accept: (connection: Connection) => void): Promise<Listener>
  /** Rejects with `unavailable` (`details.isRefused` when the machine answers that nobody listens there), `timeout` or `aborted`. */
  connect(address: string, options?: ConnectOptions): Promise<Connection>
}

export interface ConnectOptions {
  /**
   * What the user of the connection can bear. `'stream'` (default): frames arrive in order, without gap or double, until
   * the connection breaks; then any number of the last ones may be lost. `'datagram'`: each frame may be lost, doubled or
   * overtaken on its own. The Node world gives TCP's stream for both; the simulated world makes use of the licence.
   */
  readonly delivery?: 'stream' | 'datagram'
  readonly signal?: AbortSignal
  /** Default 5000. */
  readonly timeoutMs?: number
  /**
   * As whom to show up where connections are secured: `'node'` with the key or certificate that lets a node join its peers, `'client'` (default) with
   * that of a client. Without effect on a network that is not secured.
   */
  readonly as?: 'client' | 'node'
}

/** What the other side of a secured connection has shown of itself, before its first frame. */
export interface ConnectionIdentity {
  /** `'anonymous'`: the connection is encrypted, but the other side has shown no certificate. */
  readonly kind: 'certificate' | 'secret' | 'anonymous'
  /** The common name of the certificate; which derived key it was (`node`, `client`); empty when anonymous. */
  readonly name: string
  /** It has shown what only a node of the cluster has: it may speak as a peer. */
  readonly isNode: boolean
}

export interface Listener {
  /** `host:port` as bound. */
  readonly address: string
  /** Stops listening and closes the accepted connections. Idempotent. */
  close(): Promise<void>
}

/**
 * A two-way connection. A frame that is damaged, over {@link maxFrameBytes}, or not Althing's own framing closes it. The owner sets
 * the handler synchronously in `accept`, or right after `connect` resolves; no frame is delivered before.
 */
export interface Connection {
  readonly remoteAddress: string
  /** Absent on a network that is not secured: nothing is known of the other side then. */
  readonly identity?: ConnectionIdentity
  /** Bytes accepted by `send` that the operating system has not yet taken. The sender bounds it. */
  readonly queuedBytes: number
  handle(handler: ConnectionHandler): void
  /** Queues one frame. Frames sent in one turn of the loop leave in one write. The bytes are not changed afterwards by the caller. Does nothing after close. */
  send(frame: Uint8Array): void
  /** Idempotent. `closed` of the own handler is called too. */
  close(): void
}

export interface ConnectionHandler {
  frame(frame: Uint8Array): void
  /** Called once. `error` is absent when this side or the other closed in good order. */
  closed(error?: Error): void
  /** `queuedBytes` has fallen to zero after it had grown over 64 KiB. */
  drained?(): void
}

/**
 * Single packets (UDP) between machines: each may be lost, doubled, or overtaken by a later one, and is not told of. Never encrypted and never
 * authenticated, also where {@link Network} is: what must be believed has to be signed by its sender.
 */
export interface Datagrams {
  /** Binds `host:port`; port 0 takes a free one. Rejects with `unavailable` when the address is taken or not of this machine. */
  bind(address: string): Promise<DatagramSocket>
}

/** The owner sets the handler synchronously after `bind` resolves; no packet is delivered before. */
export interface DatagramSocket {
  /** `host:port` as bound. */
  readonly address: string
  /** Packets given to `send` that were dropped here: the system had {@link datagramQueueBytesMax} of earlier ones to take. */
  readonly droppedCount: number
  /** `from` is `host:port`, fit to be given to `send`. Packets that come faster than they are handled are lost. */
  handle(handler: (packet: Uint8Array, from: string) => void): void
  /**
   * Sends one packet to `host:port`. A host given by name is looked up each time. Throws `too-large` over {@link maxDatagramBytes}; does
   * nothing after close. The bytes are not changed afterwards by the caller.
   */
  send(packet: Uint8Array, to: string): void
  /** Idempotent. */
  close(): Promise<void>
}

/** What one UDP packet over IPv4 can carry. Over about 1,200 bytes it travels in pieces, and is lost with any of them. */
export const maxDatagramBytes = 65_507

/** Bytes of packets that wait to be taken by the system (when sending) or by the program (when receiving); more are dropped. */
export const datagramQueueBytesMax = 1024 * 1024

/**
 * Questions to what does not speak Althing's frames: is it there, and what does it say? For health checks. Each rejects with `timeout` after
 * `timeoutMs` and with `aborted`; nothing of it is left then.
 */
export interface Probes {
  /** Resolves once a TCP connection with `host:port` stands; it is closed at once. Rejects with `unavailable`. */
  tcp(address: string, options: ProbeOptions): Promise<void>
  /** One request on a connection of its own; a redirect is an answer like any other. Rejects with `unavailable`, and `invalid-argument` for a URL that is neither `http:` nor `https:`. */
  http(request: HttpProbe, options: ProbeOptions): Promise<HttpProbeReply>
  /**
   * Runs a program, without a shell, in an environment that has `PATH` only, and kills it with its children at the time-out. Rejects with `not-found` when there is no such program.
   */
  command(argv: readonly [string, ...string[]], options: ProbeOptions): Promise<CommandResult>
}

export interface ProbeOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface HttpProbe {
  readonly url: string
  /** Default `'GET'`. */
  readonly method?: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
}

export interface HttpProbeReply {
  readonly status: number
  /** The first {@link probeTextBytesMax} bytes of the body. */
  readonly text: string
}

export interface CommandResult {
  /** `undefined` when a signal ended it. */
  readonly exitCode: number | undefined
  /** The first {@link probeTextBytesMax} bytes of what it wrote to its standard output and error. */
  readonly output: string
}

/** What is kept of an answer or an output; the rest is read and thrown away. */
export const probeTextBytesMax = 4_096

/** 16 MiB: a frame announced as larger closes the connection before a byte of it is stored. */
export const maxFrameBytes = 16 * 1024 * 1024

/** Files. Paths are relative to the world's data folder; separators are `/`. Every failure rejects with the system's error as `cause`. */
export interface Disk {
  /** Opens for reading and writing. Without `create` a missing file rejects with `not-found`; with `create` it is made when missing. */
  open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile>
  /** The whole file; rejects with `not-found`. */
  read(path: string): Promise<Uint8Array>
  /** Names (no paths) of the entries of a folder, sorted; empty when the folder does not exist. */
  list(directory: string): Promise<string[]>
  /** Makes the folder and its parents. */
  makeDirectory(path: string): Promise<void>
  /** Atomic; replaces `to`. Durable only after {@link Disk.syncDirectory} of the folder. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file, or a folder that is empty. Does nothing when it is missing. Durable only after {@link Disk.syncDirectory}. */
  remove(path: string): Promise<void>
  /** Bytes that may still be written to the file system that the folder is on; `undefined` where the system does not say. */
  freeBytes(directory: string): Promise<number | undefined>
  /** Makes creations, renames and removals in the folder durable (fsync of the folder). */
  syncDirectory(path: string): Promise<void>
  /**
   * Takes sole possession of a folder for the life of this process; rejects with `conflict`, naming the holder, when another
   * live process has it. The operating system (or the simulator) frees it when the process dies.
   */
  lock(directory: string): Promise<{ release(): Promise<void> }>
}

export interface DiskFile {
  size(): Promise<number>
  /** Fewer bytes than asked for only at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>
  /** Writes all of `chunks`, one after the other, from `offset`. Not durable before `sync`. A rejected write may have been done in part. */
  write(offset: number, chunks: readonly Uint8Array[]): Promise<void>
  /** `write` and `sync` as one call (the real world has a cheaper way to do both at once). */
  writeDurably(offset: number, chunks: readonly Uint8Array[]): Promise<void>
  /** Makes the content written so far, and the size, durable (fdatasync). After a rejection nothing can be said about the writes before it. */
  sync(): Promise<void>
  /** Sets the size; new bytes are zero. */
  truncate(size: number): Promise<void>
  close(): Promise<void>
}

/** Work that the event loop of the caller cannot hold up. */
export interface Threads {
  /**
   * Starts `entry.run` in a thread of its own, with a world of its own (same clock, disk folder and network). In the Node
   * world the module is loaded anew there, so `run` sees only what `data` (structured-cloneable) and messages bring.
   */
  start<Data>(entry: ThreadEntry<Data>, data: Data): Thread
}

export interface ThreadEntry<Data> {
  /** `import.meta.url` of the module that exports `run` under the name `exportName`. */
  readonly moduleUrl: string
  readonly exportName: string
  readonly run: (world: World, channel: Channel, data: Data) => void | Promise<void>
}

export interface Thread extends Channel {
  /** Stops the thread at once. Idempotent. */
  stop(): Promise<void>
  /** Called once when the thread ends by itself or by an error. */
  onExit(handler: (error?: Error) => void): void
}

/** Messages are structured-cloneable and arrive in order; `SharedArrayBuffer`s in them are shared. */
export interface Channel {
  post(message: unknown): void
  onMessage(handler: (message: unknown) => void): void
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** One line for a person who runs the system. `message` is a constant text; what varies is in `fields`. */
export interface Logger {
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void
}
