/**
 * The reading half of a transaction. Refusals are tables whose first member is a name; \`kvs\` are lists of { key, head, record }, as they lie in HEADS and DATA.
 */
export const reading = String.raw`
local shownMax, walkedMax = 10000, 100000
-- What the operations of the running transaction have changed so far: { key, mod revision before, put }.
local pending = {}
local work = 0

-- Bytewise, whatever the locale.
local function less(a, b)
  local length, position = math.min(#a, #b), 1
  while position <= length do
    local stop = math.min(position + 1023, length)
    if string.sub(a, position, stop) ~= string.sub(b, position, stop) then
      local left, right = { string.byte(a, position, stop) }, { string.byte(b, position, stop) }
      for i = 1, #left do
        if left[i] ~= right[i] then return left[i] < right[i] end
      end
    end
    position = stop + 1
  end
  return #a < #b
end

local function takeOperation()
  local kind = take()
  if kind == 'p' then
    return { kind = kind, key = take(), value = take(), lease = takeNumber(), previous = take() == '1' }
  end
  if kind == 'd' then return { kind = kind, low = take(), high = take(), previous = take() == '1' } end
  local range = { kind = kind, low = take(), high = take(), at = takeNumber(), limit = takeNumber() }
  range.descending, range.keysOnly, range.countOnly = take() == '1', take() == '1', take() == '1'
  return range
end

local function takeList(takeOne)
  local list = {}
  for i = 1, takeNumber() do list[i] = takeOne() end
  return list
end

local function takeCompare()
  return { target = take(), key = take(), operator = take(), value = take() }
end

local function takeTxn()
  return { compare = takeList(takeCompare), held = takeList(takeOperation), other = takeList(takeOperation) }
end

local function signOf(compare)
  local _, create, mod, version, lease = headOf(compare.key)
  if compare.target == 'value' then
    if not create then return nil end
    local value = string.sub(call('HGET', DATA, field(mod, compare.key)), 25)
    if value == compare.value then return 0 end
    return less(value, compare.value) and -1 or 1
  end
  local has = 0
  if create then
    if compare.target == 'version' then has = version
    elseif compare.target == 'createRevision' then has = create
    elseif compare.target == 'modRevision' then has = mod
    else has = lease end
  end
  return has - tonumber(compare.value)
end

local function holds(compares)
  for _, compare in ipairs(compares) do
    local sign, operator = signOf(compare), compare.operator
    if sign == nil then return false end
    local isHeld
    if operator == '=' then isHeld = sign == 0
    elseif operator == '!=' then isHeld = sign ~= 0
    elseif operator == '<' then isHeld = sign < 0
    else isHeld = sign > 0 end
    if not isHeld then return false end
  end
  return true
end

local function refusalOfRange(range)
  if not range.at then return nil end
  if range.at > revision then return { 'future-revision', range.at, revision } end
  if range.at < compacted then return { 'compacted', range.at, compacted } end
  if revision - range.at > walkedMax then return { 'too-far', range.at, walkedMax } end
  return nil
end

-- The versions that changes after 'then' have replaced, by key: their mod revision, 0 where there was none.
local function undone(moment)
  local before = {}
  local function note(key, mod)
    if before[key] == nil then before[key] = mod end
  end
  for each = moment + 1, revision do
    local record = call('HGET', LOG, digits(each))
    if record then eachChange(record, 1, note) end
  end
  for _, change in ipairs(pending) do note(change[1], change[2]) end
  work = work + math.floor((revision - moment) / 8)
  return before
end

-- Whether the key lies between two bounds of the index: '[bytes', '(bytes' or '+'.
local function isWithin(key, low, high)
  if less(key, string.sub(low, 2)) then return false end
  if high == '+' then return true end
  local bound = string.sub(high, 2)
  if string.sub(high, 1, 1) == '(' then return less(key, bound) end
  return not less(bound, key)
end

-- Calls 'each' with (key, mod) of the keys at a revision, in order, until it returns false.
local function scanAt(range, each)
  local before = undone(range.at)
  local replaced = {}
  for key, mod in pairs(before) do
    if mod > 0 and isWithin(key, range.low, range.high) then replaced[#replaced + 1] = key end
  end
  local follows = range.descending and function(a, b) return less(b, a) end or less
  table.sort(replaced, follows)
  local next, isOver = 1, false
  local function show(key, mod)
    if each(key, mod) == false then isOver = true end
    return not isOver
  end
  scan(range.low, range.high, range.descending, function(key)
    while next <= #replaced and follows(replaced[next], key) do
      if not show(replaced[next], before[replaced[next]]) then return false end
      next = next + 1
    end
    work = work + 1
    if before[key] ~= nil then return true end
    local _, _, mod = headOf(key)
    return show(key, mod)
  end)
  while not isOver and next <= #replaced do
    if not show(replaced[next], before[replaced[next]]) then return end
    next = next + 1
  end
end

local function versionOf(key, mod)
  local record = call('HGET', DATA, field(mod, key))
  local create, version, lease = struct.unpack('>ddd', record)
  return { key, struct.pack('>dddd', create, mod, version, lease), record }
end

local function currentOf(key)
  local head, _, mod = headOf(key)
  if not head then return nil end
  return { key, head, call('HGET', DATA, field(mod, key)) }
end

local function bytesOf(kv)
  return #kv[1] + math.max(0, #kv[3] - 24) + 32
end

-- { count, more, kvs }, bytes
local function readRange(range, budget)
  local kvs, count, bytes, isFull = {}, 0, 0, false
  local limit = range.limit > 0 and math.min(range.limit, shownMax) or shownMax
  local function show(key, mod)
    if isFull or range.countOnly then return end
    if #kvs >= limit then isFull = true return end
    local kv
    if range.keysOnly then
      kv = range.at and versionOf(key, mod) or { key, (headOf(key)), '' }
      kv[3] = ''
    else
      kv = versionOf(key, mod)
    end
    local size = bytesOf(kv)
    if bytes + size > budget then isFull = true return end
    bytes, work = bytes + size, work + 1
    kvs[#kvs + 1] = kv
  end
  if range.at then
    scanAt(range, function(key, mod)
      count = count + 1
      show(key, mod)
    end)
  else
    count = call('ZLEXCOUNT', INDEX, range.low, range.high)
    if not range.countOnly then
      scan(range.low, range.high, range.descending, function(key)
        local _, _, mod = headOf(key)
        show(key, mod)
        return not isFull
      end)
    end
  end
  local more = (not range.countOnly and #kvs < count) and 1 or 0
  return { count, more, kvs }, bytes
end
`

