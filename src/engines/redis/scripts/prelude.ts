/**
 * What every script begins with. A store is a handful of keys that share one hash tag, and so one slot:
 *
 *     META     hash    identity, revision, compact revision, what is cleared, the server it was last on
 *     INDEX    zset    the keys there are, in the order of their bytes
 *     HEADS    hash    key -> create revision, mod revision, version, lease
 *     DATA     hash    (mod revision, key) -> create revision, version, lease, value: each version once, those of the past too
 *     LOG      hash    revision -> what it changed: (key, mod revision before, put or deleted)...
 *     LEASES   hash    lease -> length, lease epoch
 *     EXPIRY   zset    leases by their end, in milliseconds of the server's clock
 *     OWNED    zset    (lease, key), in the order of their bytes
 *     EPOCHS   list    under which name the history went on from which revision
 *     MARKS    zset    which revision was the newest when: for compaction by age
 *
 * A version is never changed once it is written, so what is read in several steps at one revision is read at one moment. Numbers are packed as doubles, which hold every
 * whole number up to 2^53, and sort as bytes. Lua's own order of strings goes by the locale of the server, its own `tostring` loses digits past 10^14: neither is used.
 */
export const prelude = String.raw`
local META, INDEX, HEADS, DATA, LOG = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local LEASES, EXPIRY, OWNED, EPOCHS, MARKS = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local call = redis.call
local at = 0
local run, storedRun, epoch, leaseEpoch, seen, now
local revision, compacted, purged, nextLease

local function take()
  at = at + 1
  return ARGV[at]
end

local function takeNumber()
  return tonumber(take())
end

local function fail(code, message)
  error({ err = code .. ' ' .. message })
end

local function digits(number)
  return string.format('%.0f', number)
end

-- The field of a version in DATA, the member of a key in OWNED.
local function field(number, key)
  return struct.pack('>d', number) .. key
end

-- On a primary only, and in the store that the caller means.
local function enter()
  local info = call('INFO', 'server', 'replication')
  if not string.find(info, 'role:master', 1, true) then fail('READONLY', 'this server is a replica') end
  run = string.match(info, 'run_id:(%w+)')
  local meta = call('HMGET', META, 'id', 'revision', 'compacted', 'purged', 'run', 'epoch', 'leaseEpoch', 'seen', 'nextLease')
  local wanted = take()
  if not meta[1] then fail('ALTHINGGONE', 'the store is not there') end
  if meta[1] ~= wanted then fail('ALTHINGOTHER', meta[1]) end
  revision, compacted, purged = tonumber(meta[2]), tonumber(meta[3]), tonumber(meta[4])
  storedRun, epoch = meta[5], meta[6]
  leaseEpoch, seen, nextLease = tonumber(meta[7]), tonumber(meta[8]), tonumber(meta[9])
end
`

/**
 * Who the server is, and what time it has. Two things make the time of leases begin anew: another process than before (a restart, a promotion), and a clock that has jumped, or that nobody looked at for
 * \`silentMsMax\` (a server that stood still). And another process begins another epoch of the history: what comes now may not follow what was told before.
 */
export const timekeeping = String.raw`
local silentMsMax, backMsMax = 5000, 100
local epochsMax = 128
-- Leases that the process before may have granted and forgotten: their ids are not given again, or their holders would renew those of others.
local lostLeasesMax = 1048576

local function readClock()
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
  return time
end

-- Whether the time of the leases must begin anew before any of them is judged.
local function isStale()
  return storedRun ~= run or now < seen - backMsMax or now - seen > silentMsMax
end

local function beginEpoch(time)
  epoch = run .. ':' .. time[1] .. '.' .. time[2]
  call('RPUSH', EPOCHS, epoch .. ' ' .. digits(revision))
  call('LTRIM', EPOCHS, -epochsMax, -1)
end

local function refresh()
  local time = readClock()
  if not isStale() then return end
  if storedRun ~= run then
    beginEpoch(time)
    nextLease = nextLease + lostLeasesMax
  end
  leaseEpoch, seen, storedRun = leaseEpoch + 1, now, run
  call('HSET', META, 'run', run, 'epoch', epoch, 'leaseEpoch', digits(leaseEpoch), 'seen', digits(seen), 'nextLease', digits(nextLease))
end
`

/** Where a page of keys is read from the index, in either direction, from behind a key. */
export const scanning = String.raw`
-- Calls 'each' with the keys between two bounds of the index, in order, until it returns false.
local function scan(low, high, descending, each)
  local piece = 256
  while true do
    local keys
    if descending then keys = call('ZREVRANGEBYLEX', INDEX, high, low, 'LIMIT', 0, piece)
    else keys = call('ZRANGEBYLEX', INDEX, low, high, 'LIMIT', 0, piece) end
    for i = 1, #keys do
      if each(keys[i]) == false then return end
    end
    if #keys < piece then return end
    if descending then high = '(' .. keys[#keys] else low = '(' .. keys[#keys] end
  end
end

local function headOf(key)
  local head = call('HGET', HEADS, key)
  if not head then return nil end
  return head, struct.unpack('>dddd', head)
end

-- Calls 'each' with what a record of LOG says, from a position on, until it returns false.
local function eachChange(record, from, each)
  local position = from
  while position <= #record do
    local key, before, kind, after = struct.unpack('>I4c0dB', record, position)
    if each(key, before, kind == 1, position) == false then return end
    position = after
  end
end
`
