import type { Json, OpenApiDocument } from './openapi.ts'

/** The OpenAPI document as a page to read: plain HTML, nothing from elsewhere, no script. */
export function docsPage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  const tags = [...new Set(operations.map(({ operation }) => String((operation['tags'] as string[])[0])))]
  const sections = tags.map((tag) => {
    const own = operations.filter(({ operation }) => (operation['tags'] as string[])[0] === tag)
    const body = own.map(({ path, method, operation }) => operationHtml(path, method, operation)).join('\n')
    return `<h2>${escape(tag)}</h2>\n${body}`
  })
  const { title, version, description } = document.info
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title><style>${css}</style></head><body>
<h1>${escape(title)} <small>${escape(version)}</small></h1>
<p>${prose(description)} The same for programs: <a href="/openapi.json">openapi.json</a>.</p>
${sections.join('\n')}
<h2>schemas</h2>
${Object.entries(document.components.schemas).map(schemaHtml).join('\n')}
</body></html>
`
}

function operationHtml(path: string, method: string, operation: Json): string {
  const parameters = (operation['parameters'] as readonly Json[] | undefined) ?? []
  const rows = parameters.map(
    (each) =>
      `<tr><td><code>${escape(String(each['name']))}</code>${each['required'] === true ? ' *' : ''}</td>` +
      `<td>${escape(String(each['in']))}</td><td>${prose(String(each['description'] ?? ''))}</td>` +
      `<td><code>${escape(shortSchema(each['schema'] as Json))}</code></td></tr>`,
  )
  const table = rows.length === 0 ? '' : `<table>${rows.join('')}</table>`
  const body = operation['requestBody'] as Json | undefined
  const description = operation['description']
  return `<details id="${escape(String(operation['operationId']))}"><summary><b class="${method}">${method.toUpperCase()}</b> <code>${escape(path)}</code> ${prose(String(operation['summary']))}</summary>
${description === undefined ? '' : `<p>${prose(String(description))}</p>`}${table}
${body === undefined ? '' : `<p>Body. ${escape(String(body['description']))}</p><pre>${escape(json(body['content']))}</pre>`}
<p>Answers</p><pre>${escape(json((operation['responses'] as Json)['200']))}</pre></details>`
}

function schemaHtml([name, schema]: readonly [string, Json]): string {
  return `<details><summary><code>${escape(name)}</code></summary><pre>${escape(json(schema))}</pre></details>`
}

function shortSchema(schema: Json): string {
  const choices = schema['enum']
  if (Array.isArray(choices)) return choices.join(' | ')
  return String(schema['type'] ?? '')
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2)
}

/** Backquotes mark code. */
function prose(text: string): string {
  return escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

const css = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; background: #fff }
h1 small { font-size: .5em; color: #667 } summary { cursor: pointer; padding: .25rem 0 }
code, pre { font: 13px/1.45 ui-monospace, monospace } pre { background: #f4f6f8; padding: .75rem; overflow: auto }
td { padding: .15rem .75rem .15rem 0; vertical-align: top } b { display: inline-block; width: 4.5rem }
.get { color: #0a6 } .put { color: #b60 } .post { color: #06c } .delete { color: #c22 }
@media (prefers-color-scheme: dark) { body { background: #14181d; color: #dde3ea } pre { background: #1e242b } a { color: #7ab8ff } }
`
