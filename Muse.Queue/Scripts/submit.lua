-- Accepts or rejects each job: idempotency, admission, hash, entries, the caller's list of jobs and signal in one atomic step.
local unfinished, max_wait, max_length, owner_limit = arguments(4)
max_wait, max_length, owner_limit = tonumber(max_wait), tonumber(max_length), tonumber(owner_limit)
local SIGNAL_AGAIN = 100 -- Milliseconds.

-- An entry is deleted when it ends. The remaining ones wait or run.
local function length_of(lane) return redis.call('XLEN', STREAMS[lane]) end
local at = now()
local at_text = string.format('%.0f', at)
local lengths = { [INTERACTIVE] = length_of(INTERACTIVE), [BATCH] = length_of(BATCH) }
local stats = redis.call('HMGET', STATS, 'called', 'added:interactive', 'added:batch')
local signalled = tonumber(stats[1] or '')
local ordinals = { [INTERACTIVE] = tonumber(stats[2] or '0'), [BATCH] = tonumber(stats[3] or '0') }
local rate = capacity()
local added = { [INTERACTIVE] = 0, [BATCH] = 0 }
local batch_waiting -- Measured when it is needed.
local owned = {}

local function submit(id, json, owner, count_text, lane, begin_within, key, request, window, webhook_lease, uploaded, object)
  local job, count = job_key(id), tonumber(count_text)

  if key ~= '' then
    local known = redis.call('GET', idempotency_key(owner, key))
    if known then
      local other, other_request = string.match(known, '^(%S+) (.*)$')
      if redis.call('EXISTS', job_key(other)) == 1 then
        if other == id then return { ACCEPTED, id } end
        return { other_request == request and DUPLICATE or KEY_REUSED, other }
      end
    end
  end

  -- A submission is repeated under the same id when its response got lost.
  if redis.call('EXISTS', job) == 1 then return { ACCEPTED, id } end

  local length = lengths[INTERACTIVE] + lengths[BATCH]
  local ahead = length
  if lane == INTERACTIVE and lengths[BATCH] > 0 then
    batch_waiting = batch_waiting or measure(BATCH)
    ahead = length - batch_waiting
  end
  local wait = rate and rate > 0 and ahead / rate * 1000 or -1
  if wait > max_wait then return { QUEUE_FULL, string.format('%.0f', wait - max_wait), string.format('%.0f', wait) } end
  if length + count > max_length then
    local retry = rate and rate > 0 and (length + count - max_length) / rate * 1000 or 5000
    return { QUEUE_FULL, string.format('%.0f', retry), string.format('%.0f', wait) }
  end

  if uploaded == '1' and redis.call('EXISTS', input_upload_key(id)) == 0 then return { SUBMIT_ERROR, UPLOAD_MISSING } end

  local fields = {
    'job', json, 'state', QUEUED, 'count', count_text, 'left', count_text, 'at', at_text, 'lane', lane, 'revision', '1' }
  if begin_within ~= '' then
    fields[#fields + 1] = 'deadline'
    fields[#fields + 1] = string.format('%.0f', at + tonumber(begin_within))
  end
  for index = 0, count - 1 do
    local entry = redis.call('XADD', STREAMS[lane], '*', 'job', id, 'index', index)
    local n = #fields
    fields[n + 1], fields[n + 2] = index .. ':state', QUEUED
    fields[n + 3], fields[n + 4] = index .. ':entry', entry
    fields[n + 5], fields[n + 6] = index .. ':ordinal', ordinals[lane] + added[lane]
    added[lane] = added[lane] + 1
  end
  lengths[lane] = lengths[lane] + count
  if lane == BATCH then batch_waiting = nil end
  redis.call('HSET', job, unpack(fields))
  redis.call('PEXPIRE', job, unfinished)
  -- The input's pixels, or the pointer to them in the object store.
  if object ~= '' then redis.call('HSET', input_key(id), 'object', object)
  elseif uploaded == '1' then redis.call('RENAME', input_upload_key(id), input_key(id)) end
  if object ~= '' or uploaded == '1' then redis.call('PEXPIRE', input_key(id), unfinished) end
  if webhook_lease ~= '' then
    redis.call('ZADD', WEBHOOKS, at + tonumber(webhook_lease), id)
    redis.call('PEXPIRE', WEBHOOKS, unfinished)
  end
  if key ~= '' then redis.call('SET', idempotency_key(owner, key), id .. ' ' .. request, 'PX', window) end
  local names = owned[owner] or {}
  names[#names + 1] = '0'
  names[#names + 1] = string.format('%013.0f', at) .. '-' .. id
  owned[owner] = names
  return { ACCEPTED, id }
end

local replies = {}
while more_arguments() do
  local id, json, owner, count, lane, begin_within, key, request, window, webhook_lease, uploaded, object = arguments(12)
  local ok, reply = pcall(
    submit, id, json, owner, count, lane, begin_within, key, request, window, webhook_lease, uploaded, object)
  if uploaded == '1' then redis.call('DEL', input_upload_key(id)) end -- Of a job that was not accepted now.
  replies[#replies + 1] = ok and reply or { SUBMIT_ERROR, error_message(reply) }
end
for lane, count in pairs(added) do
  if count > 0 then redis.call('HINCRBY', STATS, 'added:' .. lane, count) end
end
for owner, names in pairs(owned) do
  local index = owner_key(owner)
  if type(redis.pcall('ZADD', index, unpack(names))) == 'table' then
    -- The key holds another type. The list of a caller's jobs may be lost, a job may not.
    redis.call('DEL', index)
    redis.call('ZADD', index, unpack(names))
  end
  if redis.call('ZCARD', index) > owner_limit then redis.call('ZREMRANGEBYRANK', index, 0, -owner_limit - 1) end
  redis.call('PEXPIRE', index, unfinished)
end
-- One signal is enough until a worker has read. If it got lost, the next submission after a moment sends another.
if added[INTERACTIVE] + added[BATCH] > 0 and (not signalled or at - signalled > SIGNAL_AGAIN or at < signalled) then
  redis.call('HSET', STATS, 'called', at_text)
  redis.call('PUBLISH', SIGNALS, SIGNAL_WORK)
end
return replies
