-- Accepts a job, or says why not: idempotency, admission, hash, entries, owner's index and wake-up in one step.
local unfinished = ARGV[1]
local id, json, owner, count, lane, deadline = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7]
local max_wait, max_length = tonumber(ARGV[8]), tonumber(ARGV[9])
local key, request, window, owner_limit, first_try, webhook_lease = ARGV[10], ARGV[11], ARGV[12], tonumber(ARGV[13]), ARGV[14] == '1', ARGV[15]
local CALL_AGAIN = 100
local job = job_key(id)

-- A first try is remembered for its retries, but never answered with an earlier job.
if key ~= '' and not first_try then
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

-- An entry is deleted when it ends: a lane's length is what waits and what runs, and what was cancelled before it was begun.
local function length_of(name) return redis.call('XLEN', STREAMS[name]) - redis.call('ZCARD', CANCELLED_ENTRIES[name]) end
local length, batch_length = length_of('interactive'), length_of('batch')
local batch_waiting = batch_length > 0 and lane == 'interactive' and measure('batch') or 0
local ahead = length + batch_length - batch_waiting
local stats = redis.call('HMGET', STATS, 'capacity', 'called')
local capacity, called = tonumber(stats[1] or ''), tonumber(stats[2] or '')
local wait = capacity and capacity > 0 and ahead / capacity * 1000 or -1
if wait > max_wait then return { 'full', string.format('%.0f', wait - max_wait), string.format('%.0f', wait) } end
length = length + batch_length + count
if length > max_length then
  local retry = capacity and capacity > 0 and (length - max_length) / capacity * 1000 or 5000
  return { 'full', string.format('%.0f', retry), string.format('%.0f', wait) }
end

local at = now()
local added = redis.call('HINCRBY', STATS, 'added:' .. lane, count) - count
local fields = { 'job', json, 'state', QUEUED, 'count', ARGV[5], 'left', ARGV[5], 'at', at, 'lane', lane, 'revision', '1' }
if deadline ~= '' then fields[#fields + 1] = 'deadline'; fields[#fields + 1] = deadline end
for index = 0, count - 1 do
  local entry = redis.call('XADD', STREAMS[lane], '*', 'job', id, 'index', index)
  local n = #fields
  fields[n + 1], fields[n + 2] = index .. ':state', QUEUED
  fields[n + 3], fields[n + 4] = index .. ':entry', entry
  fields[n + 5], fields[n + 6] = index .. ':ordinal', added + index
end
redis.call('HSET', job, unpack(fields))
redis.call('PEXPIRE', job, unfinished)
if webhook_lease ~= '' then
  redis.call('ZADD', WEBHOOKS, at + tonumber(webhook_lease), id)
  redis.call('PEXPIRE', WEBHOOKS, unfinished)
end
if key ~= '' then redis.call('SET', idempotency_key(owner, key), id .. ' ' .. request, 'PX', window) end
local index = owner_key(owner)
redis.call('ZADD', index, 0, string.format('%013.0f', at) .. '-' .. id)
if redis.call('ZCARD', index) > owner_limit then redis.call('ZREMRANGEBYRANK', index, 0, -owner_limit - 1) end
redis.call('PEXPIRE', index, unfinished)
-- One call is enough until somebody has looked; a lost one is made good by the next submission after a moment.
if not called or at - called > CALL_AGAIN or at < called then
  redis.call('HSET', STATS, 'called', at)
  redis.call('PUBLISH', CALLS, 'work')
end
return { 'accepted', id }
