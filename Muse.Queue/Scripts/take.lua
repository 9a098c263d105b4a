-- Takes pictures for a worker: those whose lease ran out first, then new ones, and begins them.
-- One script, so that what is delivered is also marked as begun, and one round trip lies between a wake-up and the engine.
local retention, worker, room = ARGV[1], ARGV[2], tonumber(ARGV[3])
local batch_share, lease, max_deliveries = tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local look_for_abandoned, recover = ARGV[7] == '1', ARGV[8] == '1'
local poisoned, late, unreadable, json_limit = ARGV[9], ARGV[10], ARGV[11], tonumber(ARGV[12])
local held = {}
for n = 13, #ARGV do held[ARGV[n]] = true end

local EXAMINED_AT_MOST = 200
local taken, examined, at, waits = {}, 0, now(), {}
local at_text = string.format('%.0f', at)

local function text(value) return string.sub(tostring(value or ''), 1, 64) end

local function begin(lane, entry, fields, deliveries)
  local id, index
  for n = 1, #fields, 2 do
    if fields[n] == 'job' then id = fields[n + 1] elseif fields[n] == 'index' then index = fields[n + 1] end
  end
  local function refuse(reason)
    bury(lane, entry, text(id), text(index), reason)
    settle(lane, entry)
    redis.call('ZREM', CANCELLED_ENTRIES[lane], entry)
  end
  if not id or #id > 64 or not string.match(id, '^[%w_-]+$') then return refuse('The entry names no job.') end
  if not index or not string.match(index, '^%d$') then return refuse('The entry names no picture.') end
  local job = job_key(id)
  local size = redis.pcall('HSTRLEN', job, 'job')
  if type(size) == 'table' then return refuse('The job is not a hash.') end
  local readable = size > 0 and size <= json_limit
  local found = redis.call('HMGET', job, index .. ':state', 'deadline', index .. ':begun', 'state', 'started', 'revision', 'at', readable and 'job' or 'at')
  local state, deadline, begun = found[1], tonumber(found[2] or ''), found[3]
  if not found[4] then return refuse('The job is gone or never was.') end
  if not state then return refuse('The job has no such picture.') end
  if is_final(state) then
    redis.call('ZREM', CANCELLED_ENTRIES[lane], entry)
    return settle(lane, entry)
  end
  if not readable then
    end_picture(id, index, FAILED, unreadable, retention)
    return refuse(size == 0 and 'The job does not say what to paint.' or 'The job is larger than a job can be.')
  end
  if deadline and at > deadline and not begun then
    end_picture(id, index, FAILED, late, retention)
    return settle(lane, entry)
  end
  if deliveries > max_deliveries then
    end_picture(id, index, FAILED, poisoned, retention)
    return refuse('Workers crashed on it ' .. (deliveries - 1) .. ' times.')
  end
  local revision = next_revision(found[6])
  redis.call('HSET', job, index .. ':state', RUNNING, index .. ':worker', worker, index .. ':begun', begun or at_text,
    'state', RUNNING, 'started', found[5] or at_text, 'revision', revision)
  tell(id, revision, RUNNING)
  if not begun then waits[#waits + 1] = math.max(0, at - (tonumber(found[7]) or at)) end
  -- What was never begun has no checkpoint.
  local checkpoint = begun and redis.call('HGET', work_key(id), index .. ':checkpoint') or ''
  taken[#taken + 1] = { lane, entry, deliveries, id, index, found[8], checkpoint, begun or at_text }
end

-- A job's hash may hold anything; what it makes fail must not make this script fail with everything else it took.
local function try(lane, entry, fields, deliveries)
  examined = examined + 1
  local before = #taken
  local ok, problem = pcall(begin, lane, entry, fields, deliveries)
  if ok then return end
  taken[before + 1] = nil
  bury(lane, entry, '', '', 'The job is damaged: ' .. string.sub(reason_of(problem), 1, 200))
  settle(lane, entry)
end

local function claim(lane, pending, count_it)
  local arguments = { 'XCLAIM', STREAMS[lane], GROUP, worker, 0, pending[1] }
  local deliveries = pending[4]
  if count_it then deliveries = deliveries + 1 else arguments[7], arguments[8] = 'RETRYCOUNT', deliveries end
  local claimed = redis.call(unpack(arguments))
  if claimed[1] and claimed[1][2] then try(lane, pending[1], claimed[1][2], deliveries)
  else redis.call('XACK', STREAMS[lane], GROUP, pending[1]) end
end

local function read(lane, most)
  local goal = math.min(#taken + most, room)
  while #taken < goal and examined < EXAMINED_AT_MOST do
    local function ask() return redis.pcall('XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', goal - #taken, 'STREAMS', STREAMS[lane], '>') end
    local answer = ask()
    if answer and answer.err then
      measure(lane) -- It makes the group that was missing.
      answer = ask()
    end
    if not answer or answer.err then return end
    for _, entry in ipairs(answer[1][2]) do try(lane, entry[1], entry[2], 1) end
  end
end

for _, lane in ipairs({ 'interactive', 'batch' }) do
  if look_for_abandoned or recover then measure(lane) end
  if recover then
    -- The answer to this worker's last take got lost: what was delivered to it and it does not know of. No crash, no count.
    for _, pending in ipairs(redis.call('XPENDING', STREAMS[lane], GROUP, '-', '+', 1000, worker)) do
      if not held[pending[1]] and #taken < room then claim(lane, pending, false) end
    end
  end
  if look_for_abandoned then
    for _, pending in ipairs(redis.call('XPENDING', STREAMS[lane], GROUP, 'IDLE', lease, '-', '+', 100)) do
      if not held[pending[1]] and #taken < room then claim(lane, pending, true) end
    end
  end
end
redis.call('HDEL', STATS, 'called') -- Whoever comes now has to call again.
local batch = redis.call('XLEN', STREAMS.batch) > 0
if batch then read('batch', batch_share) end
read('interactive', room)
if batch then read('batch', room) end
if #waits > 0 then
  redis.call('XADD', WAITS, 'MAXLEN', '~', WAITS_KEPT, '*', 'milliseconds', table.concat(waits, ' '))
  redis.call('PEXPIRE', WAITS, WAITS_RETENTION)
end
return taken
