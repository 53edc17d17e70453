import { type Althing, open } from 'althing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestBrowser } from './browser.test-support.ts'
import { UpCluster } from './local-cluster.test-support.ts'

let cluster: UpCluster
let browser: TestBrowser
let althing: Althing
let leader = 0
/** Not the leader, so that the page outlives its death. */
let served = 0

beforeAll(async () => {
  cluster = await UpCluster.start(3)
  browser = await TestBrowser.start()
  althing = await open(cluster.url)
  leader = await cluster.leader()
  served = leader === 1 ? 2 : 1
  await browser.page.goto(cluster.consoleOf(served))
})

afterAll(async () => {
  await althing?.close()
  await browser?.close()
  await cluster?.stop()
})

test('the overview shows three ready members and the one leader', async () => {
  const { page } = browser
  await page.locator('.verdict[data-level=ok]').waitFor()
  expect(await page.locator('[data-test=members] tbody tr').count()).toBe(3)
  expect(await page.locator('[data-role=leader]').getAttribute('data-member')).toBe(String(leader))
  expect(await page.locator('[data-test=members] .badge.ok').count()).toBe(3)
  await page.locator(`[data-member="${served}"]`, { hasText: 'this page' }).waitFor()
})

test('a group is made, shows its leader and its copies, and goes only when its name is typed', async () => {
  const { page } = browser
  await page.getByRole('link', { name: /^Groups/ }).click()
  await page.locator('[data-group=default]', { hasText: `Node ${leader}` }).waitFor()
  await page.getByRole('button', { name: 'New group' }).click()
  const dialog = page.getByRole('dialog')
  const create = dialog.getByRole('button', { name: 'New group' })
  await dialog.getByLabel('Name').fill('Not allowed')
  expect(await create.isDisabled()).toBe(true)
  await dialog.getByLabel('Name').fill('orders')
  await create.click()
  const row = page.locator('[data-group=orders]')
  await row.locator('.badge.accent', { hasText: /Node [123]/ }).waitFor()
  expect(await row.textContent()).toMatch(/[123], [123], [123]/)
  const orders = await open(`${cluster.url}/orders`)
  await orders.store.put('one', 1)
  await orders.close()
  await row.locator('td', { hasText: /^1$/ }).first().waitFor()
  await page.getByRole('button', { name: 'Remove orders' }).click()
  const remove = dialog.getByRole('button', { name: 'Remove' })
  expect(await remove.isDisabled()).toBe(true)
  await dialog.getByLabel('Type the group').fill('orders')
  await remove.click()
  await row.waitFor({ state: 'detached' })
})

test('a member is drained and taken back, and one that is invited gets the command to join with', async () => {
  const { page } = browser
  await page.getByRole('link', { name: /^Members/ }).click()
  const row = page.locator(`[data-test=membership] [data-member="${served}"]`)
  await row.getByRole('button', { name: /^Drain/ }).click()
  await row.locator('.badge', { hasText: 'Drains' }).waitFor()
  await page.getByRole('link', { name: /^Health/ }).click()
  await page.locator('[data-check=leadership]', { hasText: `althing drain ${served} --undo` }).waitFor()
  await page.getByRole('link', { name: /^Members/ }).click()
  await row.getByRole('button', { name: /^End the drain/ }).click()
  await row.locator('.badge', { hasText: 'Drains' }).waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Add a member' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Where it will listen').fill('127.0.0.1:7999')
  await dialog.getByRole('button', { name: 'Invite' }).click()
  const command = await page.locator('[data-test=invitation] code').textContent()
  expect(command).toMatch(/^npx althing join althing-join-1\.\S+ --listen 127\.0\.0\.1:7999/)
  const invited = page.locator('[data-test=membership] [data-member="4"]')
  await invited.locator('.badge', { hasText: 'Invited' }).waitFor()
  await invited.getByRole('button', { name: /^Remove/ }).click()
  await dialog.getByRole('button', { name: 'Remove' }).click()
  await invited.waitFor({ state: 'detached' })
})

test('reads and writes are drawn, and what is in order is listed with its figures', async () => {
  const { page } = browser
  await page.getByRole('link', { name: /^Overview/ }).click()
  const keys = page.locator('.chart-key')
  await cluster.put('drawn', 'x')
  await keys.filter({ hasText: /^writes[1-90.]+\/s$/ }).waitFor()
  await keys.filter({ hasText: /^reads[0-9.]+\/s$/ }).waitFor()
  await page.getByRole('link', { name: /^Health/ }).click()
  await keys
    .filter({ hasText: /^slowest node.+ m?s$/ })
    .first()
    .waitFor()
  await keys.filter({ hasText: /^in the last hour[0-9]/ }).waitFor()
  await page.locator('[data-test=well] [data-check=quorum]', { hasText: '1 more node may fail' }).waitFor()
})

