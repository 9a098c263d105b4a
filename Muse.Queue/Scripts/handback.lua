-- Gives a picture back: it keeps its place before all new ones, its lease is over at once, and it does not count as a crash.
local unfinished, id, index, worker, lane, entry, deliveries, step, state = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8], ARGV[9]
local job = job_key(id)
local found = redis.call('HMGET', job, index .. ':state', index .. ':worker')
if found[1] ~= RUNNING or found[2] ~= worker then return 0 end
redis.call('HSET', job, index .. ':state', QUEUED, index .. ':step', step)
redis.call('HDEL', job, index .. ':worker')
if state ~= '' then
  redis.call('HSET', work_key(id), index .. ':checkpoint', state)
  redis.call('PEXPIRE', work_key(id), unfinished)
end
redis.call('XCLAIM', STREAMS[lane], GROUP, 'handed-back', 0, entry, 'IDLE', 86400000, 'RETRYCOUNT', math.max(0, deliveries - 1), 'JUSTID')
changed(id, RUNNING)
redis.call('PUBLISH', CALLS, 'handback')
return 1
