import { redisUnavailable } from '../engines/servers/redis-server.ts'
import { describeRecipes, describeUntested } from './describe-recipes.ts'
import { startRedis } from './places/redis.ts'

const name = 'recipes on a Redis that keeps nothing, as their callers accept'
const unavailable = redisUnavailable()
const weaker = ['linearizable', 'durable', 'lease-survives-failover', 'fencing'] as const

if (unavailable === undefined)
  await describeRecipes(name, () => startRedis({ settings: { appendonly: 'no' }, accept: weaker }))
else describeUntested(name, unavailable)
