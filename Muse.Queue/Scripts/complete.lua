-- Stores a finished picture and ends its entry. The first writer wins, whoever holds the lease.
local retention, id, index, worker, lane, entry = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local result, info, bytes, unfinished = ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local job = job_key(id)
local found = redis.call('HMGET', job, index .. ':state', index .. ':worker', 'left')
settle(lane, entry)
if not found[1] then return 0 end
-- The same worker's second try, after the answer to its first got lost, hears the same answer.
if is_final(found[1]) then return found[1] == SUCCEEDED and found[2] == worker and 1 or 0 end
redis.call('HSET', pictures_key(id), index, bytes, index .. ':info', info)
if found[3] ~= '1' then redis.call('PEXPIRE', pictures_key(id), unfinished) end -- The last one's end sets it.
end_picture(id, index, SUCCEEDED, result, retention, { index .. ':worker', worker })
return 1
