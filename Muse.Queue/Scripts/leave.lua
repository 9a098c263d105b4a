-- Removes a worker from the fleet.
local worker = arguments(1)
redis.call('HDEL', FLEET, worker)
redis.call('HDEL', RATES, worker)
-- Score 0: the next heartbeat of another worker removes its consumers.
redis.call('ZADD', SEEN, 0, worker)
redis.call('PEXPIRE', SEEN, FLEET_RETENTION)
redis.call('DEL', drain_key(worker))
return 1
