-- Measures the queue: waiting, pending, age of the oldest waiting entry, counters, time.
local at, waiting, pending, oldest = now(), 0, 0, -1
for _, lane in ipairs(LANES) do
  local lane_waiting, lane_pending, last = measure(lane)
  waiting, pending = waiting + lane_waiting, pending + lane_pending
  if lane_waiting > 0 then
    local first = redis.call('XRANGE', STREAMS[lane], '(' .. last, '+', 'COUNT', 1)
    if first[1] then oldest = math.max(oldest, at - tonumber(string.match(first[1][1], '^%d+'))) end
  end
end
local stats = redis.call('HMGET', STATS, 'added:interactive', 'added:batch', 'completed')
return { waiting, pending, oldest, (tonumber(stats[1]) or 0) + (tonumber(stats[2]) or 0), stats[3] or 0, at }
