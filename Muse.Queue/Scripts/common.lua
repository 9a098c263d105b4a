-- Shared by all scripts. States are JobState's numbers.
local QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED = '0', '1', '2', '3', '4'
-- Previews stay this long after the end of their job, for readers that lag behind.
local PREVIEW_RETENTION = 60000
local DEAD_LETTERS = 100000
local WAITS_KEPT, WAITS_RETENTION = 4096, 600000

local function is_final(state) return state == SUCCEEDED or state == FAILED or state == CANCELLED end

-- Redis' clock in milliseconds: the one clock that all machines share. It stands still while a script runs.
local moment
local function now()
  if not moment then
    local time = redis.call('TIME')
    moment = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return moment
end

-- What a protected call failed with, in words.
local function reason_of(problem) return type(problem) == 'table' and problem.err or tostring(problem) end

local function next_revision(revision) return string.format('%.0f', (tonumber(revision) or 0) + 1) end

-- Tells those who wait for the job, in one message with all else that the script tells.
local told = {}
local function tell(id, revision, state) told[#told + 1] = id .. ' ' .. revision .. ' ' .. state end

-- Grows the job's revision and tells of it.
local function changed(id, state)
  tell(id, string.format('%.0f', redis.call('HINCRBY', job_key(id), 'revision', 1)), state)
end

-- An entry leaves the stream only after it was delivered, acknowledged and deleted in one step: what is left can be counted.
local settled = { interactive = {}, batch = {} }
local function settle(lane, entry)
  local entries = settled[lane]
  entries[#entries + 1] = entry
end

local function bury(lane, entry, id, index, reason)
  redis.call('XADD', DEAD, 'MAXLEN', '~', DEAD_LETTERS, '*', 'job', id, 'index', index, 'lane', lane, 'entry', entry, 'reason', reason)
end

local completed = 0

-- Ends a picture that is not final; with the last one the job ends, and everything of it gets its expiry.
-- `fields` are further ones of the job to write.
local function end_picture(id, index, state, result, retention, fields)
  local job, at = job_key(id), string.format('%.0f', now())
  local found = redis.call('HMGET', job, 'left', 'failed', 'cancelled', 'revision')
  local left, revision = (tonumber(found[1]) or 0) - 1, next_revision(found[4])
  local failed, cancelled = tonumber(found[2]), tonumber(found[3])
  fields = fields or {}
  local function set(name, value) fields[#fields + 1] = name; fields[#fields + 1] = value end
  set(index .. ':state', state); set(index .. ':ended', at); set(index .. ':result', result)
  set('left', left); set('revision', revision)
  if state == FAILED then failed = (failed or 0) + 1; set('failed', failed) end
  if state == CANCELLED then cancelled = (cancelled or 0) + 1; set('cancelled', cancelled) end
  local job_state = RUNNING
  if left <= 0 then
    job_state = failed and FAILED or cancelled and CANCELLED or SUCCEEDED
    set('state', job_state); set('finished', at)
    redis.call('PEXPIRE', job, retention)
    redis.call('PEXPIRE', pictures_key(id), retention)
  end
  redis.call('HSET', job, unpack(fields))
  completed = completed + 1
  local work = work_key(id)
  if redis.call('EXISTS', work) == 1 then
    redis.call('HDEL', work, index .. ':checkpoint')
    if left <= 0 then redis.call('PEXPIRE', work, math.min(retention, PREVIEW_RETENTION)) end
  end
  tell(id, revision, job_state)
end

-- What the script has gathered is done once for all: entries settled, pictures counted, changes told.
local function finish()
  for lane, entries in pairs(settled) do
    if #entries > 0 then
      redis.call('XACK', STREAMS[lane], GROUP, unpack(entries))
      redis.call('XDEL', STREAMS[lane], unpack(entries))
    end
  end
  if completed > 0 then redis.call('HINCRBY', STATS, 'completed', completed) end
  if #told > 0 then redis.call('PUBLISH', EVENTS, table.concat(told, '\n')) end
end

-- A lane's numbers: waiting, pending, last delivered id. Makes stream and group where there are none.
local function measure(lane)
  local stream = STREAMS[lane]
  local group
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  for attempt = 1, 2 do
    if not groups.err then
      for _, fields in ipairs(groups) do
        local found = {}
        for n = 1, #fields, 2 do found[fields[n]] = fields[n + 1] end
        if found.name == GROUP then group = found end
      end
    end
    if group then break end
    redis.call('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
    groups = redis.call('XINFO', 'GROUPS', stream)
  end
  -- Not the group's lag: a Redis that was killed and read its append-only file again miscounts it for ever, and it can be nil.
  -- What is acknowledged is deleted in the same step, so what is left is either pending or waits.
  local waiting = math.max(0, redis.call('XLEN', stream) - group.pending - redis.call('ZCARD', CANCELLED_ENTRIES[lane]))
  return waiting, group.pending, group['last-delivered-id']
end