test('a key that is written appears by itself, and its value as JSON, text and bytes', async () => {
  const { page } = browser
  await page.getByRole('link', { name: /^Keys/ }).click()
  await cluster.put('config/limits', '{"rate":1}')
  await cluster.put('config/limits', '{"rate":2}')
  await page.locator('[data-test=keys] button', { hasText: 'config/limits' }).click()
  const value = page.locator('[data-test=key] pre')
  await page.locator('pre', { hasText: '"rate": 2' }).waitFor()
  await page.getByRole('button', { name: 'Text', exact: true }).click()
  expect(await value.textContent()).toBe('{"rate":2}')
  await page.getByRole('button', { name: 'Hex', exact: true }).click()
  expect(await value.textContent()).toContain('7b 22 72 61')
  await page.getByRole('button', { name: 'Show earlier versions' }).click()
  await page.locator('.history', { hasText: '{"rate":1}' }).waitFor()
})

test('keys are paged, found by prefix, changed and deleted', async () => {
  const { page } = browser
  const names = Array.from({ length: 130 }, (_, i) => `page/${String(i).padStart(3, '0')}`)
  await Promise.all(names.map((name) => cluster.put(name, 'x')))
  await page.getByRole('searchbox').fill('page/')
  await page.getByText('1–100 of 130').waitFor()
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByText('101–130 of 130').waitFor()
  await page.locator('[data-test=keys] button', { hasText: 'page/129' }).click()
  await page.getByRole('button', { name: 'Change' }).click()
  await page.getByRole('textbox', { name: 'Value' }).fill('changed here')
  await page.getByRole('button', { name: 'Write' }).click()
  await page.locator('pre', { hasText: 'changed here' }).waitFor()
  await page.locator('[data-test=key]').getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByText('101–129 of 129').waitFor()
})

test('a lock shows its holder and who waits, and is taken by force only when its name is typed', async () => {
  const { page } = browser
  const held = await althing.locks.acquire('nightly', { owner: 'report-1', note: 'the long report' })
  const waiting = althing.locks.acquire('nightly', { owner: 'report-2', waitTimeout: '1m' })
  // Awaited at the end; a step that fails before must not leave a rejection behind.
  waiting.catch(() => undefined)
  await page.getByRole('link', { name: /^Locks/ }).click()
  const queue = page.locator('[data-lock=nightly]')
  await queue.locator('[data-place="0"]', { hasText: 'report-1 holds it' }).waitFor()
  await queue.locator('[data-place="0"]', { hasText: 'the long report' }).waitFor()
  await queue.locator('[data-place="1"]', { hasText: 'report-2 waits' }).waitFor()
  await page.getByRole('button', { name: 'Force release' }).click()
  const dialog = page.getByRole('dialog')
  const force = dialog.getByRole('button', { name: 'Force release' })
  await dialog.getByLabel('Your name').fill('operator')
  await dialog.getByLabel('Reason').fill('drill')
  expect(await force.isDisabled()).toBe(true)
  await dialog.getByLabel('Type the lock').fill('nightly')
  await force.click()
  await queue.locator('[data-place="0"]', { hasText: 'report-2 holds it' }).waitFor()
  expect(held.isHeld).toBe(false)
  await (await waiting).release()
})

test('a schedule shows when it is due, what runs where and how it ended; it is run, paused and resumed when confirmed', async () => {
  const { page } = browser
  await page.getByRole('link', { name: /^Schedules/ }).click()
  await page.getByText('No program has registered a schedule').waitFor()
  const ends: ((failure: string) => void)[] = []
  const run = (): Promise<never> =>
    new Promise((_resolve, reject) => ends.push((failure) => reject(new Error(failure))))
  await althing.cron.schedule({ name: 'jobs/report', schedule: '0 3 1 1 *', run })
  const panel = page.locator('[data-schedule="jobs/report"]')
  await panel.getByText(/^next .+ 03:00:00|^next .+, in \d/).waitFor()
  await panel.getByText('Nothing has been run yet').waitFor()
  const dialog = page.getByRole('dialog')

  await page.getByRole('button', { name: 'Run jobs/report now' }).click()
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('button', { name: 'Run jobs/report now' }).click()
  await dialog.getByRole('button', { name: 'Run now' }).click()
  await panel.locator('.badge.accent', { hasText: /^manual-.+ runs on / }).waitFor()
  await expect.poll(() => ends.length).toBe(1)
  ends[0]?.('the disk is full')
  const failed = panel.locator('tr[data-outcome=failed]')
  await failed.getByText('the disk is full').waitFor()
  await failed.getByText('by hand').waitFor()
  await panel.getByText('nothing runs now').waitFor()

  await page.getByRole('button', { name: 'Pause jobs/report' }).click()
  await dialog.getByLabel('Your name').fill('ann')
  await dialog.getByLabel('Reason').fill('audit')
  await dialog.getByRole('button', { name: 'Pause' }).click()
  await panel.getByText('by ann, for').waitFor()
  await panel.getByText('audit').waitFor()
  await page.getByRole('button', { name: 'Resume jobs/report' }).click()
  await dialog.getByRole('button', { name: 'Resume' }).click()
  await panel.getByText(/^next /).waitFor()
  // The run that was called off has not been run.
  expect(ends.length).toBe(1)
})

