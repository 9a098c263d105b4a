-- Keeps the state that another worker can go on from, if the picture is still this worker's.
local unfinished, id, index, worker, state = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local found = redis.call('HMGET', job_key(id), index .. ':state', index .. ':worker')
if found[1] ~= RUNNING or found[2] ~= worker then return 0 end
redis.call('HSET', work_key(id), index .. ':checkpoint', state)
redis.call('PEXPIRE', work_key(id), unfinished)
return 1
