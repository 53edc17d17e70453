import { fileURLToPath } from 'node:url'
import {
  type CallOptions,
  type ClientUnaryCall,
  type GrpcObject,
  loadPackageDefinition,
  type ServiceError,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

export type Unary<Request, Reply> = (
  request: Request,
  options: CallOptions,
  callback: (error: ServiceError | null, reply: Reply) => void,
) => ClientUnaryCall

/** The packages of etcd's interface: its own file and others that import nothing else. */
export function etcdPackages(others: readonly URL[] = []): GrpcObject {
  const files = [new URL('./etcd.proto', import.meta.url), ...others].map((url) => fileURLToPath(url))
  return loadPackageDefinition(loadSync(files, { keepCase: true, longs: String, defaults: true }))
}
