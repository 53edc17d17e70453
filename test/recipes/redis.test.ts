import { redisUnavailable } from '../engines/servers/redis-server.ts'
import { describeRecipes, describeUntested } from './describe-recipes.ts'
import { startRedis } from './places/redis.ts'

const name = 'recipes on Redis'
const unavailable = redisUnavailable()

if (unavailable === undefined) await describeRecipes(name, () => startRedis({ accept: [] }))
else describeUntested(name, unavailable)
