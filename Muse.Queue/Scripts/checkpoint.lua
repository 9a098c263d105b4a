-- Stores the state that another worker can resume from, if the image still belongs to this worker.
-- The worker has uploaded it before. If it is not there, the last checkpoint stays.
local unfinished, id, index, worker = arguments(4)
local uploaded, checkpoint = checkpoint_upload_key(id, index, worker), checkpoint_key(id, index)
if not runs_on(id, index, worker) then
  redis.call('DEL', uploaded)
  return 0
end
if redis.call('EXISTS', uploaded) == 1 then
  redis.call('RENAME', uploaded, checkpoint)
  redis.call('PEXPIRE', checkpoint, unfinished)
end
return 1
