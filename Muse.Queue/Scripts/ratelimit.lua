-- Counts images against a caller's limit. Returns -1 if they are allowed, else the milliseconds until the window ends.
local owner, images, limit, window = arguments(4)
images, limit = tonumber(images), tonumber(limit)
local key = rate_limit_key(owner, window)
local count, remaining = tonumber(redis.call('GET', key) or '0'), redis.call('PTTL', key)
-- The first request of a window may exceed the limit. A request for n times the limit makes its window n times as long.
-- A key without an expiry is replaced by a new window, so that no caller is blocked for ever.
if remaining < 0 then redis.call('SET', key, images, 'PX', window * math.max(1, math.ceil(images / limit)))
elseif count + images > limit then return remaining
else redis.call('INCRBY', key, images) end
return -1
