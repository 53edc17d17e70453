import { layoutVersion } from '../place.ts'

/**
 * Makes the store where there is none, and finds out whether this user of the server may do all that the scripts do: a script that is stopped in its middle is not undone. KEYS[12]: to try it on.
 * ARGV: identity for a new store. -> { identity, layout, epoch, revision }
 */
export const foundMain = String.raw`
local TRIED = KEYS[12]
local layout = ${layoutVersion}
local types = { 'hash', 'zset', 'hash', 'hash', 'hash', 'hash', 'zset', 'zset', 'list', 'zset' }
for i, wanted in ipairs(types) do
  local found = call('TYPE', KEYS[i])
  if type(found) == 'table' then found = found.ok end
  if found ~= 'none' and found ~= wanted then fail('ALTHINGTYPE', KEYS[i] .. ' is a ' .. found .. ', not a ' .. wanted) end
end
local info = call('INFO', 'server', 'replication')
if not string.find(info, 'role:master', 1, true) then fail('READONLY', 'this server is a replica') end
run = string.match(info, 'run_id:(%w+)')

call('DEL', TRIED)
call('HSET', TRIED, 'a', '1')
call('HGET', TRIED, 'a')
call('HMGET', TRIED, 'a', 'b')
call('HEXISTS', TRIED, 'a')
call('HSTRLEN', TRIED, 'a')
call('HLEN', TRIED)
call('HSCAN', TRIED, '0', 'COUNT', 10)
call('PEXPIRE', TRIED, 1000)
call('HDEL', TRIED, 'a')
call('ZADD', TRIED, 'NX', 1, 'a')
call('ZSCORE', TRIED, 'a')
call('ZRANGE', TRIED, 0, 0, 'WITHSCORES')
call('ZRANGEBYSCORE', TRIED, '-inf', '1', 'LIMIT', 0, 1)
call('ZREVRANGEBYSCORE', TRIED, '1', '-inf', 'LIMIT', 0, 1)
call('ZRANGEBYLEX', TRIED, '-', '+', 'LIMIT', 0, 1)
call('ZREVRANGEBYLEX', TRIED, '+', '-', 'LIMIT', 0, 1)
call('ZLEXCOUNT', TRIED, '-', '+')
call('ZREMRANGEBYSCORE', TRIED, '-inf', '(0')
call('ZREM', TRIED, 'a')
call('RPUSH', TRIED, 'a')
call('LRANGE', TRIED, 0, -1)
call('LTRIM', TRIED, 1, 0)

local meta = call('HMGET', META, 'id', 'layout', 'epoch', 'revision')
if meta[1] then return { meta[1], tonumber(meta[2]), meta[3], tonumber(meta[4]) } end
local identity, time = take(), readClock()
revision = 1
-- Somewhere, so that the lease of a store that was lost is not another's in this one.
nextLease = tonumber(string.sub(identity, 1, 11), 16) + 1
beginEpoch(time)
call('HSET', META, 'id', identity, 'layout', layout, 'revision', 1, 'compacted', 0, 'purged', 0, 'nextLease', digits(nextLease),
  'run', run, 'epoch', epoch, 'leaseEpoch', 1, 'seen', digits(now))
return { identity, layout, epoch, 1 }
`
