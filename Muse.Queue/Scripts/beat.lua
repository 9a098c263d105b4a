-- Stores a worker's heartbeat, removes workers without one, and adds up the rates of the fleet.
local worker, heartbeat, rate, timeout = arguments(4)
local at = now()
redis.call('HSET', FLEET, worker, heartbeat)
redis.call('ZADD', SEEN, at, worker)
if rate ~= '' then redis.call('HSET', RATES, worker, rate) end
for _, silent in ipairs(redis.call('ZRANGEBYSCORE', SEEN, '-inf', at - tonumber(timeout))) do
  redis.call('HDEL', FLEET, silent)
  redis.call('HDEL', RATES, silent)
  -- Deleting a consumer drops its pending entries, so it waits until other workers have taken them over.
  local has_pending = false
  for _, stream in pairs(STREAMS) do
    local pending = redis.pcall('XPENDING', stream, GROUP, '-', '+', 1, silent)
    if not pending.err then
      if #pending > 0 then has_pending = true else redis.call('XGROUP', 'DELCONSUMER', stream, GROUP, silent) end
    end
  end
  if not has_pending then redis.call('ZREM', SEEN, silent) end
end
local sum, measured = 0, 0
for _, value in ipairs(redis.call('HVALS', RATES)) do
  sum, measured = sum + tonumber(value), measured + 1
end
-- A worker without a measured rate counts like the average of the others.
if measured > 0 then redis.call('HSET', STATS, 'capacity', string.format('%.6f', sum / measured * redis.call('HLEN', FLEET))) end
for _, key in ipairs({ FLEET, SEEN, RATES }) do redis.call('PEXPIRE', key, FLEET_RETENTION) end
return 1
