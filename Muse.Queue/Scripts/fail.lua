-- Ends an image with an error, unless it is final or belongs to another worker. With a reason its entry goes to the dead letters too.
local retention, id, index, worker, lane, entry, result, reason = arguments(8)
local found = redis.call('HMGET', job_key(id), index .. ':state', index .. ':worker')
local state, owner = found[1], found[2]
if state and not is_final(state) and owner and owner ~= worker then return 0 end
remove_entry(lane, entry)
if reason ~= '' then add_dead_letter(lane, entry, id, index, reason) end
if not state then return 0 end
if is_final(state) then return state == FAILED and owner == worker and 1 or 0 end
end_image(id, index, FAILED, result, retention)
return 1
