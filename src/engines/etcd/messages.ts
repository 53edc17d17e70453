import {
  bool,
  bytes,
  choice,
  int,
  latin1,
  many,
  message,
  type Message,
  one,
  type Received,
  type Sent,
  utf8,
  wideInt,
} from './protobuf.ts'

/*
 * etcd's client interface, version 3 (`etcdserverpb/rpc.proto`): the methods that the engine calls, with the fields that it writes or reads. Leases that other
 * clients were given have ids beyond 2^53, so those that the engine passes on are wide.
 */

const responseHeader = message({ revision: one(3, int) })

export const keyValue = message({
  key: one(1, latin1),
  createRevision: one(2, int),
  modRevision: one(3, int),
  version: one(4, int),
  value: one(5, bytes),
  lease: one(6, int),
})

export const sortOrder = { none: 0, ascending: 1, descending: 2 } as const

export const rangeRequest = message({
  key: one(1, latin1),
  rangeEnd: one(2, latin1),
  limit: one(3, int),
  revision: one(4, int),
  sortOrder: one(5, int),
  serializable: one(7, bool),
  keysOnly: one(8, bool),
  countOnly: one(9, bool),
})
export const rangeResponse = message({
  header: one(1, responseHeader),
  kvs: many(2, keyValue),
  more: one(3, bool),
  count: one(4, int),
})

export const putRequest = message({
  key: one(1, latin1),
  value: one(2, bytes),
  lease: one(3, int),
  prevKv: one(4, bool),
  ignoreLease: one(6, bool),
})
export const putResponse = message({ header: one(1, responseHeader), prevKv: one(2, keyValue) })

export const deleteRequest = message({
  key: one(1, latin1),
  rangeEnd: one(2, latin1),
  prevKv: one(3, bool),
})
export const deleteResponse = message({
  header: one(1, responseHeader),
  deleted: one(2, int),
  prevKvs: many(3, keyValue),
})

export const compareResult = { '=': 0, '>': 1, '<': 2, '!=': 3 } as const
export const compareTarget = { version: 0, createRevision: 1, modRevision: 2, value: 3, lease: 4 } as const

export const compare = message({
  result: one(1, int),
  target: one(2, int),
  key: one(3, latin1),
  version: choice(4, int),
  createRevision: choice(5, int),
  modRevision: choice(6, int),
  value: choice(7, bytes),
  lease: choice(8, int),
  rangeEnd: one(64, latin1),
})

const plainOperation = {
  range: one(1, rangeRequest),
  put: one(2, putRequest),
  delete: one(3, deleteRequest),
}
const plainResponse = {
  range: one(1, rangeResponse),
  put: one(2, putResponse),
  delete: one(3, deleteResponse),
}
/** A transaction in a transaction; the engine needs them one deep. */
const innerTxn = message({
  compare: many(1, compare),
  success: many(2, message(plainOperation)),
  failure: many(3, message(plainOperation)),
})
const innerTxnResponse = message({ responses: many(3, message(plainResponse)) })

export const requestOperation = message({ ...plainOperation, txn: one(4, innerTxn) })
export const responseOperation = message({ ...plainResponse, txn: one(4, innerTxnResponse) })
export const txnRequest = message({
  compare: many(1, compare),
  success: many(2, requestOperation),
  failure: many(3, requestOperation),
})
export const txnResponse = message({
  header: one(1, responseHeader),
  succeeded: one(2, bool),
  responses: many(3, responseOperation),
})

const compactRequest = message({ revision: one(1, int) })
const compactResponse = message({ header: one(1, responseHeader) })

