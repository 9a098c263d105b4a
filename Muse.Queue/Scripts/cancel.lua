-- Cancels the pictures of a job that are not final. An entry that was not delivered yet stays in the stream until a worker reads it;
-- until then it is subtracted from the counts.
local retention, id, unfinished = arguments(3)
local job = job_key(id)
local found = redis.call('HMGET', job, 'state', 'count', 'lane')
local state, count, lane = found[1], found[2], found[3]
if not state then return -1 end
if is_final(state) then return 0 end
local ended = 0
for index = 0, tonumber(count) - 1 do
  local picture = redis.call('HMGET', job, index .. ':state', index .. ':entry', index .. ':begun', index .. ':ordinal')
  local picture_state, entry, begun, ordinal = picture[1], picture[2], picture[3], picture[4]
  if not is_final(picture_state) then
    if begun then settle(lane, entry)
    else
      redis.call('ZADD', CANCELLED_ENTRIES[lane], ordinal, entry)
      redis.call('PEXPIRE', CANCELLED_ENTRIES[lane], unfinished)
    end
    end_picture(id, index, CANCELLED, '', retention)
    ended = ended + 1
  end
end
redis.call('PUBLISH', SIGNALS, SIGNAL_CANCEL .. id)
return ended
