-- Hands an image back: the next reader takes it at once, before new entries, and the delivery does not count as a crash.
local unfinished, id, index, worker, lane, entry, deliveries, step, state = arguments(9)
local job = job_key(id)
if not runs_on(id, index, worker) then return 0 end
redis.call('HSET', job, index .. ':state', QUEUED, index .. ':step', step)
redis.call('HDEL', job, index .. ':worker')
if state ~= '' then redis.call('SET', checkpoint_key(id, index), state, 'PX', unfinished) end
redis.call('XCLAIM', STREAMS[lane], GROUP, HANDED_BACK, 0, entry,
  'IDLE', 86400000, 'RETRYCOUNT', math.max(0, tonumber(deliveries) - 1), 'JUSTID')
changed(id, RUNNING)
redis.call('PUBLISH', SIGNALS, SIGNAL_HANDBACK)
return 1