/** A transaction that only reads. ARGV: store, bytes of the reply, transaction. -> { revision, succeeded, replies } or a refusal */
export const readTxnMain = String.raw`
enter()
local budget = takeNumber()
local txn = takeTxn()
local held = holds(txn.compare)
local operations = held and txn.held or txn.other
local replies = {}
for _, operation in ipairs(operations) do
  local refusal = refusalOfRange(operation)
  if refusal then return refusal end
end
for i, operation in ipairs(operations) do
  local reply, bytes = readRange(operation, budget)
  budget = budget - bytes
  replies[i] = reply
end
return { revision, held and 1 or 0, replies }
`

/**
 * Single keys as they are now. The commonest script: by itself, with no more keys and calls than it needs. KEYS: META, HEADS, DATA. ARGV: store, keys.
 * -> { revision, head, record, head, record, ... }, empty where there is none. Stops at the bytes of a reply: the rest is asked for again.
 */
export const getsMain = String.raw`
local META, HEADS, DATA, call = KEYS[1], KEYS[2], KEYS[3], redis.call
local bytesMax, atOnce = 8388608, 8
if not string.find(call('INFO', 'replication'), 'role:master', 1, true) then return redis.error_reply('READONLY this server is a replica') end
local meta = call('HMGET', META, 'id', 'revision')
if not meta[1] then return redis.error_reply('ALTHINGGONE the store is not there') end
if meta[1] ~= ARGV[1] then return redis.error_reply('ALTHINGOTHER ' .. meta[1]) end
local answer, bytes = { tonumber(meta[2]) }, 0
for first = 2, #ARGV, atOnce do
  local heads = call('HMGET', HEADS, unpack(ARGV, first, math.min(first + atOnce - 1, #ARGV)))
  local fields, found = {}, 0
  for i, head in ipairs(heads) do
    -- As field() makes it, of the mod revision as it lies in the head.
    if head then fields[#fields + 1] = string.sub(head, 9, 16) .. ARGV[first + i - 1] end
  end
  local records = #fields > 0 and call('HMGET', DATA, unpack(fields)) or fields
  for i, head in ipairs(heads) do
    local record = ''
    if head then
      found = found + 1
      record = records[found] or ''
    end
    bytes = bytes + #record
    if bytes > bytesMax and first + i > 3 then return answer end
    answer[#answer + 1] = head or ''
    answer[#answer + 1] = record
  end
end
return answer
`

/**
 * A page of the keys as they are now. ARGV: store, low, high, descending, keys only, keys at most, bytes at most.
 * -> { run, revision, compacted, count, whether there are more, kvs }
 */
export const pageMain = String.raw`
enter()
local low, high, descending, keysOnly = take(), take(), take() == '1', take() == '1'
local keysMax, bytesMax = takeNumber(), takeNumber()
local kvs, bytes, more = {}, 0, 0
if keysMax > 0 then
  scan(low, high, descending, function(key)
    local head, _, mod = headOf(key)
    local record = keysOnly and '' or call('HGET', DATA, field(mod, key))
    bytes = bytes + #key + math.max(0, #record - 24) + 32
    if #kvs >= keysMax or bytes > bytesMax then
      more = 1
      return false
    end
    kvs[#kvs + 1] = { key, head, record }
  end)
end
return { run, revision, compacted, call('ZLEXCOUNT', INDEX, low, high), more, kvs }
`

/** Versions by their fields. ARGV: store, bytes at most, fields of DATA. -> { run, purged, record, record, ... }: at least one, '' where it is gone, and no more than the bytes allow. */
export const versionsMain = String.raw`
enter()
local bytesMax, bytes, answer = takeNumber(), 0, { run, purged }
for i = at + 1, #ARGV do
  local record = call('HGET', DATA, ARGV[i]) or ''
  bytes = bytes + #record
  if bytes > bytesMax and #answer > 2 then return answer end
  answer[#answer + 1] = record
end
return answer
`
