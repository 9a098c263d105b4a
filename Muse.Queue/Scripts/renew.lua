-- Keeps a worker's leases; answers for each picture whether it is still this worker's.
local unfinished, worker = ARGV[1], ARGV[2]
local kept = {}
for n = 3, #ARGV, 4 do
  local lane, entry, id, index = ARGV[n], ARGV[n + 1], ARGV[n + 2], ARGV[n + 3]
  local job = job_key(id)
  local found = redis.pcall('HMGET', job, index .. ':state', index .. ':worker')
  local mine = not found.err and found[1] == RUNNING and found[2] == worker
  if mine then
    -- JUSTID: a renewal is no delivery.
    redis.call('XCLAIM', STREAMS[lane], GROUP, worker, 0, entry, 'JUSTID')
    redis.call('PEXPIRE', job, unfinished)
    redis.call('PEXPIRE', work_key(id), unfinished)
  end
  kept[#kept + 1] = mine and 1 or 0
end
return kept
