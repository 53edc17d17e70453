#!/usr/bin/env node
import { endQuietlyWithReader } from './output.ts'
import { createProgram } from './program.ts'
import { reportFailure } from './report.ts'

const asJson = process.argv.includes('--json')

endQuietlyWithReader()
createProgram(asJson)
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = reportFailure(error, asJson)
  })
