import { type AddressInfo, createServer, type Server } from 'node:net'

/** So many TCP ports of 127.0.0.1 that nobody listened on just now; the first is `preferred` where that is free. */
export async function freePorts(count: number, preferred = 0): Promise<number[]> {
  const wanted = Array.from({ length: count }, (_, i) => (i === 0 ? preferred : 0))
  const servers = await Promise.all(wanted.map((port) => listen(port).catch(() => listen(0))))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
