-- Stores a decision of the autoscaler, if its author still holds the leader's lease with the same epoch.
local lease, decision, kept, retention = arguments(4)
if redis.call('GET', LEADER) ~= lease then return 0 end
-- A repeated call stores nothing twice.
if redis.call('LRANGE', DECISIONS, 0, 0)[1] ~= decision then
  redis.call('LPUSH', DECISIONS, decision)
  redis.call('LTRIM', DECISIONS, 0, kept - 1)
end
redis.call('PEXPIRE', DECISIONS, retention)
redis.call('PUBLISH', SIGNALS, SIGNAL_DECISION)
return 1
