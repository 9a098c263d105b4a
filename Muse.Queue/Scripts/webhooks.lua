-- Keeps this process' announcements, and hands it those whose process keeps them no longer.
local lease, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local at, mine = now(), {}
for n = 3, #ARGV do
  redis.call('ZADD', WEBHOOKS, 'XX', at + lease, ARGV[n])
  mine[ARGV[n]] = true
end
local taken = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', WEBHOOKS, '-inf', at, 'LIMIT', 0, most)) do
  if not mine[id] then
    redis.call('ZADD', WEBHOOKS, at + lease, id)
    taken[#taken + 1] = id
  end
end
return taken
