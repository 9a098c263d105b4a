-- Ends a picture with an error, unless it is final or another worker has it now. A reason buries it as well.
local retention, id, index, worker, lane, entry, result, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local found = redis.call('HMGET', job_key(id), index .. ':state', index .. ':worker')
if found[1] and not is_final(found[1]) and found[2] and found[2] ~= worker then return 0 end
settle(lane, entry)
if reason ~= '' then bury(lane, entry, id, index, reason) end
if not found[1] then return 0 end
if is_final(found[1]) then return found[1] == FAILED and found[2] == worker and 1 or 0 end
end_picture(id, index, FAILED, result, retention)
return 1
