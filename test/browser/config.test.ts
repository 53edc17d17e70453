import { type Althing, open } from 'althing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestBrowser } from './browser.test-support.ts'
import { UpCluster } from './local-cluster.test-support.ts'

let cluster: UpCluster
let browser: TestBrowser
let althing: Althing

beforeAll(async () => {
  // Inherited by the node, which seals with it, and by this process, which opens what was sealed.
  process.env['ALTHING_CONFIG_KEYS'] = `k1:${Buffer.alloc(32, 7).toString('base64')}`
  cluster = await UpCluster.start(1)
  browser = await TestBrowser.start()
  althing = await open(cluster.url)
  const { config } = althing
  const schema = { type: 'object', properties: { pool: { type: 'integer', minimum: 1 } } }
  await config.set('*', { region: 'north' }, { author: 'ada' })
  await config.set('orders', { pool: 10 }, { author: 'ada', message: 'first' })
  await config.setSchema('orders', schema, { author: 'ada' })
  for (const zone of ['north', 'south']) {
    const reader = config.open('orders', { instance: `orders-${zone}`, labels: { zone } })
    await reader.ready
  }
  await browser.page.goto(cluster.consoleOf(1))
})

afterAll(async () => {
  delete process.env['ALTHING_CONFIG_KEYS']
  await althing?.close()
  await browser?.close()
  await cluster?.stop()
})

test('the list leads to a service, whose values say where they come from', async () => {
  const { page } = browser
  await page.getByRole('link', { name: /^Config/ }).click()
  await page.locator('[data-config="*"]').waitFor()
  await page.locator('[data-config=orders] a').click()
  await page.locator('[data-key=pool][data-layer=service]', { hasText: '10' }).waitFor()
  await page.locator('[data-key=region][data-layer=global]', { hasText: '"north"' }).waitFor()
  await page.locator('[data-instance=orders-south]', { hasText: 'follows' }).waitFor()
  await page.reload()
  await page.locator('[data-key=pool]').waitFor()
})

test('a value that does not fit is refused by its field, and one that fits is set', async () => {
  const { page } = browser
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Edit pool' }).click()
  await dialog.getByLabel('Value').fill('0')
  await dialog.getByLabel('Who does it').fill('ben')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.locator('[data-field=pool]').waitFor()
  await dialog.getByLabel('Value').fill('20')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.locator('tr[data-key=pool]', { hasText: '20' }).waitFor()
  expect((await althing.config.get('orders')).stable).toMatchObject({ author: 'ben', version: 3 })
})

test('a secret is sealed, and stands nowhere in the page', async () => {
  const { page } = browser
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Add a value' }).click()
  await dialog.getByLabel('Key').fill('password')
  await dialog.getByLabel('Secret').check()
  await dialog.getByLabel('Value').fill('hunter2')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.locator('tr[data-key=password]', { hasText: 'sealed by k1' }).waitFor()
  await page.locator('[data-version="4"]').getByRole('button', { name: 'Changes' }).click()
  await page.locator('[data-test=config-diff] [data-key=password]').waitFor()
  expect(await page.content()).not.toContain('hunter2')
  const opened = await althing.config.get('orders', { reveal: true })
  expect(opened.stable.values['password']).toMatchObject({ value: 'hunter2' })
})

test('a release goes to labelled instances, to a share, and to all', async () => {
  const { page } = browser
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Edit pool' }).click()
  await dialog.getByLabel('Value').fill('30')
  await dialog.getByLabel('Release in stages').check()
  await dialog.getByLabel(/^Share/).fill('0')
  await dialog.getByLabel(/labels$/).fill('zone=north')
  await dialog.getByRole('button', { name: 'Save' }).click()
  const release = page.locator('[data-test=config-release]')
  await release.locator('[data-key=pool]', { hasText: '20 → 30' }).waitFor()
  const runs = (instance: string, version: number) =>
    page.locator(`[data-instance=orders-${instance}] td:nth-child(2)`, { hasText: String(version) }).waitFor()
  await runs('north', 5)
  await runs('south', 4)
  expect(await page.getByRole('button', { name: 'Edit pool' }).isDisabled()).toBe(true)
  await release.getByLabel(/^Share/).fill('100')
  await release.getByRole('button', { name: 'Give it to more' }).click()
  await runs('south', 5)
  await release.getByRole('button', { name: 'Promote' }).click()
  await release.waitFor({ state: 'detached' })
  await page.locator('tr[data-key=pool]', { hasText: '30' }).waitFor()
})

test('a rollback shows what it will change, and changes it', async () => {
  const { page } = browser
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Roll back to version 1' }).click()
  await dialog.locator('[data-key=pool]', { hasText: '30 → 10' }).waitFor()
  await dialog.getByLabel('Why').fill('too many')
  await dialog.getByRole('button', { name: 'Roll back' }).click()
  await page.locator('tr[data-key=pool]', { hasText: '10' }).waitFor()
  await page.locator('[data-version="6"]', { hasText: 'too many' }).waitFor()
})

test('the page asks no other host, and nothing goes wrong in it but the refusal that was meant', () => {
  expect(browser.foreign).toEqual([])
  expect(browser.errors.filter((error) => !error.includes('400'))).toEqual([])
})
