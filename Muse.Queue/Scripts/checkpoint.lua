-- Stores the state that another worker can resume from, if the image still belongs to this worker.
local unfinished, id, index, worker, state = arguments(5)
if not runs_on(id, index, worker) then return 0 end
redis.call('HSET', work_key(id), index .. ':checkpoint', state)
redis.call('PEXPIRE', work_key(id), unfinished)
return 1
