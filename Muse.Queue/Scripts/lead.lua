-- Takes the leader's lease if nobody holds it, or renews it if this holder does. The lease of 0 milliseconds gives it up.
-- Replies with the epoch, or 0 where the lease is not this holder's.
local holder, milliseconds = arguments(2)
local held = redis.call('GET', LEADER)
local epoch, current = string.match(held or '', '^(%d+) (.*)$')
if milliseconds == '0' then
  if current == holder then redis.call('DEL', LEADER) end
  return 0
end
if current == holder then
  redis.call('PEXPIRE', LEADER, milliseconds)
  return tonumber(epoch)
end
if held then return 0 end
local next_epoch = redis.call('HINCRBY', STATS, 'epoch', 1)
redis.call('SET', LEADER, string.format('%.0f ', next_epoch) .. holder, 'PX', milliseconds)
return next_epoch
