-- Shared by all scripts.
-- Previews are kept this long after the end of their job, for readers that lag behind. Milliseconds.
local PREVIEW_RETENTION = 60000
local FLEET_RETENTION = 600000
local MAX_DEAD_LETTERS = 100000
local WAITS_KEPT, WAITS_RETENTION = 4096, 600000
local PROBE_RETENTION = 60000
local MAX_CANCELLED = 10000
-- The consumer that holds images which were handed back. No worker has this name.
local HANDED_BACK = 'handed-back'
-- A reply with a code that makes the caller try again.
local UPLOAD_MISSING = 'TRYAGAIN The uploaded bytes have expired or were lost.'

-- A script names its arguments in their order: `local id, index = arguments(2)` takes the next two of ARGV.
-- Taking them costs one call of unpack. JSON or pairs of names and values would have to be decoded at every call.
local arguments_taken = 0
local function arguments(count)
  local first = arguments_taken + 1
  arguments_taken = arguments_taken + count
  return unpack(ARGV, first, arguments_taken)
end
local function more_arguments() return arguments_taken < #ARGV end

local function is_final(state) return state == SUCCEEDED or state == FAILED or state == CANCELLED end

-- The clock of Redis in milliseconds, the one clock that all machines share. It does not advance while a script runs.
local cached_now
local function now()
  if not cached_now then
    local time = redis.call('TIME')
    cached_now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return cached_now
end

-- The message of an error that pcall returned.
local function error_message(failure) return type(failure) == 'table' and failure.err or tostring(failure) end

-- The fields of a stream entry, by name.
local function read_fields(pairs_of_entry)
  local fields = {}
  for n = 1, #pairs_of_entry, 2 do fields[pairs_of_entry[n]] = pairs_of_entry[n + 1] end
  return fields
end

-- Whether an image runs on this worker.
local function runs_on(id, index, worker)
  local found = redis.call('HMGET', job_key(id), index .. ':state', index .. ':worker')
  return found[1] == RUNNING and found[2] == worker
end

local function next_revision(revision) return string.format('%.0f', (tonumber(revision) or 0) + 1) end

