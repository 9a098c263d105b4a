-- Stores a worker's heartbeat, removes workers without one, and adds up the rates of the fleet.
local worker, heartbeat, rate = arguments(3)
local at = now()
local joins = redis.call('HSET', FLEET, worker, heartbeat) == 1
redis.call('ZADD', SEEN, at, worker)
if rate ~= '' then redis.call('HSET', RATES, worker, rate) end
if joins then
  -- SEEN expires after FLEET_RETENTION without any heartbeat; consumers of the group do not. So the first worker that joins then adds
  -- the consumers of departed workers again, with score 0. The loop below removes them.
  for _, stream in pairs(STREAMS) do
    local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, GROUP)
    for _, consumer in ipairs(consumers.err and {} or consumers) do
      redis.call('ZADD', SEEN, 'NX', 0, read_fields(consumer).name)
    end
  end
end
for _, departed in ipairs(redis.call('ZRANGEBYSCORE', SEEN, '-inf', at - HEARTBEAT_TIMEOUT)) do remove_worker(departed) end
update_capacity()
for _, key in ipairs({ FLEET, SEEN, RATES }) do redis.call('PEXPIRE', key, FLEET_RETENTION) end
return 1
