-- Cancels what is not final. What waits stays in the stream until it is read, as nothing undelivered is ever deleted; until then it is counted out.
local retention, id, unfinished = ARGV[1], ARGV[2], ARGV[3]
local job = job_key(id)
local found = redis.call('HMGET', job, 'state', 'count', 'lane')
if not found[1] then return -1 end
if is_final(found[1]) then return 0 end
local ended = 0
for index = 0, tonumber(found[2]) - 1 do
  local picture = redis.call('HMGET', job, index .. ':state', index .. ':entry', index .. ':begun', index .. ':ordinal')
  if not is_final(picture[1]) then
    if picture[3] then settle(found[3], picture[2])
    else
      redis.call('ZADD', CANCELLED_ENTRIES[found[3]], picture[4], picture[2])
      redis.call('PEXPIRE', CANCELLED_ENTRIES[found[3]], unfinished)
    end
    end_picture(id, index, CANCELLED, '', retention)
    ended = ended + 1
  end
end
redis.call('PUBLISH', CALLS, 'cancel ' .. id)
return ended
