-- Takes images for a worker and marks them as begun: first those whose lease ran out, then new ones.
-- Reading and marking are one script: no image is delivered without being marked, and a worker needs one round trip to get work.
local retention, worker, free_slots, batch_share, lease, max_deliveries, look_for_abandoned, recover,
  poisoned, deadline_exceeded, unreadable, json_limit = arguments(12)
free_slots, batch_share = tonumber(free_slots), tonumber(batch_share)
max_deliveries, json_limit = tonumber(max_deliveries), tonumber(json_limit)
look_for_abandoned, recover = look_for_abandoned == '1', recover == '1'
local held = {}
while more_arguments() do held[arguments(1)] = true end

local MAX_EXAMINED = 200
local taken, examined, at, waits = {}, 0, now(), {}
local at_text = string.format('%.0f', at)

local function text(value) return string.sub(tostring(value or ''), 1, 64) end

-- Starts a delivered entry, or ends it: as a dead letter, because its image is final already, or because its deadline has passed.
local function begin(lane, entry, fields, deliveries)
  local id, index = fields.job, fields.index
  -- Sends the entry to the dead letters. With a result, its image fails too.
  local function dead_letter(reason, result)
    if result then end_image(id, index, FAILED, result, retention) end
    add_dead_letter(lane, entry, text(id), text(index), reason)
    remove_entry(lane, entry)
  end

  if not id or #id > 64 or not string.match(id, '^[%w_-]+$') then return dead_letter('The entry names no job.') end
  if not index or not string.match(index, '^%d$') then return dead_letter('The entry names no image.') end
  local job = job_key(id)
  local size = redis.pcall('HSTRLEN', job, 'job')
  if type(size) == 'table' then return dead_letter('The job is not a hash.') end
  local readable = size > 0 and size <= json_limit
  local found = redis.call('HMGET', job, index .. ':state', 'deadline', index .. ':begun', 'state', 'started', 'revision', 'at',
    readable and 'job' or 'at')
  local state, deadline, begun, job_state = found[1], tonumber(found[2] or ''), found[3], found[4]
  local started, revision, accepted, json = found[5], found[6], found[7], found[8]
  if not job_state then return dead_letter('The job has expired or never existed.') end
  if not state then return dead_letter('The job has no such image.') end
  if is_final(state) then return remove_entry(lane, entry) end
  if size == 0 then return dead_letter('The job has no request.', unreadable) end
  if not readable then return dead_letter('The job is larger than allowed.', unreadable) end
  if deadline and at > deadline and not begun then
    end_image(id, index, FAILED, deadline_exceeded, retention)
    return remove_entry(lane, entry)
  end
  if deliveries > max_deliveries then return dead_letter('Workers crashed on it ' .. (deliveries - 1) .. ' times.', poisoned) end

  revision = next_revision(revision)
  redis.call('HSET', job, index .. ':state', RUNNING, index .. ':worker', worker, index .. ':begun', begun or at_text,
    'state', RUNNING, 'started', started or at_text, 'revision', revision)
  notify(id, revision, RUNNING)
  local waited = ''
  if not begun then
    waited = math.max(0, at - (tonumber(accepted) or at))
    waits[#waits + 1] = waited
  end
  -- An image that was never begun has no checkpoint.
  local checkpoint = begun and redis.call('GET', checkpoint_key(id, index)) or ''
  taken[#taken + 1] = { lane, entry, deliveries, id, index, json, checkpoint, begun or at_text, waited }
end

-- A damaged job may make any command fail. The other images that the script takes must not be lost then.
local function try_begin(lane, entry, fields, deliveries)
  examined = examined + 1
  local before = #taken
  local ok, failure = pcall(begin, lane, entry, read_fields(fields), deliveries)
  if ok then return end
  taken[before + 1] = nil
  add_dead_letter(lane, entry, '', '', 'The job is damaged: ' .. string.sub(error_message(failure), 1, 200))
  remove_entry(lane, entry)
end

-- Takes over a pending entry (a row of XPENDING), for example one of a worker that died.
local function claim(lane, pending, counts_as_delivery)
  local entry, deliveries = pending[1], pending[4]
  local command = { 'XCLAIM', STREAMS[lane], GROUP, worker, 0, entry }
  if counts_as_delivery then deliveries = deliveries + 1 else command[7], command[8] = 'RETRYCOUNT', deliveries end
  local claimed = redis.call(unpack(command))
  if claimed[1] and claimed[1][2] then try_begin(lane, entry, claimed[1][2], deliveries)
  else redis.call('XACK', STREAMS[lane], GROUP, entry) end
end

local function read(lane, limit)
  local goal = math.min(#taken + limit, free_slots)
  while #taken < goal and examined < MAX_EXAMINED do
    local function read_group()
      return redis.pcall('XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', goal - #taken, 'STREAMS', STREAMS[lane], '>')
    end
    local reply = read_group()
    if reply and reply.err then
      measure(lane) -- Creates the missing group.
      reply = read_group()
    end
    if not reply or reply.err then return end
    for _, entry in ipairs(reply[1][2]) do try_begin(lane, entry[1], entry[2], 1) end
  end
end

for _, lane in ipairs(LANES) do
  if look_for_abandoned or recover then measure(lane) end
  if recover then
    -- The response to this worker's last call got lost. Deliver again what it does not know of, without counting a crash.
    for _, pending in ipairs(redis.call('XPENDING', STREAMS[lane], GROUP, '-', '+', 1000, worker)) do
      if not held[pending[1]] and #taken < free_slots then claim(lane, pending, false) end
    end
  end
  if look_for_abandoned then
    for _, pending in ipairs(redis.call('XPENDING', STREAMS[lane], GROUP, 'IDLE', lease, '-', '+', 100)) do
      if not held[pending[1]] and #taken < free_slots then claim(lane, pending, true) end
    end
  end
end
redis.call('HDEL', STATS, 'called') -- The next submission has to signal again.
local has_batch = redis.call('XLEN', STREAMS[BATCH]) > 0
if has_batch then read(BATCH, batch_share) end
read(INTERACTIVE, free_slots)
if has_batch then read(BATCH, free_slots) end
if #waits > 0 then
  redis.call('XADD', WAITS, 'MAXLEN', '~', WAITS_KEPT, '*', 'milliseconds', table.concat(waits, ' '))
  redis.call('PEXPIRE', WAITS, WAITS_RETENTION)
end
return taken
