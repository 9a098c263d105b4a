-- Takes a worker off the list.
local worker = ARGV[1]
redis.call('HDEL', FLEET, worker)
redis.call('HDEL', SPEEDS, worker)
-- Score 0: the next heartbeat of another worker removes its consumers.
redis.call('ZADD', SEEN, 0, worker)
redis.call('PEXPIRE', SEEN, 600000)
redis.call('DEL', P .. 'fleet:drain:' .. worker)
return 1
