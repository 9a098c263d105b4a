-- Notes a worker's heartbeat, forgets silent workers, and adds up what the fleet can do.
local worker, json, speed, silence = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local at = now()
redis.call('HSET', FLEET, worker, json)
redis.call('ZADD', SEEN, at, worker)
if speed ~= '' then redis.call('HSET', SPEEDS, worker, speed) end
for _, silent in ipairs(redis.call('ZRANGEBYSCORE', SEEN, '-inf', at - silence)) do
  redis.call('HDEL', FLEET, silent)
  redis.call('HDEL', SPEEDS, silent)
  -- Its consumers go as well, once others have taken over what they held: deleting a consumer drops what it holds.
  local holds = false
  for _, stream in pairs(STREAMS) do
    local pending = redis.pcall('XPENDING', stream, GROUP, '-', '+', 1, silent)
    if not pending.err then
      if #pending > 0 then holds = true else redis.call('XGROUP', 'DELCONSUMER', stream, GROUP, silent) end
    end
  end
  if not holds then redis.call('ZREM', SEEN, silent) end
end
local sum, measured = 0, 0
for _, value in ipairs(redis.call('HVALS', SPEEDS)) do
  sum, measured = sum + tonumber(value), measured + 1
end
-- A worker that has not painted yet is expected to be like the others.
if measured > 0 then redis.call('HSET', STATS, 'capacity', string.format('%.6f', sum / measured * redis.call('HLEN', FLEET))) end
for _, key in ipairs({ FLEET, SEEN, SPEEDS }) do redis.call('PEXPIRE', key, 600000) end
return 1
