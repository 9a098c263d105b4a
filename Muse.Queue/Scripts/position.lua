-- Returns the number of images ahead of the job's first waiting one, and the measured capacity. Nothing if none waits.
local id = arguments(1)
local job = job_key(id)
local found = redis.call('HMGET', job, 'count', 'lane', 'state')
local count, lane, state = found[1], found[2], found[3]
if not count or is_final(state) then return false end
local ordinal
for index = 0, tonumber(count) - 1 do
  local image = redis.call('HMGET', job, index .. ':state', index .. ':ordinal')
  if image[1] == QUEUED then ordinal = tonumber(image[2]); break end
end
if not ordinal then return false end
local waiting = measure(lane)
local behind = tonumber(redis.call('HGET', STATS, 'added:' .. lane)) - ordinal - 1
-- `waiting` does not include images that were cancelled before they were begun, so `behind` must not either.
behind = behind - redis.call('ZCOUNT', CANCELLED_ENTRIES[lane], '(' .. string.format('%.0f', ordinal), '+inf')
local ahead = math.max(0, waiting - behind - 1)
if lane == BATCH then ahead = ahead + measure(INTERACTIVE) end
local rate = capacity()
return { ahead, rate and string.format('%.6f', rate) or '' }
