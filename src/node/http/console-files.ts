import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { extname, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where the build puts the console: beside the compiled sources, and below `dist` for sources that run uncompiled. */
const builtConsole = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../../dist/console/' : '../../../console/', import.meta.url),
)

const mediaTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.map': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
}

/** The page talks to its own node and loads nothing from anywhere else. Charts set the size of their boxes by style. */
export const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const notBuilt = `The console is not built. In a checkout: npm run build
The API is here all the same: /docs lists it.
`

/** Serves the files of the console, and its page for every other path. */
export class ConsoleFiles {
  readonly #folder: string

  constructor(folder = builtConsole) {
    this.#folder = folder.endsWith(sep) ? folder : folder + sep
  }

  async serve(path: string, request: Request): Promise<Response> {
    const name = fileName(path)
    const file = name === undefined ? undefined : await this.#read(name)
    if (file !== undefined && name !== undefined) return fileReply(name, file, request)
    // A missing script or picture must not turn into a page.
    const isPage = name === 'index.html' || extname(name ?? '') === ''
    if (name === undefined || !isPage) return textReply(404, `There is no ${path} here.\n`)
    const page = await this.#read('index.html')
    return page === undefined ? textReply(404, notBuilt) : fileReply('index.html', page, request)
  }

  async #read(name: string): Promise<Buffer | undefined> {
    try {
      return await readFile(this.#folder + name)
    } catch {
      return undefined
    }
  }
}

/** The file within the folder; undefined for a path that leads out of it or is not text. */
function fileName(path: string): string | undefined {
  let decoded: string
  try {
    decoded = decodeURIComponent(path)
  } catch {
    return undefined
  }
  if (decoded.includes('\0') || decoded.includes('\\')) return undefined
  const name = normalize(decoded).replace(/^\/+/, '')
  if (name.split('/').some((part) => part === '..' || part.startsWith('.'))) return undefined
  return name === '' || name.endsWith('/') ? `${name}index.html` : name
}

/** Files under `assets` carry a hash of their content in their name, and so never change. */
function fileReply(name: string, file: Buffer, request: Request): Response {
  const tag = `"${createHash('sha256').update(file).digest('base64url').slice(0, 22)}"`
  const headers = {
    'Content-Type': mediaTypes[extname(name)] ?? 'application/octet-stream',
    'Cache-Control': name.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    'Content-Security-Policy': contentSecurityPolicy,
    'Referrer-Policy': 'no-referrer',
    ETag: tag,
  }
  if (request.headers.get('if-none-match') === tag) return new Response(null, { status: 304, headers })
  return new Response(new Uint8Array(file), { headers })
}

function textReply(status: number, text: string): Response {
  return new Response(text, {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' },
  })
}
