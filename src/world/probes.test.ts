import http from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { probeTextBytesMax } from '../contracts/world.ts'
import { NodeProbes } from './probes.ts'

const probes = new NodeProbes()
const limit = { timeoutMs: 10_000 }
let server: Server
let address: string

beforeEach(async () => {
  server = http.createServer((request, response) => {
    if (request.url === '/slow') return
    response.statusCode = request.url === '/sick' ? 503 : 200
    response.end(
      request.url === '/long' ? 'x'.repeat(100_000) : `${request.method} ${request.headers['x-a'] ?? ''}`,
    )
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  ;(server as http.Server).closeAllConnections()
  await new Promise((resolve) => {
    server.close(resolve)
  })
})

test('HTTP: status and the beginning of the body, whatever the status', async () => {
  const headers = { 'x-a': 'b' }
  expect(await probes.http({ url: `http://${address}/`, headers }, limit)).toEqual({
    status: 200,
    text: 'GET b',
  })
  expect((await probes.http({ url: `http://${address}/sick` }, limit)).status).toBe(503)
  const { text } = await probes.http({ url: `http://${address}/long` }, limit)
  expect(text.length).toBe(probeTextBytesMax)
  await expect(probes.http({ url: 'file:///etc/passwd' }, limit)).rejects.toMatchObject({
    code: 'invalid-argument',
  })
})

test('HTTP: an answer that does not come, and a caller that leaves', async () => {
  const url = `http://${address}/slow`
  await expect(probes.http({ url }, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' })
  const controller = new AbortController()
  const asking = probes.http({ url }, { ...limit, signal: controller.signal })
  controller.abort()
  await expect(asking).rejects.toMatchObject({ code: 'aborted' })
})

test('TCP: a port that listens, and one that does not', async () => {
  await probes.tcp(address, limit)
  await expect(probes.tcp('127.0.0.1:1', limit)).rejects.toMatchObject({ code: 'unavailable' })
})

test('a program: exit code and output, without a shell and without this process’s environment', async () => {
  process.env['SECRET_OF_THE_TEST'] = 'x'
  const { exitCode, output } = await probes.command(
    ['/bin/sh', '-c', 'env; echo "$0 done" >&2; exit 3', '$(id)'],
    limit,
  )
  delete process.env['SECRET_OF_THE_TEST']
  expect(exitCode).toBe(3)
  expect(output).toContain('$(id) done')
  expect(output).not.toContain('SECRET_OF_THE_TEST')
  await expect(probes.command(['/no/such/program'], limit)).rejects.toMatchObject({ code: 'not-found' })
})

test('a program past its time is killed with its children', async () => {
  const marker = `${process.pid}${Math.trunc(performance.now() * 1000)}`
  const script = `sleep 30.${marker} & sleep 30.${marker}`
  await expect(probes.command(['/bin/sh', '-c', script], { timeoutMs: 300 })).rejects.toMatchObject({
    code: 'timeout',
  })
  const left = (): Promise<{ output: string }> =>
    probes.command(
      [
        '/bin/sh',
        '-c',
        `ps -eo stat,args | grep "[s]leep 30.${marker}" | grep -v "^Z" | grep -v grep || true`,
      ],
      limit,
    )
  await expect.poll(async () => (await left()).output, { timeout: 10_000 }).toBe('')
})
