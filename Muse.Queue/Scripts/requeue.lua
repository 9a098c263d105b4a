-- Puts a dead letter back on the stream as a new entry. Its job is queued again.
local unfinished, letter = arguments(2)
local found = redis.call('XRANGE', DEAD, letter, letter)
if not found[1] then return 0 end
local fields = read_fields(found[1][2])
local id, index, lane = fields.job or '', fields.index or '', fields.lane
if id == '' or index == '' or not STREAMS[lane] then return 0 end
local job = job_key(id)
local states = redis.pcall('HMGET', job, index .. ':state', 'count')
if states.err or states[1] ~= FAILED then return 0 end
measure(lane)
local entry = redis.call('XADD', STREAMS[lane], '*', 'job', id, 'index', index)
local ordinal = redis.call('HINCRBY', STATS, 'added:' .. lane, 1) - 1
redis.call('HSET', job, index .. ':state', QUEUED, index .. ':entry', entry, index .. ':ordinal', ordinal, index .. ':step', 0)
redis.call('HDEL', job, index .. ':result', index .. ':ended', index .. ':worker', index .. ':begun', 'finished', 'deadline')
if redis.call('HINCRBY', job, 'failed', -1) == 0 then redis.call('HDEL', job, 'failed') end
redis.call('HINCRBY', job, 'left', 1)
redis.call('HSET', job, 'state', QUEUED)
redis.call('PEXPIRE', job, unfinished)
expire_images(id, states[2], unfinished)
redis.call('PEXPIRE', input_key(id), unfinished)
redis.call('XDEL', DEAD, letter)
-- A requeued job ends once more, so its webhook is sent once more, by the next API process that renews its leases.
if string.find(redis.call('HGET', job, 'job') or '', '"Webhook":', 1, true) then redis.call('ZADD', WEBHOOKS, 0, id) end
changed(id, QUEUED)
redis.call('PUBLISH', SIGNALS, SIGNAL_WORK)
return 1
