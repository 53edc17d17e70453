/** Columns of text, two spaces apart; numbers stand at the right. The first row is the head. */
export function formatTable(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => textOf(row[column]).length)),
  )
  const lines = rows.map((row) =>
    row
      .map((cell, i) => pad(cell, widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return `${lines.join('\n')}\n`
}

function pad(cell: string | number, width: number): string {
  return typeof cell === 'number' ? textOf(cell).padStart(width) : cell.padEnd(width)
}

function textOf(cell: string | number | undefined): string {
  return cell === undefined ? '' : String(cell)
}
