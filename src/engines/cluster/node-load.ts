/** After so long without an answer half of what was known of a node's latency is forgotten, so that a slow node is tried again. */
const halfLifeMs = 5_000
const weightOfNewest = 0.2
/** No node is taken for faster than this: below it the number of calls under way decides. */
const latencyMsMin = 0.05

/**
 * How long a node takes to answer, as one client sees it. With the calls under way it tells which of several nodes will probably answer first: the near
 * one while it is idle, another when it is busy.
 */
export class NodeLoad {
  #latencyMs: number
  #atMs: number

  /** `latencyMs`: what the greeting took. */
  constructor(latencyMs: number, nowMs: number) {
    this.#latencyMs = latencyMs
    this.#atMs = nowMs
  }

  answered(latencyMs: number, nowMs: number): void {
    const known = this.#decayed(nowMs)
    // A slow answer counts at once, a fast one little by little: the costly mistake is to believe a node too fast.
    this.#latencyMs = latencyMs > known ? latencyMs : known + (latencyMs - known) * weightOfNewest
    this.#atMs = nowMs
  }

  /** Lower is better. */
  cost(callsUnderWay: number, nowMs: number): number {
    return (callsUnderWay + 1) * Math.max(latencyMsMin, this.#decayed(nowMs))
  }

  #decayed(nowMs: number): number {
    return this.#latencyMs * 0.5 ** (Math.max(0, nowMs - this.#atMs) / halfLifeMs)
  }
}
