-- Stores finished images and ends their entries. The first writer wins, even if another worker holds the lease.
-- The worker has set a large image's bytes before, under the key of its upload, because Lua would hash and copy each byte of an argument.
-- An upload that wins becomes the image; any other one is deleted. Without bytes and upload the image is in the object store.
local retention, unfinished, worker = arguments(3)

local function complete(id, index, lane, entry, result, info, bytes, upload)
  local found = redis.call('HMGET', job_key(id), index .. ':state', index .. ':worker', 'left')
  local state, owner, remaining = found[1], found[2], found[3]
  local wins = state and not is_final(state)
  local uploaded = upload ~= '' and upload_key(id, index, upload)
  -- The worker repeats both commands. Nothing has changed so far.
  if wins and uploaded and redis.call('EXISTS', uploaded) == 0 then return UPLOAD_MISSING end
  remove_entry(lane, entry)
  if not wins then
    if uploaded then redis.call('DEL', uploaded) end
    -- A worker that repeats the call because the response got lost gets the same response again. The same worker may also have
    -- generated the image twice: then the info names another object.
    local is_own = state == SUCCEEDED and owner == worker and redis.call('HGET', images_key(id), index .. ':info') == info
    return is_own and 1 or 0
  end
  local image = image_key(id, index)
  if uploaded then redis.call('RENAME', uploaded, image)
  elseif bytes ~= '' then redis.call('SET', image, bytes) end
  redis.call('HSET', images_key(id), index .. ':info', info)
  if remaining ~= '1' then -- The last image's end sets the final expiry.
    redis.call('PEXPIRE', images_key(id), unfinished)
    redis.call('PEXPIRE', image, unfinished)
  end
  end_image(id, index, SUCCEEDED, result, retention, { index .. ':worker', worker })
  return 1
end

local replies = {}
while more_arguments() do
  local id, index, lane, entry, result, info, bytes, upload = arguments(8)
  local ok, reply = pcall(complete, id, index, lane, entry, result, info, bytes, upload)
  replies[#replies + 1] = ok and reply or error_message(reply)
end
return replies
