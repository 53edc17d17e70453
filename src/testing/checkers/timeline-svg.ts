import { describeOperation, layOutTimeline, type TimelineRow, type TimelineSubject } from './timeline.ts'

const rowHeight = 26
const nameWidth = 110
const plotWidth = 520
const labelWidth = 420
const margin = 12

/** The drawing of `drawTimeline` as a picture: a whole SVG document, with text escaped and nothing loaded from outside. */
export function drawTimelineSvg(subject: TimelineSubject): string {
  const { rows, columns, hidden } = layOutTimeline(subject)
  const width = margin * 2 + nameWidth + plotWidth + labelWidth
  const height = margin * 2 + rowHeight * (rows.length + (hidden > 0 ? 1 : 0))
  const scale = plotWidth / Math.max(1, columns - 1)
  const drawn = rows.map((row, i) => drawRow(row, margin + i * rowHeight, scale))
  if (hidden > 0)
    drawn.push(text(margin, margin + rowHeight * (rows.length + 0.65), '#666', `… and ${hidden} more`))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img"`,
    ' font-family="ui-monospace, monospace" font-size="12">',
    '<title>History</title><rect width="100%" height="100%" fill="#fff"/>',
    ...drawn,
    '</svg>\n',
  ].join('')
}

function drawRow(row: TimelineRow, top: number, scale: number): string {
  const left = margin + nameWidth
  const x = left + row.from * scale
  const right = row.to === undefined ? left + plotWidth : left + row.to * scale
  const middle = top + rowHeight * 0.65
  const colour = row.isBlocked ? '#c62828' : row.place === undefined ? '#90a4ae' : '#2e7d32'
  const dashes = row.to === undefined ? ' stroke-dasharray="4 3"' : ''
  const place = row.isBlocked ? 'cannot be placed' : row.place === undefined ? '' : `${row.place}`
  return [
    text(margin, middle, '#333', row.operation.process.slice(0, 14)),
    `<rect x="${round(x)}" y="${top + 4}" width="${round(Math.max(6, right - x))}" height="${rowHeight - 8}" rx="3"`,
    ` fill="${colour}" fill-opacity="0.18" stroke="${colour}"${dashes}/>`,
    text(x + 4, middle, colour, place),
    text(left + plotWidth + 14, middle, row.isBlocked ? colour : '#111', describeOperation(row.operation)),
  ].join('')
}

function text(x: number, y: number, colour: string, content: string): string {
  return `<text x="${round(x)}" y="${round(y)}" fill="${colour}">${escapeXml(content)}</text>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escapeXml(content: string): string {
  return content
    .replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]/gu, '·')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
