-- Cancels the images of a job that are not final and deletes their entries, delivered or not.
local retention, id, unfinished = arguments(3)
local job = job_key(id)
local found = redis.call('HMGET', job, 'state', 'count', 'lane')
local state, count, lane = found[1], found[2], found[3]
if not state then return -1 end
if is_final(state) then return 0 end
local ended = 0
for index = 0, tonumber(count) - 1 do
  local image = redis.call('HMGET', job, index .. ':state', index .. ':entry', index .. ':begun', index .. ':ordinal')
  local image_state, entry, begun, ordinal = image[1], image[2], image[3], image[4]
  if not is_final(image_state) then
    remove_entry(lane, entry)
    if not begun then
      -- Entries that still wait have higher ordinals, so the lowest ones may be dropped.
      local cancelled = CANCELLED_ENTRIES[lane]
      redis.call('ZADD', cancelled, ordinal, entry)
      redis.call('ZREMRANGEBYRANK', cancelled, 0, -MAX_CANCELLED - 1)
      redis.call('PEXPIRE', cancelled, unfinished)
    end
    end_image(id, index, CANCELLED, '', retention)
    ended = ended + 1
  end
end
redis.call('PUBLISH', SIGNALS, SIGNAL_CANCEL .. id)
return ended
