-- Stores finished images and ends their entries. The first writer wins, even if another worker holds the lease.
-- A large image was uploaded before, because Lua hashes and copies each byte of an argument. An upload that wins is renamed to the image;
-- any other one is deleted. An image in the object store has neither bytes nor an upload.
local retention, unfinished, worker = arguments(3)

local function complete(id, index, lane, entry, result, info, bytes, upload)
  local found = redis.call('HMGET', job_key(id), index .. ':state', index .. ':worker', 'left')
  local state, owner, remaining = found[1], found[2], found[3]
  local image, uploaded = image_key(id, index), upload ~= '' and image_upload_key(id, index, upload)
  local wins = state and not is_final(state)
  if wins and uploaded and redis.call('EXISTS', uploaded) == 0 then return UPLOAD_MISSING end -- Nothing has changed so far.
  remove_entry(lane, entry)
  if not wins then
    if uploaded then redis.call('DEL', uploaded) end
    -- A worker that repeats the call because the response got lost gets the same response again. The same worker may also have
    -- generated the image twice: then the info names another object.
    return state == SUCCEEDED and owner == worker and redis.call('HGET', image, 'info') == info and 1 or 0
  end
  if uploaded then redis.call('RENAME', uploaded, image) end
  if bytes ~= '' then redis.call('HSET', image, 'bytes', bytes, 'info', info) else redis.call('HSET', image, 'info', info) end
  if remaining ~= '1' then redis.call('PEXPIRE', image, unfinished) end -- The last image's end sets the final expiry.
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
