/**
 * What was changed after a revision, of the ranges wanted: whole revisions, but for a single one that is larger than a page. \`lost\` is -1 where the history that the caller knows goes on here; otherwise
 * the last revision that it may still believe, because the server has lost what came after it.
 *
 * ARGV: store, epoch that the caller knows, revision, position in the next one, events at most, bytes at most, with values, with previous versions,
 * number of ranges, ranges: '*' | '=' key | '^' prefix | '<' low high | '>' low.
 * -> { epoch, run, lost, revision, compacted, purged, up to which revision it is whole, position where the next one was cut (0: it was not), events },
 * an event being { revision, put, key, mod revision before, record, record before }
 */
export const changesMain = String.raw`
local scannedMax, changesMax = 2000, 20000
local singles, prefixes, lengths, ranges, isAll = {}, {}, {}, {}, false

local function takeSpan()
  local kind = take()
  if kind == '*' then isAll = true
  elseif kind == '=' then singles[take()] = true
  elseif kind == '^' then
    local prefix = take()
    prefixes[prefix] = true
    lengths[#prefix] = true
  elseif kind == '>' then ranges[#ranges + 1] = { '[' .. take(), '+' }
  else
    local low = take()
    ranges[#ranges + 1] = { '[' .. low, '(' .. take() }
  end
end

local function isWanted(key)
  if isAll or singles[key] then return true end
  for length in pairs(lengths) do
    if prefixes[string.sub(key, 1, length)] then return true end
  end
  for _, range in ipairs(ranges) do
    if isWithin(key, range[1], range[2]) then return true end
  end
  return false
end

local function lostSince(known)
  if known == epoch then return -1 end
  local epochs, least = call('LRANGE', EPOCHS, 0, -1), nil
  for i = #epochs, 1, -1 do
    local name, start = string.match(epochs[i], '^(%S+) (%d+)$')
    if name == known then return least or -1 end
    start = tonumber(start)
    if not least or start < least then least = start end
  end
  return 0
end

enter()
refresh()
local known, after, position = take(), takeNumber(), takeNumber()
local eventsMax, bytesMax, withValues, withPrevious = takeNumber(), takeNumber(), take() == '1', take() == '1'
for _ = 1, takeNumber() do takeSpan() end

local events, bytes, changes, upTo, cut = {}, 0, 0, math.max(after, purged), 0
local function recordOf(key, mod)
  if mod == 0 then return '' end
  return call('HGET', DATA, field(mod, key)) or ''
end
while upTo < revision and upTo - after < scannedMax and changes < changesMax do
  local next, first = upTo + 1, #events
  local record = call('HGET', LOG, digits(next)) or ''
  eachChange(record, upTo == after and position or 1, function(key, before, isPut, place)
    changes = changes + 1
    if not isWanted(key) then return true end
    if #events >= eventsMax or bytes >= bytesMax then
      cut = place
      return false
    end
    local version = withValues and isPut and recordOf(key, next) or ''
    local previous = withPrevious and recordOf(key, before) or ''
    bytes = bytes + #key + #version + #previous
    events[#events + 1] = { next, isPut and 1 or 0, key, before, version, previous }
  end)
  if cut > 0 then
    if first > 0 then
      for i = #events, first + 1, -1 do events[i] = nil end
      cut = 0
    end
    break
  end
  upTo = next
end
return { epoch, run, lostSince(known), revision, compacted, purged, upTo, cut, events }
`
