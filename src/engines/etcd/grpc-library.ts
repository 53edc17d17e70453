import { loadOptionalPackage } from '../optional-package.ts'

/** What the engine uses of `@grpc/grpc-js`, in its own words, so that programs without etcd type-check without the package. */
export interface GrpcLibrary {
  readonly Client: new (address: string, credentials: GrpcCredentials, options: object) => GrpcClient
  readonly Metadata: new () => GrpcMetadata
  readonly credentials: {
    createInsecure(): GrpcCredentials
    createSsl(
      rootCerts?: Buffer | null,
      privateKey?: Buffer | null,
      certChain?: Buffer | null,
    ): GrpcCredentials
  }
}

/** Opaque. */
export type GrpcCredentials = object

export interface GrpcMetadata {
  set(key: string, value: string): void
}

export interface GrpcClient {
  makeUnaryRequest<Request, Response>(
    path: string,
    encode: (request: Request) => Buffer,
    decode: (bytes: Buffer) => Response,
    request: Request,
    metadata: GrpcMetadata,
    callback: (error: GrpcFailure | null, response?: Response) => void,
  ): { cancel(): void }
  makeBidiStreamRequest<Request, Response>(
    path: string,
    encode: (request: Request) => Buffer,
    decode: (bytes: Buffer) => Response,
    metadata: GrpcMetadata,
  ): GrpcStream<Request, Response>
  getChannel(): {
    /** 0 idle, 1 connecting, 2 ready, 3 transient failure, 4 shut down. */
    getConnectivityState(tryToConnect: boolean): number
    watchConnectivityState(current: number, deadline: number, callback: (error?: Error) => void): void
  }
  close(): void
}

export interface GrpcStream<Request, Response> {
  write(request: Request): unknown
  end(): unknown
  cancel(): void
  on(event: 'data', listener: (response: Response) => void): unknown
  on(event: 'error', listener: (error: GrpcFailure) => void): unknown
  on(event: 'end', listener: () => void): unknown
}

export interface GrpcFailure {
  /** A status code of gRPC, 1 to 16. */
  readonly code: number
  /** etcd's own text, or the library's. */
  readonly details: string
}

export const ready = 2

export async function loadGrpc(): Promise<GrpcLibrary> {
  return await loadOptionalPackage<GrpcLibrary>(
    '@grpc/grpc-js',
    '1',
    'the etcd engine',
    async () => (await import('@grpc/grpc-js')) as unknown as GrpcLibrary,
  )
}
