-- Tells how far a picture is, if it is still this worker's.
local unfinished, id, index, worker, step, steps, preview, info = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local job = job_key(id)
local found = redis.call('HMGET', job, index .. ':state', index .. ':worker')
if found[1] ~= RUNNING or found[2] ~= worker then return 0 end
redis.call('HSET', job, index .. ':step', step, index .. ':steps', steps)
if preview ~= '' then
  redis.call('HSET', work_key(id), index .. ':preview', preview, index .. ':info', info)
  redis.call('PEXPIRE', work_key(id), unfinished)
  redis.call('HINCRBY', job, index .. ':previews', 1)
end
changed(id, RUNNING)
return 1
