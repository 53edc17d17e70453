import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestBrowser } from './browser.test-support.ts'
import { UpCluster } from './local-cluster.test-support.ts'

const command = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

let cluster: UpCluster
let browser: TestBrowser
let token = ''

function althing(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = ''): string {
  return execFileSync(process.execPath, [command, ...args, '--url', cluster.url, '--json'], {
    env: { ...process.env, ...env },
    input,
    encoding: 'utf8',
  })
}

beforeAll(async () => {
  cluster = await UpCluster.start(1)
  browser = await TestBrowser.start()
  token = (JSON.parse(althing(['access', 'enable'])) as { readonly token: string }).token
  await browser.page.goto(cluster.consoleOf(1))
})

afterAll(async () => {
  await browser?.close()
  await cluster?.stop()
})

test('shows nothing but the way in until somebody has signed in', async () => {
  const { page } = browser
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  expect(await page.locator('nav').count()).toBe(0)
  await page.getByLabel('User').fill('root')
  await page.getByLabel('Password').last().fill('wrong')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert', { name: '' }).getByText('not valid').waitFor()
})

test('opens with a token, stays open over a reload, and changes what the user may', async () => {
  const { page } = browser
  await page.getByRole('button', { name: 'Token', exact: true }).click()
  await page.getByLabel('Token').last().fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.locator('.verdict[data-level=ok]').waitFor()
  await page.reload()
  await page.locator('.verdict[data-level=ok]').waitFor()
  await page.getByText('root').waitFor()
  await page.getByRole('link', { name: /^Groups/ }).click()
  await page.getByRole('button', { name: 'New group' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('mine')
  await dialog.getByLabel('Copies').fill('1')
  await dialog.getByRole('button', { name: 'New group' }).click()
  await page.locator('[data-group=mine] .badge.accent').waitFor()
  await page.getByRole('link', { name: /^Health/ }).click()
  await page.locator('[data-check=access]', { hasText: 'access control is on' }).waitFor()
})

test('is closed again once signed out', async () => {
  const { page } = browser
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
})

test('tells one who may not see the cluster so', async () => {
  const { page } = browser
  const env = { ALTHING_TOKEN: token }
  althing(['access', 'user', 'add', 'guest'], env)
  const guest = JSON.parse(althing(['access', 'token', 'create', 'guest'], env)) as { readonly token: string }
  await page.getByRole('button', { name: 'Token', exact: true }).click()
  await page.getByLabel('Token').last().fill(guest.token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').getByText('guest may not see the cluster').waitFor()
})

test('asks no other host', () => {
  expect(browser.foreign).toEqual([])
})
