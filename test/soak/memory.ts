/** Memory of one node at one moment. */
export interface MemorySample {
  readonly node: number
  /** Since the soak began. */
  readonly atMs: number
  /** Resident, as the system counts it. */
  readonly residentBytes: number
  /** Of the JavaScript heap; absent where the node did not answer. */
  readonly heapBytes?: number
}

/** What a node's memory was like in the course of a soak. Absent: it did not run then. */
export interface MemoryCourse {
  readonly node: number
  readonly samples: number
  readonly residentAt: { readonly tenth?: number; readonly half?: number; readonly end?: number }
  readonly heapAt: { readonly tenth?: number; readonly half?: number; readonly end?: number }
  /** Medians, and the last by the third. */
  readonly thirdFifthBytes?: number
  readonly lastFifthBytes?: number
  readonly growth?: number
  /** Absent: it did not run long enough in one of the two fifths to be judged. */
  readonly isFlat?: boolean
}

/** Flat is a node whose median in the last fifth of the time is at most so many times that in the third fifth. */
export const flatGrowthMax = 1.15
/** A fifth in which a node was seen less often than this tells nothing of it. */
const samplesMin = 12
/** Memory "at 10 %" is the median of what was seen within this share of the time around it. */
const aroundShare = 0.03

/** The course of every node that was seen, by number. */
export function memoryCourses(samples: readonly MemorySample[], totalMs: number): MemoryCourse[] {
  const nodes = [...new Set(samples.map(({ node }) => node))].sort((a, b) => a - b)
  return nodes.map((node) => courseOf(node, samples, totalMs))
}

function courseOf(node: number, all: readonly MemorySample[], totalMs: number): MemoryCourse {
  const own = all.filter((sample) => sample.node === node)
  const third = within(own, totalMs, 0.4, 0.6)
  const last = within(own, totalMs, 0.8, 1)
  const thirdFifthBytes = third.length < samplesMin ? undefined : median(third.map(resident))
  const lastFifthBytes = last.length < samplesMin ? undefined : median(last.map(resident))
  const growth =
    thirdFifthBytes === undefined || lastFifthBytes === undefined
      ? undefined
      : lastFifthBytes / thirdFifthBytes
  return {
    node,
    samples: own.length,
    residentAt: momentsOf(own, totalMs, resident),
    heapAt: momentsOf(own, totalMs, ({ heapBytes }) => heapBytes),
    ...(thirdFifthBytes === undefined ? {} : { thirdFifthBytes }),
    ...(lastFifthBytes === undefined ? {} : { lastFifthBytes }),
    ...(growth === undefined ? {} : { growth, isFlat: growth <= flatGrowthMax }),
  }
}

function momentsOf(
  own: readonly MemorySample[],
  totalMs: number,
  bytesOf: (sample: MemorySample) => number | undefined,
): MemoryCourse['residentAt'] {
  const at = (share: number): number | undefined => {
    const around = within(own, totalMs, share - aroundShare, share + aroundShare)
    return median(around.map(bytesOf).filter((bytes) => bytes !== undefined))
  }
  const [tenth, half, end] = [at(0.1), at(0.5), at(1)]
  return {
    ...(tenth === undefined ? {} : { tenth }),
    ...(half === undefined ? {} : { half }),
    ...(end === undefined ? {} : { end }),
  }
}

const resident = ({ residentBytes }: MemorySample): number => residentBytes

function within(samples: readonly MemorySample[], totalMs: number, from: number, to: number): MemorySample[] {
  return samples.filter(({ atMs }) => atMs >= from * totalMs && atMs <= to * totalMs)
}

function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)]
}
