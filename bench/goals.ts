/** What a figure must be, and what it should be, as ours divided by the peer's in the same run. */
export interface Goal {
  readonly must: number
  readonly aim?: number
}

const twice: Goal = { must: 2, aim: 3 }
const fourfold: Goal = { must: 2, aim: 4 }
const tail: Goal = { must: 0.6 }
const frugal: Goal = { must: 0.8, aim: 0.5 }

/** By peer, then by the figure's name. Figures without a goal are measured for the record. */
export const goals: Readonly<Record<'etcd' | 'nats', Readonly<Record<string, Goal>>>> = {
  etcd: {
    'put, 1 client': { must: 1.3, aim: 2 },
    'put, 64 clients': twice,
    'put, 256 clients': twice,
    'put, 64 clients, p99': tail,
    'put, 256 clients, p99': tail,
    'put, 64 clients, against a native client': { must: 0.5, aim: 1 },
    'put, 256 clients, against a native client': { must: 0.5, aim: 1 },
    'put, 64 clients, CPU of all members': frugal,
    'put, 256 clients, CPU of all members': frugal,
    'get, 64 clients': fourfold,
    'txn, 64 clients': fourfold,
    'lease, 64 clients': twice,
    'put seen by 100 watchers, p50': { must: 1, aim: 0.6 },
    'kill -9 of the leader to the first write': { must: 0.6 },
  },
  nats: {
    'put, 1 client': { must: 0.6, aim: 1 },
    'put, 64 clients': { must: 0.6, aim: 1 },
    'put, 256 clients': { must: 0.6, aim: 1 },
  },
}
