import { expect, test } from 'vitest'
import { LeaderLink } from './leader-link.ts'
import { methods } from './protocol.ts'
import { withScriptedNodes } from './scripted-node.test-support.ts'

test('leadership that moves there and back leaves one connection, and every request is answered', async () => {
  await withScriptedNodes(2, async (world, nodes) => {
    for (const node of nodes) node.answer = () => 'done'
    const link = new LeaderLink(world, { clusterId: 'test', addressOf: (id) => `node${id}:7400` })
    const answers: string[] = []
    const forward = (leader: number) =>
      link.forward(leader, methods.keepLeaseAlive, 1_000, 1, {
        done: (error, body) =>
          answers.push(error === undefined ? String(body) : `${error.code} ${error.outcome}`),
      })
    for (const leader of [1, 2, 1]) forward(leader)
    await new Promise<void>((resolve) => world.timers.after(500, resolve))
    expect(answers.length).toBe(3)
    expect(answers.filter((answer) => answer === 'done').length).toBeGreaterThanOrEqual(1)
    for (const answer of answers) expect(['done', 'unavailable none']).toContain(answer)
    const open = (): number => nodes.reduce((sum, node) => sum + node.open.size, 0)
    expect(open()).toBe(1)
    forward(1)
    await new Promise<void>((resolve) => world.timers.after(100, resolve))
    expect(answers.at(-1)).toBe('done')
    link.close()
    await new Promise<void>((resolve) => world.timers.after(100, resolve))
    expect(open()).toBe(0)
  })
})
