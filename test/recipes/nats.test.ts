import { natsUnavailable } from '../engines/servers/nats-servers.ts'
import { describeRecipes, describeUntested } from './describe-recipes.ts'
import { startNats } from './places/nats.ts'

const name =
  'recipes on NATS, whose callers accept that nothing is fenced, and that a crash of all servers may lose writes'
const unavailable = natsUnavailable()

if (unavailable === undefined) await describeRecipes(name, startNats)
else describeUntested(name, unavailable)