-- Adds a job's change to the one message that the script publishes at its end.
local notifications = {}
local function notify(id, revision, state) notifications[#notifications + 1] = id .. ' ' .. revision .. ' ' .. state end

-- Increments the job's revision and notifies.
local function changed(id, state)
  notify(id, string.format('%.0f', redis.call('HINCRBY', job_key(id), 'revision', 1)), state)
end

-- Acknowledges and deletes an entry at the script's end, both in one step. So a stream holds only entries that wait or run.
local entries_to_remove = { [INTERACTIVE] = {}, [BATCH] = {} }
local function remove_entry(lane, entry)
  local entries = entries_to_remove[lane]
  entries[#entries + 1] = entry
end

local function add_dead_letter(lane, entry, id, index, reason)
  redis.call('XADD', DEAD, 'MAXLEN', '~', MAX_DEAD_LETTERS, '*',
    'job', id, 'index', index, 'lane', lane, 'entry', entry, 'reason', reason)
end

-- Sets the expiry of a job's finished images.
local function expire_images(id, count, milliseconds)
  for index = 0, math.min(tonumber(count) or 0, MAX_IMAGES) - 1 do redis.call('PEXPIRE', image_key(id, index), milliseconds) end
end

local ended = 0 -- Images that this script has ended.

-- Ends an image that is not final. The last one ends the job and sets the expiry of its keys.
-- `fields` are further fields of the job to write.
local function end_image(id, index, state, result, retention, fields)
  local job, at = job_key(id), string.format('%.0f', now())
  local found = redis.call('HMGET', job, 'left', 'failed', 'cancelled', 'revision', 'count')
  local remaining, failed, cancelled = (tonumber(found[1]) or 0) - 1, tonumber(found[2]), tonumber(found[3])
  local revision = next_revision(found[4])
  fields = fields or {}
  local function set(name, value) fields[#fields + 1] = name; fields[#fields + 1] = value end
  set(index .. ':state', state); set(index .. ':ended', at); set(index .. ':result', result)
  set('left', remaining); set('revision', revision)
  if state == FAILED then failed = (failed or 0) + 1; set('failed', failed) end
  if state == CANCELLED then cancelled = (cancelled or 0) + 1; set('cancelled', cancelled) end
  local job_state = RUNNING
  if remaining <= 0 then
    job_state = failed and FAILED or cancelled and CANCELLED or SUCCEEDED
    set('state', job_state); set('finished', at)
    redis.call('PEXPIRE', job, retention)
    redis.call('PEXPIRE', work_key(id), math.min(retention, PREVIEW_RETENTION))
    expire_images(id, found[5], retention)
    -- A failed job may be requeued and needs its input again.
    if job_state == FAILED then redis.call('PEXPIRE', input_key(id), retention) else redis.call('DEL', input_key(id)) end
  end
  redis.call('HSET', job, unpack(fields))
  ended = ended + 1
  redis.call('DEL', checkpoint_key(id, index))
  notify(id, revision, job_state)
end

-- Runs after every script: removes entries, counts images and publishes changes, once for all that the script collected.
local function finish()
  for lane, entries in pairs(entries_to_remove) do
    if #entries > 0 then
      redis.call('XACK', STREAMS[lane], GROUP, unpack(entries))
      redis.call('XDEL', STREAMS[lane], unpack(entries))
    end
  end
  if ended > 0 then redis.call('HINCRBY', STATS, 'completed', ended) end
  if #notifications > 0 then redis.call('PUBLISH', EVENTS, table.concat(notifications, '\n')) end
end

-- A lane's numbers: waiting, pending, last delivered id. Creates stream and group if they are missing.
local function measure(lane)
  local stream = STREAMS[lane]
  local group
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  for attempt = 1, 2 do
    if not groups.err then
      for _, fields in ipairs(groups) do
        local found = read_fields(fields)
        if found.name == GROUP then group = found end
      end
    end
    if group then break end
    redis.call('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
    groups = redis.call('XINFO', 'GROUPS', stream)
  end
  -- The group's lag is not used: it is wrong after Redis was killed and loaded its append-only file, and it can be nil.
  -- Entries are acknowledged and deleted in one step, so the others are either pending or waiting.
  return math.max(0, redis.call('XLEN', stream) - group.pending), group.pending, group['last-delivered-id']
end

-- The fleet's images per second, or nil while that is unknown. Workers that crashed all together are not removed by each other's
-- heartbeats, so the stored number counts only while a worker is alive.
local function capacity()
  if redis.call('ZCOUNT', SEEN, string.format('(%.0f', now() - HEARTBEAT_TIMEOUT), '+inf') == 0 then return nil end
  return tonumber(redis.call('HGET', STATS, 'capacity') or '')
end

-- Stores the sum of the workers' rates. A worker without a measured rate counts like the average of the others.
local function update_capacity()
  local sum, measured = 0, 0
  for _, value in ipairs(redis.call('HVALS', RATES)) do
    sum, measured = sum + tonumber(value), measured + 1
  end
  if measured == 0 then redis.call('HDEL', STATS, 'capacity')
  else redis.call('HSET', STATS, 'capacity', string.format('%.6f', sum / measured * redis.call('HLEN', FLEET))) end
end

-- Removes what is stored of a departed worker. Deleting a consumer drops its pending entries, so a worker whose entries have not been
-- claimed yet stays known as departed, with score 0.
local function remove_worker(worker)
  redis.call('HDEL', FLEET, worker)
  redis.call('HDEL', RATES, worker)
  local has_pending = false
  for _, stream in pairs(STREAMS) do
    local pending = redis.pcall('XPENDING', stream, GROUP, '-', '+', 1, worker)
    if not pending.err then
      if #pending > 0 then has_pending = true else redis.call('XGROUP', 'DELCONSUMER', stream, GROUP, worker) end
    end
  end
  if has_pending then redis.call('ZADD', SEEN, 0, worker) else redis.call('ZREM', SEEN, worker) end
end
