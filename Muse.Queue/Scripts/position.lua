-- Pictures that stand before the job's first waiting one, and the measured capacity.
local id = ARGV[1]
local job = job_key(id)
local found = redis.call('HMGET', job, 'count', 'lane', 'state')
if not found[1] or is_final(found[3]) then return false end
local ordinal
for index = 0, tonumber(found[1]) - 1 do
  local picture = redis.call('HMGET', job, index .. ':state', index .. ':ordinal')
  if picture[1] == QUEUED then ordinal = tonumber(picture[2]); break end
end
if not ordinal then return false end
local lane = found[2]
local waiting = measure(lane)
local stats = redis.call('HMGET', STATS, 'added:' .. lane, 'capacity')
local behind = tonumber(stats[1]) - ordinal - 1
-- Neither side counts what was cancelled before it was begun.
behind = behind - redis.call('ZCOUNT', CANCELLED_ENTRIES[lane], '(' .. string.format('%.0f', ordinal), '+inf')
local ahead = math.max(0, waiting - behind - 1)
if lane == 'batch' then ahead = ahead + measure('interactive') end
return { ahead, stats[2] or '' }
