import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** A page in a browser with a profile of its own, and all that went wrong in it. */
export class TestBrowser {
  readonly page: Page
  /** Errors of scripts, and what they wrote to the console as errors. */
  readonly errors: string[] = []
  /** Addresses that the page asked for and that are not of its own host. */
  readonly foreign: string[] = []
  readonly #context: BrowserContext
  readonly #profile: string

  static async start(): Promise<TestBrowser> {
    const executablePath = places.find((place) => existsSync(place))
    if (executablePath === undefined) throw new Error(`no browser at ${places.join(', ')}: install chromium`)
    const profile = mkdtempSync(join(tmpdir(), 'althing-browser-'))
    const context = await chromium.launchPersistentContext(profile, {
      executablePath,
      args: flags,
      locale: 'en-GB',
      viewport: { width: 1280, height: 900 },
    })
    return new TestBrowser(context, context.pages()[0] ?? (await context.newPage()), profile)
  }

  private constructor(context: BrowserContext, page: Page, profile: string) {
    this.#context = context
    this.#profile = profile
    this.page = page
    page.setDefaultTimeout(15_000)
    page.on('pageerror', (error) => this.errors.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text())
    })
    page.on('request', (request) => {
      if (new URL(request.url()).hostname !== '127.0.0.1') this.foreign.push(request.url())
    })
  }

  async close(): Promise<void> {
    await this.#context.close()
    rmSync(this.#profile, { recursive: true, force: true })
  }
}
