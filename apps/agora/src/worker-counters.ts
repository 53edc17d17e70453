/** What a worker has done since it started, for Prometheus. */
export class WorkerCounters {
  registrations = 0
  follows = 0
  posts = 0
  timelines = 0
  pushed = 0
  socketsOpened = 0
  socketsClosedAsSlow = 0
  readonly #replies = new Map<string, number>()

  countReply(status: number): void {
    const kind = `${Math.floor(status / 100)}xx`
    this.#replies.set(kind, (this.#replies.get(kind) ?? 0) + 1)
  }

  /** The text format of Prometheus. */
  render(socketsOpen: number): string {
    const lines = [
      ...counter('agora_registrations_total', 'Agents registered here.', this.registrations),
      ...counter('agora_follows_total', 'Calls to follow that succeeded.', this.follows),
      ...counter('agora_posts_total', 'Posts taken.', this.posts),
      ...counter('agora_timelines_total', 'Timelines read.', this.timelines),
      ...counter('agora_pushed_total', 'Posts sent to connected followers.', this.pushed),
      ...counter('agora_sockets_opened_total', 'WebSocket connections accepted.', this.socketsOpened),
      ...counter(
        'agora_sockets_slow_total',
        'WebSocket connections closed for reading too slowly.',
        this.socketsClosedAsSlow,
      ),
      '# HELP agora_sockets_open WebSocket connections open now.',
      '# TYPE agora_sockets_open gauge',
      `agora_sockets_open ${socketsOpen}`,
      '# HELP agora_replies_total Replies by class of status.',
      '# TYPE agora_replies_total counter',
      ...[...this.#replies].map(([kind, count]) => `agora_replies_total{status="${kind}"} ${count}`),
    ]
    return `${lines.join('\n')}\n`
  }
}

function counter(name: string, help: string, value: number): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} counter`, `${name} ${value}`]
}