const leaseGrantRequest = message({ ttl: one(1, int), id: one(2, int) })
const leaseGrantResponse = message({ id: one(2, int), ttl: one(3, int) })
const leaseRevokeRequest = message({ id: one(1, int) })
const leaseRevokeResponse = message({ header: one(1, responseHeader) })
const leaseKeepAliveRequest = message({ id: one(1, int) })
const leaseKeepAliveResponse = message({ id: one(2, int), ttl: one(3, int) })
const leaseTimeToLiveRequest = message({ id: one(1, wideInt), keys: one(2, bool) })
const leaseTimeToLiveResponse = message({
  ttl: one(3, int),
  grantedTtl: one(4, int),
  keys: many(5, latin1),
})
const leaseLeasesRequest = message({})
const leaseLeasesResponse = message({ leases: many(2, message({ id: one(1, wideInt) })) })

export const watchRequest = message({
  create: one(
    1,
    message({
      key: one(1, latin1),
      rangeEnd: one(2, latin1),
      startRevision: one(3, int),
      progressNotify: one(4, bool),
      prevKv: one(6, bool),
      fragment: one(8, bool),
    }),
  ),
  progress: one(3, message({})),
})
export const eventType = { put: 0, delete: 1 } as const
export const event = message({
  type: one(1, int),
  kv: one(2, keyValue),
  prevKv: one(3, keyValue),
})
export const watchResponse = message({
  header: one(1, responseHeader),
  watchId: one(2, int),
  created: one(3, bool),
  canceled: one(4, bool),
  compactRevision: one(5, int),
  cancelReason: one(6, utf8),
  fragment: one(7, bool),
  events: many(11, event),
})

const statusRequest = message({})
const statusResponse = message({ header: one(1, responseHeader), version: one(2, utf8) })
const memberListRequest = message({})
const memberListResponse = message({ members: many(2, message({ id: one(1, wideInt) })) })
const authenticateRequest = message({ name: one(1, utf8), password: one(2, utf8) })
const authenticateResponse = message({ token: one(2, utf8) })

export type EtcdKeyValue = Received<typeof keyValue>
export type EtcdCompare = Sent<typeof compare>
export type EtcdOperation = Sent<typeof requestOperation>
export type EtcdOperationResponse = Received<typeof responseOperation>
export type EtcdRangeRequest = Sent<typeof rangeRequest>
export type EtcdRangeResponse = Received<typeof rangeResponse>
export type EtcdTxnRequest = Sent<typeof txnRequest>
export type EtcdTxnResponse = Received<typeof txnResponse>
export type EtcdEvent = Received<typeof event>
export type EtcdWatchRequest = Sent<typeof watchRequest>
export type EtcdWatchResponse = Received<typeof watchResponse>

export interface Method<Request, Response> {
  readonly path: string
  encode(request: Request): Buffer
  decode(bytes: Uint8Array): Response
}

function method<RequestIn, RequestOut, ResponseIn, ResponseOut>(
  name: string,
  request: Message<RequestIn, RequestOut>,
  response: Message<ResponseIn, ResponseOut>,
): Method<RequestIn, ResponseOut> {
  return { path: `/etcdserverpb.${name}`, encode: request.encode, decode: response.decode }
}

export const methods = {
  range: method('KV/Range', rangeRequest, rangeResponse),
  put: method('KV/Put', putRequest, putResponse),
  txn: method('KV/Txn', txnRequest, txnResponse),
  compact: method('KV/Compact', compactRequest, compactResponse),
  leaseGrant: method('Lease/LeaseGrant', leaseGrantRequest, leaseGrantResponse),
  leaseRevoke: method('Lease/LeaseRevoke', leaseRevokeRequest, leaseRevokeResponse),
  leaseKeepAlive: method('Lease/LeaseKeepAlive', leaseKeepAliveRequest, leaseKeepAliveResponse),
  leaseTimeToLive: method('Lease/LeaseTimeToLive', leaseTimeToLiveRequest, leaseTimeToLiveResponse),
  leaseLeases: method('Lease/LeaseLeases', leaseLeasesRequest, leaseLeasesResponse),
  watch: method('Watch/Watch', watchRequest, watchResponse),
  status: method('Maintenance/Status', statusRequest, statusResponse),
  memberList: method('Cluster/MemberList', memberListRequest, memberListResponse),
  authenticate: method('Auth/Authenticate', authenticateRequest, authenticateResponse),
} as const
