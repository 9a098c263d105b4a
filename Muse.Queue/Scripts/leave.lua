-- Removes a worker from the fleet.
local worker = arguments(1)
remove_worker(worker)
update_capacity()
redis.call('PEXPIRE', SEEN, FLEET_RETENTION)
redis.call('DEL', drain_key(worker))
return 1
