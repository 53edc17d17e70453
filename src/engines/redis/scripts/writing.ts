/**
 * What changes keys. Nothing is changed before all that can be refused has been looked at: a script is not undone.
 */
export const writing = String.raw`
local deletedMax, leasesMax, leaseKeysMax = 10000, 200000, 10000

local function leaseBounds(lease)
  return '[' .. struct.pack('>d', lease), '(' .. struct.pack('>d', lease + 1)
end

local function keysOf(lease)
  local low, high = leaseBounds(lease)
  return call('ZLEXCOUNT', OWNED, low, high)
end

local function refusalOfPut(put)
  if put.lease <= 0 then return nil end
  if call('HEXISTS', LEASES, digits(put.lease)) == 0 then return { 'lease-not-found', put.lease } end
  if keysOf(put.lease) >= leaseKeysMax then return { 'lease-full', put.lease, leaseKeysMax } end
  return nil
end

local function previousBytes(operation)
  local bytes = 0
  local function add(key)
    local head, _, mod = headOf(key)
    if head then bytes = bytes + #key + call('HSTRLEN', DATA, field(mod, key)) - 24 + 32 end
  end
  if operation.kind == 'p' then add(operation.key)
  else scan(operation.low, operation.high, false, add) end
  return bytes
end

-- Why a branch cannot be applied as a whole; nil and the bytes that its ranges may add where it can.
local function refusalOfBranch(operations, budget)
  local deleted, left = 0, budget
  for _, operation in ipairs(operations) do
    local refusal
    if operation.kind == 'r' then refusal = refusalOfRange(operation)
    elseif operation.kind == 'p' then refusal = refusalOfPut(operation)
    else
      deleted = deleted + call('ZLEXCOUNT', INDEX, operation.low, operation.high)
      if deleted > deletedMax then return { 'too-many', deleted, deletedMax } end
    end
    if refusal then return refusal end
    if operation.previous then left = left - previousBytes(operation) end
  end
  if left < 0 then return { 'too-large', budget } end
  return nil, left
end

local function own(key, from, to)
  if from == to then return end
  if from ~= 0 then call('ZREM', OWNED, field(from, key)) end
  if to ~= 0 then call('ZADD', OWNED, 0, field(to, key)) end
end

local function putKey(put, next)
  local key, lease = put.key, put.lease
  local head, create, mod, version, owner = headOf(key)
  local reply = {}
  if head and put.previous then reply[1] = { key, head, call('HGET', DATA, field(mod, key)) } end
  if not head then
    create, mod, version, owner = next, 0, 0, 0
    call('ZADD', INDEX, 0, key)
  end
  if lease == -1 then lease = owner end
  version = version + 1
  call('HSET', HEADS, key, struct.pack('>dddd', create, next, version, lease))
  call('HSET', DATA, field(next, key), struct.pack('>ddd', create, version, lease) .. put.value)
  own(key, owner, lease)
  pending[#pending + 1] = { key, mod, 1 }
  work = work + 1
  return reply
end

local function deleteKey(key)
  local _, _, mod, _, owner = headOf(key)
  call('ZREM', INDEX, key)
  call('HDEL', HEADS, key)
  own(key, owner, 0)
  pending[#pending + 1] = { key, mod, 0 }
  work = work + 1
end

local function deleteKeys(operation)
  local keys, previous = {}, {}
  scan(operation.low, operation.high, false, function(key) keys[#keys + 1] = key end)
  for i, key in ipairs(keys) do
    if operation.previous then previous[i] = currentOf(key) end
    deleteKey(key)
  end
  if operation.previous then return { #keys, previous } end
  return { #keys }
end

-- Makes what was changed since the last commit the next revision. Whether anything was.
local function commit()
  if #pending == 0 then return false end
  local parts = {}
  for i, change in ipairs(pending) do
    parts[i] = struct.pack('>I4', #change[1]) .. change[1] .. struct.pack('>dB', change[2], change[3])
  end
  pending = {}
  revision = revision + 1
  call('HSET', LOG, digits(revision), table.concat(parts))
  return true
end

-- { revision, succeeded, replies } or a refusal, bytes
local function applyTxn(txn, budget)
  local held = holds(txn.compare)
  local operations = held and txn.held or txn.other
  local refusal, left = refusalOfBranch(operations, budget)
  if refusal then return refusal, 0 end
  local replies, next = {}, revision + 1
  for i, operation in ipairs(operations) do
    if operation.kind == 'p' then replies[i] = putKey(operation, next)
    elseif operation.kind == 'd' then replies[i] = deleteKeys(operation)
    else
      local reply, bytes = readRange(operation, left)
      left = left - bytes
      replies[i] = reply
    end
  end
  commit()
  return { revision, held and 1 or 0, replies }, budget - left
end

-- Ends a lease and deletes its keys, up to but without the commit.
local function endLease(lease)
  local low, high = leaseBounds(lease)
  call('HDEL', LEASES, digits(lease))
  call('ZREM', EXPIRY, digits(lease))
  for _, member in ipairs(call('ZRANGEBYLEX', OWNED, low, high)) do deleteKey(string.sub(member, 9)) end
end
`

