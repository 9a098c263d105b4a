-- Stores finished images and ends their entries. The first writer wins, even if another worker holds the lease.
local retention, unfinished, worker = arguments(3)

local function complete(id, index, lane, entry, result, info, bytes)
  local found = redis.call('HMGET', job_key(id), index .. ':state', index .. ':worker', 'left')
  local state, owner, remaining = found[1], found[2], found[3]
  remove_entry(lane, entry)
  if not state then return 0 end
  -- A worker that repeats the call because the response got lost gets the same response again. The same worker may also have generated
  -- the image twice: then the info names another object.
  if is_final(state) then
    local is_own = state == SUCCEEDED and owner == worker and redis.call('HGET', images_key(id), index .. ':info') == info
    return is_own and 1 or 0
  end
  redis.call('HSET', images_key(id), index, bytes, index .. ':info', info)
  if remaining ~= '1' then redis.call('PEXPIRE', images_key(id), unfinished) end -- The last image's end sets the final expiry.
  end_image(id, index, SUCCEEDED, result, retention, { index .. ':worker', worker })
  return 1
end

local replies = {}
while more_arguments() do
  local id, index, lane, entry, result, info, bytes = arguments(7)
  local ok, reply = pcall(complete, id, index, lane, entry, result, info, bytes)
  replies[#replies + 1] = ok and reply or error_message(reply)
end
return replies
