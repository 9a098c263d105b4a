-- Runs the commands that Muse needs, on a key of its own. It fails where Redis does not support or allow one of them.
local function on_probe(commands)
  redis.call('DEL', PROBE)
  for _, command in ipairs(commands) do redis.call(command[1], PROBE, unpack(command, 2)) end
end

on_probe({ { 'SET', '1', 'PX', PROBE_RETENTION }, { 'SETEX', 1, '1' }, { 'GET' }, { 'EXISTS' }, { 'INCRBY', 1 }, { 'PTTL' },
  { 'RENAME', PROBE } })
on_probe({
  { 'HSET', 'a', '1' }, { 'PEXPIRE', PROBE_RETENTION }, { 'HGET', 'a' }, { 'HMGET', 'a' }, { 'HGETALL' }, { 'HLEN' }, { 'HVALS' },
  { 'HSTRLEN', 'a' }, { 'HEXISTS', 'a' }, { 'HINCRBY', 'a', 1 }, { 'HDEL', 'a' } })
on_probe({
  { 'ZADD', 1, 'a' }, { 'PEXPIRE', PROBE_RETENTION }, { 'ZCARD' }, { 'ZCOUNT', 0, 1 }, { 'ZRANGE', 0, 1 }, { 'ZRANGEBYSCORE', 0, 1 },
  { 'ZREVRANGEBYLEX', '+', '-' }, { 'ZREMRANGEBYRANK', 0, 0 }, { 'ZREM', 'a' } })
on_probe({
  { 'LPUSH', 'a' }, { 'PEXPIRE', PROBE_RETENTION }, { 'LTRIM', 0, 0 }, { 'LRANGE', 0, 0 }, { 'RPUSH', 'b' }, { 'LREM', 0, 'b' },
  { 'LPOP' } })
on_probe({
  { 'XADD', '1-1', 'a', '1' }, { 'PEXPIRE', PROBE_RETENTION }, { 'XLEN' }, { 'XRANGE', '-', '+' }, { 'XREVRANGE', '+', '-' } })
redis.call('XGROUP', 'CREATE', PROBE, GROUP, '0')
redis.call('XINFO', 'GROUPS', PROBE)
redis.call('XINFO', 'CONSUMERS', PROBE, GROUP)
redis.call('XREADGROUP', 'GROUP', GROUP, 'probe', 'STREAMS', PROBE, '>')
redis.call('XPENDING', PROBE, GROUP, 'IDLE', 0, '-', '+', 1) -- Since Redis 6.2.
redis.call('XCLAIM', PROBE, GROUP, 'probe', 0, '1-1', 'JUSTID')
redis.call('XACK', PROBE, GROUP, '1-1')
redis.call('XDEL', PROBE, '1-1')
redis.call('DEL', PROBE)
redis.call('PUBLISH', EVENTS, '')
redis.call('PUBLISH', SIGNALS, '')
return 1