test('readers, locks held together and permits show as they are, and the limit is set and taken back', async () => {
  const { page } = browser
  const readers = [
    await althing.locks.acquire('page', { mode: 'read', owner: 'reader-1' }),
    await althing.locks.acquire('page', { mode: 'read', owner: 'reader-2' }),
  ]
  const both = await althing.locks.acquireAll(['orders', 'stock'], { note: 'closes the month' })
  const permit = await althing.semaphores.acquire('imports', { permits: 2, limit: 3, owner: 'import-1' })
  const waiting = althing.semaphores.acquire('imports', { permits: 2, limit: 3, owner: 'import-2' })
  waiting.catch(() => undefined)
  await page.getByRole('link', { name: /^Locks/ }).click()
  const queue = page.locator('[data-lock=page]')
  await queue.locator('[data-place="0"]', { hasText: /reader-1 holds it\s*reads/ }).waitFor()
  const second = queue.locator(`[data-token="${readers[1]?.token}"]`)
  await second.waitFor()
  await page.locator('[data-lock=orders] li', { hasText: 'together with stock' }).waitFor()
  await second.getByRole('button', { name: 'Force release' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Your name').fill('operator')
  await dialog.getByLabel('Reason').fill('drill')
  await dialog.getByLabel('Type the lock').fill('page')
  await dialog.getByRole('button', { name: 'Force release' }).click()
  await second.waitFor({ state: 'detached' })
  expect(await queue.locator('[data-place="0"]').count()).toBe(1)

  const permits = page.locator('.panel', { has: page.locator('[data-semaphore=imports]') })
  await permits.getByText('2 of 3 permits out').waitFor()
  await permits.locator('[data-place="1"]', { hasText: 'import-2 waits' }).waitFor()
  await permits.getByRole('button', { name: 'Set limit' }).click()
  const set = dialog.getByRole('button', { name: 'Set limit' })
  await dialog.getByLabel('Permits in all').fill('none')
  await dialog.getByLabel('Reason').fill('more machines')
  expect(await set.isDisabled()).toBe(true)
  await dialog.getByLabel('Permits in all').fill('4')
  await set.click()
  await permits.getByText('4 of 4 permits out · limit set by operator').waitFor()
  await permits.getByRole('button', { name: 'Set limit' }).click()
  await dialog.getByLabel('Permits in all').fill('')
  await dialog.getByLabel('Reason').fill('as before')
  await set.click()
  await permits.getByText('4 of 3 permits out').waitFor()
  for (const each of [readers[0], both, permit, await waiting]) await each?.release()
  await page.locator('.empty', { hasText: 'Nobody holds a permit' }).waitFor()
})

test('the page speaks Chinese when asked, and still does after a reload', async () => {
  const { page } = browser
  await page.getByRole('link', { name: /^Overview/ }).click()
  await page.getByRole('button', { name: '切换到中文' }).click()
  await page.getByRole('heading', { name: '健康：全部 3 个节点同步' }).waitFor()
  await page.reload()
  await page.getByRole('heading', { name: '健康：全部 3 个节点同步' }).waitFor()
  expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN')
  await page.getByRole('button', { name: 'Switch to English' }).click()
  await page.getByRole('heading', { name: 'Healthy: all 3 nodes are in step' }).waitFor()
})

test('dark colours are kept too', async () => {
  const { page } = browser
  await page.getByRole('button', { name: 'Switch to dark colours' }).click()
  await page.reload()
  await page.getByRole('button', { name: 'Switch to light colours' }).waitFor()
  expect(await page.locator('html').getAttribute('data-theme')).toBe('dark')
})

test('a leader that is killed in the fault panel goes, another leads, and it comes back', async () => {
  const { page } = browser
  await page.getByRole('link', { name: /^Faults/ }).click()
  const process = page.locator(`[data-process="node-${leader}"]`)
  const log = page.locator('[data-test=log]')
  await process.locator('.badge', { hasText: 'Leader' }).waitFor()
  await process.getByRole('button', { name: /^Kill/ }).click()
  await page.locator(`[data-process="node-${leader}"][data-state=stopped]`).waitFor()
  await log.locator('li', { hasText: `Killed node-${leader}` }).waitFor()
  await log.locator('li', { hasText: /Node \d leads, in term/ }).waitFor()

  await page.getByRole('link', { name: /^Overview/ }).click()
  await page.locator(`[data-member="${leader}"]`, { hasText: 'No answer' }).waitFor()
  await page.locator('.verdict[data-level=warn]', { hasText: 'They stop if one more node is lost' }).waitFor()
  await page.getByRole('link', { name: /^Health/ }).click()
  const silent = page.locator('[data-severity=problem][data-check=cluster]')
  await silent.filter({ hasText: `althing member replace ${leader}` }).waitFor()
  await page.getByRole('link', { name: /^Overview/ }).click()
  const successor = await page.locator('[data-role=leader]').getAttribute('data-member')
  expect(successor).not.toBe(String(leader))

  await page.getByRole('link', { name: /^Faults/ }).click()
  await process.getByRole('button', { name: /^Start/ }).click()
  await page.locator(`[data-process="node-${leader}"][data-state=running]`).waitFor()
  await page.getByRole('link', { name: /^Overview/ }).click()
  await page.locator('.verdict[data-level=ok]').waitFor()
})

test('a node that is cut off is not ready, and is well again once healed', async () => {
  const { page } = browser
  const victim = [1, 2, 3].find((id) => id !== served) as number
  await page.getByRole('link', { name: /^Faults/ }).click()
  const process = page.locator(`[data-process="node-${victim}"]`)
  await process.getByRole('button', { name: /^Cut off/ }).click()
  await process.locator('.badge', { hasText: 'Cut off' }).waitFor()
  await page.getByRole('link', { name: /^Overview/ }).click()
  await page.locator('.problems', { hasText: `Node ${victim}` }).waitFor()
  await page.getByRole('link', { name: /^Faults/ }).click()
  await process.getByRole('button', { name: /^Heal/ }).click()
  await page.getByRole('link', { name: /^Overview/ }).click()
  await page.locator('.verdict[data-level=ok]').waitFor()
})

test('without a quorum the last known services stay, marked stale with their age, in both languages', async () => {
  const { page } = browser
  await using registration = await althing.discovery.register({
    service: 'orders',
    id: 'orders-1',
    address: '10.0.0.1:80',
    ttl: '60s',
  })
  const open = (name: RegExp): Promise<void> => page.getByRole('link', { name }).click()
  const others = [1, 2, 3].filter((id) => id !== served)
  const toEachOther = async (action: 'Pause' | 'Resume', state: string): Promise<void> => {
    await open(/^Faults/)
    for (const id of others) {
      const process = page.locator(`[data-process="node-${id}"]`)
      await process.getByRole('button', { name: new RegExp(`^${action}`) }).click()
      // The second one takes the majority away.
      if (action === 'Pause' && id === others[1])
        await page.getByRole('dialog').getByRole('button', { name: action }).click()
      await page.locator(`[data-process="node-${id}"][data-state=${state}]`).waitFor()
    }
  }
  const notice = page.locator('[data-test=services-stale]')
  await open(/^Elections & services/)
  await page.locator('.panel', { hasText: registration.id }).getByText('10.0.0.1:80').waitFor()
  expect(await notice.count()).toBe(0)
  await toEachOther('Pause', 'paused')
  await open(/^Elections & services/)
  await notice.getByText(/^The last known services: as of \d+ secs? ago\.$/).waitFor()
  const panel = page.locator('.panel', { has: page.locator('.badge.warn', { hasText: 'Stale' }) })
  await panel.getByText('10.0.0.1:80').waitFor()
  await page.getByRole('button', { name: '切换到中文' }).click()
  await notice.getByText(/^最后已知的服务：\d+秒前的状态。$/).waitFor()
  await page.locator('.badge.warn', { hasText: '已过时' }).waitFor()
  await page.getByRole('button', { name: 'Switch to English' }).click()
  await toEachOther('Resume', 'running')
  await open(/^Elections & services/)
  await notice.waitFor({ state: 'detached' })
  await page.locator('.panel', { hasText: registration.id }).getByText('10.0.0.1:80').waitFor()
})

test('nothing went wrong in the page until now, and it asked no other host', () => {
  expect(browser.errors).toEqual([])
  expect(browser.foreign).toEqual([])
})

test('when the node behind the page dies, the page says so and where to go on', async () => {
  const { page } = browser
  await page.getByRole('link', { name: /^Faults/ }).click()
  await page.locator(`[data-process="node-${served}"]`).getByRole('button', { name: /^Kill/ }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('serves this page').waitFor()
  await dialog.getByRole('button', { name: 'Kill' }).click()
  const alert = page.getByRole('alert')
  await alert.getByText('cannot be reached').waitFor()
  await alert.getByRole('link').first().click()
  await page.locator(`[data-process="node-${served}"][data-state=stopped]`).waitFor()
})