/**
 * The commands of one client that wait together, in order, each whole and at a revision of its own.
 *
 * - They carry the number of their batch, which grows. A repeat of the last batch is answered from the session and changes nothing; one that comes after a later one (a copy that hung in the network) is refused.
 * - A script keeps the whole server waiting. So after a good piece of work it stops, and answers fewer commands than it was given: the rest was not looked at.
 * - Where the memory is full, what would make the store grow is refused; deletions and ends of leases are let in.
 *
 * KEYS[11]: the session. ARGV: store, channel, batch, whether it was sent before, whether a command may make the store grow, bytes of a reply, number of commands, commands:
 * 'T' transaction | 'G' ttl | 'R' lease. -> for each command { revision, succeeded, replies } | { lease } | { revision } | a refusal
 */
export const applyMain = String.raw`
local SESSION = KEYS[11]
local workMax, bytesMax, sessionMs = 4096, 8388608, 86400000
local channel, sequence, isRepeat, grows, budget, count
local isFull, hasWritten, replies, bytes = false, false, {}, 0

local function isOutOfMemory(result)
  if type(result) ~= 'table' or not result.err then return false end
  if string.find(result.err, '^OOM') then return true end
  error(result)
end

-- The first write of the script tells whether there is room: after it everything is let in.
local function lookForRoom()
  isFull = isOutOfMemory(redis.pcall('HSET', SESSION, 'touched', digits(now)))
  hasWritten = not isFull
end

local function grant(ttl)
  if isFull then return { 'no-space' } end
  if call('HLEN', LEASES) >= leasesMax then return { 'too-many-leases', leasesMax } end
  local lease = nextLease
  nextLease = nextLease + 1
  call('HSET', LEASES, digits(lease), struct.pack('>dd', ttl, leaseEpoch))
  call('ZADD', EXPIRY, digits(now + ttl + 1), digits(lease))
  call('HSET', META, 'nextLease', digits(nextLease))
  return { lease }
end

local function revoke(lease)
  if call('HEXISTS', LEASES, digits(lease)) == 0 then return { 'lease-not-found', lease } end
  endLease(lease)
  hasWritten = true
  commit()
  return { revision }
end

local function growsBy(operations)
  for _, operation in ipairs(operations) do
    if operation.kind == 'p' then return true end
  end
  return false
end

local function applyNext()
  local kind = take()
  if kind == 'G' then return grant(takeNumber()) end
  if kind == 'R' then return revoke(takeNumber()) end
  local txn = takeTxn()
  if isFull and (growsBy(txn.held) or growsBy(txn.other)) then return { 'no-space' } end
  local before = revision
  local reply, size = applyTxn(txn, budget)
  bytes = bytes + size
  if revision > before then hasWritten = true end
  return reply
end

enter()
channel, sequence, isRepeat, grows = take(), takeNumber(), take() == '1', take() == '1'
budget, count = takeNumber(), takeNumber()
local last = tonumber(call('HGET', SESSION, 'sequence') or '0')
if last == sequence then return cmsgpack.unpack(call('HGET', SESSION, 'answer')) end
if last > sequence then fail('ALTHINGLATE', 'batch ' .. digits(sequence) .. ' came after batch ' .. digits(last)) end
readClock()
if grows then lookForRoom() end
if isStale() then
  if isFull then fail('TRYAGAIN', 'the time of leases begins anew first') end
  refresh()
end
local before = revision
for i = 1, count do
  replies[i] = applyNext()
  if work >= workMax or bytes >= bytesMax then break end
end
if revision > before then
  call('HSET', META, 'revision', digits(revision))
  redis.pcall('PUBLISH', channel, digits(revision))
end
local kept = redis.pcall('HSET', SESSION, 'sequence', digits(sequence), 'answer', cmsgpack.pack(replies))
if isOutOfMemory(kept) then
  -- Nothing was changed. Another copy may be on its way, and this answer can only hold if that one does nothing either.
  if isRepeat then error(kept) end
else
  call('PEXPIRE', SESSION, sessionMs)
end
return replies
`
