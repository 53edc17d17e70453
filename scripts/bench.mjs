// `npm run bench -- <area> [options]`: builds when needed, finds or installs the peers, then measures. See `bench/` and `npm run bench -- --help`.
import { prepareOrExit } from './prepare.mjs'
import { show } from './run.mjs'
import { programs, provide } from './servers.mjs'

const forBenchmarks = ['etcd', 'postgres', 'redis-server', 'h2load', 'nats-server']

await prepareOrExit()
const missing = await provide(programs.filter(({ command }) => forBenchmarks.includes(command)))
const code = await show(process.execPath, ['dist/bench/main.js', ...process.argv.slice(2)])
for (const each of missing) process.stderr.write(`Not tested: ${each.for}: ${each.command} is not on PATH\n`)
process.exit(code)
