-- Renews a worker's leases. Returns for each image whether it still belongs to this worker.
local unfinished, worker = arguments(2)
local kept = {}
while more_arguments() do
  local lane, entry, id, index = arguments(4)
  local ok, mine = pcall(runs_on, id, index, worker)
  mine = ok and mine
  if mine then
    -- JUSTID: a renewal does not count as a delivery.
    redis.call('XCLAIM', STREAMS[lane], GROUP, worker, 0, entry, 'JUSTID')
    redis.call('PEXPIRE', job_key(id), unfinished)
    redis.call('PEXPIRE', work_key(id), unfinished)
    redis.call('PEXPIRE', input_key(id), unfinished)
  end
  kept[#kept + 1] = mine and 1 or 0
end
return kept
