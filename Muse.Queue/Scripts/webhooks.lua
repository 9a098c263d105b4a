-- Renews the leases of this process' webhooks. Returns those whose lease ran out, which this process takes over.
local lease, limit = arguments(2)
local at, mine = now(), {}
local until_then = at + tonumber(lease)
while more_arguments() do
  local id = arguments(1)
  redis.call('ZADD', WEBHOOKS, 'XX', until_then, id)
  mine[id] = true
end
local taken = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', WEBHOOKS, '-inf', at, 'LIMIT', 0, limit)) do
  if not mine[id] then
    redis.call('ZADD', WEBHOOKS, until_then, id)
    taken[#taken + 1] = id
  end
end
return taken
