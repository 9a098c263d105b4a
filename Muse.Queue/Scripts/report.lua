-- Stores an image's progress, if it still belongs to this worker.
local unfinished, id, index, worker, step, steps, preview, info = arguments(8)
local job = job_key(id)
if not runs_on(id, index, worker) then return 0 end
redis.call('HSET', job, index .. ':step', step, index .. ':steps', steps)
if preview ~= '' then
  redis.call('HSET', work_key(id), index .. ':preview', preview, index .. ':info', info)
  redis.call('PEXPIRE', work_key(id), unfinished)
  redis.call('HINCRBY', job, index .. ':previews', 1)
end
changed(id, RUNNING)
return 1
