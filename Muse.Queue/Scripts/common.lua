-- Shared by all scripts. States are JobState's numbers.
local QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED = '0', '1', '2', '3', '4'
-- Previews stay this long after the end of their job, for readers that lag behind.
local PREVIEW_RETENTION = 60000
local DEAD_LETTERS = 100000
local WAITS_KEPT, WAITS_RETENTION = 4096, 600000

local function is_final(state) return state == SUCCEEDED or state == FAILED or state == CANCELLED end

-- Redis' clock in milliseconds: the one clock that all machines share.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Grows the job's revision and tells those who wait for it.
local function changed(id, state)
  local revision = redis.call('HINCRBY', job_key(id), 'revision', 1)
  redis.call('PUBLISH', EVENTS, id .. ' ' .. string.format('%.0f', revision) .. ' ' .. state)
end

-- An entry leaves the stream only after it was delivered, acknowledged and deleted in one step: what is left can be counted.
local function settle(lane, entry)
  redis.call('XACK', STREAMS[lane], GROUP, entry)
  redis.call('XDEL', STREAMS[lane], entry)
end

local function bury(lane, entry, id, index, reason)
  redis.call('XADD', DEAD, 'MAXLEN', '~', DEAD_LETTERS, '*', 'job', id, 'index', index, 'lane', lane, 'entry', entry, 'reason', reason)
end

-- Ends a picture that is not final; with the last one the job ends, and everything of it gets its expiry.
local function end_picture(id, index, state, result, retention)
  local job, at = job_key(id), now()
  redis.call('HSET', job, index .. ':state', state, index .. ':ended', at, index .. ':result', result)
  local left = redis.call('HINCRBY', job, 'left', -1)
  if state ~= SUCCEEDED then redis.call('HINCRBY', job, state == FAILED and 'failed' or 'cancelled', 1) end
  redis.call('HINCRBY', STATS, 'completed', 1)
  local job_state = RUNNING
  if left <= 0 then
    local ended = redis.call('HMGET', job, 'failed', 'cancelled')
    job_state = ended[1] and FAILED or ended[2] and CANCELLED or SUCCEEDED
    redis.call('HSET', job, 'state', job_state, 'finished', at)
    redis.call('PEXPIRE', job, retention)
    redis.call('PEXPIRE', pictures_key(id), retention)
    redis.call('PEXPIRE', work_key(id), math.min(retention, PREVIEW_RETENTION))
  end
  redis.call('HDEL', work_key(id), index .. ':checkpoint')
  changed(id, job_state)
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
