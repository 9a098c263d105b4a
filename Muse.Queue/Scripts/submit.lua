-- Accepts jobs, or says of each why not: idempotency, admission, hash, entries, owner's index and wake-up in one step.
local unfinished, max_wait, max_length, owner_limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local FIELDS = 10
local CALL_AGAIN = 100

-- An entry is deleted when it ends: a lane's length is what waits and what runs, and what was cancelled before it was begun.
local function length_of(name) return redis.call('XLEN', STREAMS[name]) - redis.call('ZCARD', CANCELLED_ENTRIES[name]) end
local at = now()
local at_text = string.format('%.0f', at)
local lengths = { interactive = length_of('interactive'), batch = length_of('batch') }
local stats = redis.call('HMGET', STATS, 'capacity', 'called', 'added:interactive', 'added:batch')
local capacity, called = tonumber(stats[1] or ''), tonumber(stats[2] or '')
local ordinals = { interactive = tonumber(stats[3] or '0'), batch = tonumber(stats[4] or '0') }
local added = { interactive = 0, batch = 0 }
local batch_waiting -- Measured when it matters.
local owned = {}

local function submit(first)
  local id, json, owner, count, lane, deadline = ARGV[first], ARGV[first + 1], ARGV[first + 2], tonumber(ARGV[first + 3]), ARGV[first + 4], ARGV[first + 5]
  local key, request, window, webhook_lease = ARGV[first + 6], ARGV[first + 7], ARGV[first + 8], ARGV[first + 9]
  local job = job_key(id)

  if key ~= '' then
    local known = redis.call('GET', idempotency_key(owner, key))
    if known then
      local other, other_request = string.match(known, '^(%S+) (.*)$')
      if redis.call('EXISTS', job_key(other)) == 1 then
        if other == id then return { 'accepted', id } end
        return { other_request == request and 'duplicate' or 'reused', other }
      end
    end
  end

  -- A submission whose answer got lost comes again under the same id.
  if redis.call('EXISTS', job) == 1 then return { 'accepted', id } end

  local length = lengths.interactive + lengths.batch
  local ahead = length
  if lane == 'interactive' and lengths.batch > 0 then
    batch_waiting = batch_waiting or measure('batch')
    ahead = length - batch_waiting
  end
  local wait = capacity and capacity > 0 and ahead / capacity * 1000 or -1
  if wait > max_wait then return { 'full', string.format('%.0f', wait - max_wait), string.format('%.0f', wait) } end
  if length + count > max_length then
    local retry = capacity and capacity > 0 and (length + count - max_length) / capacity * 1000 or 5000
    return { 'full', string.format('%.0f', retry), string.format('%.0f', wait) }
  end

  local fields = { 'job', json, 'state', QUEUED, 'count', ARGV[first + 3], 'left', ARGV[first + 3], 'at', at_text, 'lane', lane, 'revision', '1' }
  if deadline ~= '' then fields[#fields + 1] = 'deadline'; fields[#fields + 1] = deadline end
  for index = 0, count - 1 do
    local entry = redis.call('XADD', STREAMS[lane], '*', 'job', id, 'index', index)
    local n = #fields
    fields[n + 1], fields[n + 2] = index .. ':state', QUEUED
    fields[n + 3], fields[n + 4] = index .. ':entry', entry
    fields[n + 5], fields[n + 6] = index .. ':ordinal', ordinals[lane] + added[lane]
    added[lane] = added[lane] + 1
  end
  lengths[lane] = lengths[lane] + count
  if lane == 'batch' then batch_waiting = nil end
  redis.call('HSET', job, unpack(fields))
  redis.call('PEXPIRE', job, unfinished)
  if webhook_lease ~= '' then
    redis.call('ZADD', WEBHOOKS, at + tonumber(webhook_lease), id)
    redis.call('PEXPIRE', WEBHOOKS, unfinished)
  end
  if key ~= '' then redis.call('SET', idempotency_key(owner, key), id .. ' ' .. request, 'PX', window) end
  local names = owned[owner] or {}
  names[#names + 1] = '0'
  names[#names + 1] = string.format('%013.0f', at) .. '-' .. id
  owned[owner] = names
  return { 'accepted', id }
end

local answers = {}
for first = 5, #ARGV, FIELDS do
  local ok, answer = pcall(submit, first)
  answers[#answers + 1] = ok and answer or { 'error', reason_of(answer) }
end
for lane, count in pairs(added) do
  if count > 0 then redis.call('HINCRBY', STATS, 'added:' .. lane, count) end
end
for owner, names in pairs(owned) do
  local index = owner_key(owner)
  if type(redis.pcall('ZADD', index, unpack(names))) == 'table' then
    -- Something else lies there: a caller's list is not worth a job.
    redis.call('DEL', index)
    redis.call('ZADD', index, unpack(names))
  end
  if redis.call('ZCARD', index) > owner_limit then redis.call('ZREMRANGEBYRANK', index, 0, -owner_limit - 1) end
  redis.call('PEXPIRE', index, unfinished)
end
-- One call is enough until somebody has looked; a lost one is made good by the next submission after a moment.
if added.interactive + added.batch > 0 and (not called or at - called > CALL_AGAIN or at < called) then
  redis.call('HSET', STATS, 'called', at_text)
  redis.call('PUBLISH', CALLS, 'work')
end
return answers
