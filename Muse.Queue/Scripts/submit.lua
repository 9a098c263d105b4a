-- Accepts a job, or says why not: idempotency, admission, hash, entries, owner's index and wake-up in one step.
local retention, unfinished = tonumber(ARGV[1]), tonumber(ARGV[2])
local id, json, owner, count, lane, deadline = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8]
local max_wait, max_length = tonumber(ARGV[9]), tonumber(ARGV[10])
local key, request, window, owner_limit = ARGV[11], ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14])
local job = job_key(id)

-- A first try is remembered for its retries, but never answered with an earlier job.
if key ~= '' and ARGV[15] ~= '1' then
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

local waiting, pending = measure('interactive')
local batch_waiting, batch_pending = measure('batch')
pending = pending + batch_pending
local ahead = waiting + pending + (lane == 'batch' and batch_waiting or 0)
local capacity = tonumber(redis.call('HGET', STATS, 'capacity') or '')
local wait = capacity and capacity > 0 and ahead / capacity * 1000 or -1
if wait > max_wait then return { 'full', string.format('%.0f', wait - max_wait), string.format('%.0f', wait) } end
local length = waiting + batch_waiting + pending + count
if length > max_length then
  local retry = capacity and capacity > 0 and (length - max_length) / capacity * 1000 or 5000
  return { 'full', string.format('%.0f', retry), string.format('%.0f', wait) }
end

local at = now()
local added = redis.call('HINCRBY', STATS, 'added:' .. lane, count) - count
local fields = { 'job', json, 'state', QUEUED, 'count', count, 'left', count, 'at', at, 'lane', lane, 'revision', 1 }
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
redis.call('HINCRBY', STATS, 'arrivals', count)
if ARGV[16] ~= '' then
  redis.call('ZADD', WEBHOOKS, at + tonumber(ARGV[16]), id)
  redis.call('PEXPIRE', WEBHOOKS, unfinished)
end
if key ~= '' then redis.call('SET', idempotency_key(owner, key), id .. ' ' .. request, 'PX', window) end
local index = owner_key(owner)
redis.call('ZADD', index, 0, string.format('%013.0f', at) .. '-' .. id)
redis.call('ZREMRANGEBYRANK', index, 0, -owner_limit - 1)
redis.call('PEXPIRE', index, unfinished)
redis.call('PUBLISH', CALLS, 'work')
return { 'accepted', id }
