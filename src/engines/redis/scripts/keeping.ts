/**
 * Renews leases by the server's clock. ARGV: store, leases. -> for each its length, 0 where it is not there or its time is over
 */
export const keepAliveMain = String.raw`
enter()
refresh()
local answer = {}
for i = at + 1, #ARGV do
  local lease = ARGV[i]
  local record = call('HGET', LEASES, lease)
  local ttl = 0
  if record then
    local length, since = struct.unpack('>dd', record)
    if since ~= leaseEpoch or tonumber(call('ZSCORE', EXPIRY, lease)) > now then
      ttl = length
      call('ZADD', EXPIRY, digits(now + ttl + 1), lease)
      if since ~= leaseEpoch then call('HSET', LEASES, lease, struct.pack('>dd', ttl, leaseEpoch)) end
    end
  end
  answer[#answer + 1] = ttl
end
return answer
`

/**
 * Ends leases whose time is over, at one revision: at most so many, and no more than \`keysMax\` keys but for a single lease. Gives those of an earlier epoch their time anew. Any client may call it at any time.
 * ARGV: store, channel, leases at most. -> milliseconds until the next lease ends, -1 where there is none
 */
export const sweepMain = String.raw`
enter()
local keysMax = 5000
local channel, most = take(), takeNumber()
refresh()
if now - seen >= 1000 then
  seen = now
  call('HSET', META, 'seen', digits(seen))
end
local due = call('ZRANGEBYSCORE', EXPIRY, '-inf', digits(now), 'LIMIT', 0, most)
local before, keys, isCut = revision, 0, #due == most
for _, lease in ipairs(due) do
  local length, since = struct.unpack('>dd', call('HGET', LEASES, lease))
  if since ~= leaseEpoch then
    call('ZADD', EXPIRY, digits(now + length + 1), lease)
    call('HSET', LEASES, lease, struct.pack('>dd', length, leaseEpoch))
  else
    local count = keysOf(tonumber(lease))
    if keys > 0 and keys + count > keysMax then
      isCut = true
      break
    end
    keys = keys + count
    endLease(tonumber(lease))
  end
end
if commit() then
  call('HSET', META, 'revision', digits(revision))
  redis.pcall('PUBLISH', channel, digits(revision))
end
if isCut then return 20 end
local first = call('ZRANGE', EXPIRY, 0, 0, 'WITHSCORES')
if #first == 0 then return -1 end
return math.max(0, tonumber(first[2]) - now)
`

/** ARGV: store, revision. -> { compacted } or a refusal. What it makes superfluous is cleared afterwards, by purge. */
export const compactMain = String.raw`
enter()
local wanted = takeNumber()
if wanted > revision then return { 'future-revision', wanted, revision } end
if wanted > compacted then
  compacted = wanted
  call('HSET', META, 'compacted', digits(wanted))
end
return { compacted }
`

/**
 * Clears what compacted revisions have replaced, a piece at a time; but only once they have been compacted for \`graceMs\`, so that watches that are up to date can read what was compacted right after it happened.
 * ARGV: store, changes at most, graceMs. -> whether there is more to clear, now or soon
 */
export const purgeMain = String.raw`
enter()
local most, graceMs = takeNumber(), takeNumber()
readClock()
local wanted = call('HMGET', META, 'purgeTarget', 'purgeSince')
local target, since = tonumber(wanted[1] or '0'), tonumber(wanted[2] or '0')
if purged >= target then
  if purged >= compacted then return 0 end
  call('HSET', META, 'purgeTarget', digits(compacted), 'purgeSince', digits(now))
  return 1
end
if now - since < graceMs then
  -- A clock that was set back must not keep the history for ever.
  if now < since then call('HSET', META, 'purgeSince', digits(now)) end
  return 1
end
local cleared = 0
while purged < target and cleared < most do
  local name = digits(purged + 1)
  local record = call('HGET', LOG, name)
  if record then
    eachChange(record, 1, function(key, before)
      if before > 0 then call('HDEL', DATA, field(before, key)) end
      cleared = cleared + 1
    end)
    call('HDEL', LOG, name)
  end
  purged = purged + 1
end
call('HSET', META, 'purged', digits(purged))
return purged < target and 1 or 0
`

/**
 * Remembers which revision is the newest now, and says how far to compact by number (at one and a half times as many, down to it) and by age. 0: not by that.
 * ARGV: store, revisions to keep, milliseconds to keep. -> the compact revision that holds now
 */
export const markMain = String.raw`
enter()
local keepRevisions, keepMs = takeNumber(), takeNumber()
readClock()
local wanted = 0
if keepRevisions > 0 and revision - compacted > keepRevisions * 1.5 then wanted = revision - keepRevisions end
if keepMs > 0 then
  call('ZADD', MARKS, 'NX', digits(now), digits(revision))
  local old = call('ZREVRANGEBYSCORE', MARKS, digits(now - keepMs), '-inf', 'LIMIT', 0, 1)[1]
  if old then
    wanted = math.max(wanted, tonumber(old))
    call('ZREMRANGEBYSCORE', MARKS, '-inf', '(' .. call('ZSCORE', MARKS, old))
  end
end
if wanted > compacted then
  compacted = wanted
  call('HSET', META, 'compacted', digits(compacted))
end
return compacted
`

/** A page of the leases, by the cursor of HSCAN. ARGV: store, cursor. -> { cursor, lease, ttl, milliseconds left, number of keys, keys as long as there is room, ... } */
export const leasesMain = String.raw`
enter()
readClock()
local room, found = 5000, call('HSCAN', LEASES, take(), 'COUNT', 500)
local answer = { found[1] }
local isAnew = isStale()
for i = 1, #found[2], 2 do
  local lease = tonumber(found[2][i])
  local length, since = struct.unpack('>dd', found[2][i + 1])
  local left = length
  if not isAnew and since == leaseEpoch then left = math.max(0, tonumber(call('ZSCORE', EXPIRY, found[2][i])) - now) end
  local count, keys = keysOf(lease), {}
  if count <= room then
    local low, high = leaseBounds(lease)
    for k, member in ipairs(call('ZRANGEBYLEX', OWNED, low, high)) do keys[k] = string.sub(member, 9) end
    room = room - count
  end
  answer[#answer + 1] = { lease, length, left, count, keys }
end
return answer
`

/** The keys of one lease. ARGV: store, lease. */
export const leaseKeysMain = String.raw`
enter()
local low, high = leaseBounds(takeNumber())
local keys = {}
for i, member in ipairs(call('ZRANGEBYLEX', OWNED, low, high)) do keys[i] = string.sub(member, 9) end
return keys
`
