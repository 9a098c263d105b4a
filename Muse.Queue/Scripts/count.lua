-- Counts pictures against a caller's limit. Returns -1 if they are allowed, else the milliseconds until the window ends.
local owner, pictures, limit, window = arguments(4)
pictures, limit = tonumber(pictures), tonumber(limit)
local key = rate_limit_key(owner, window)
local count, left = tonumber(redis.call('GET', key) or '0'), redis.call('PTTL', key)
if left < 0 then count = 0 end
if count > 0 and count + pictures > limit then return left end
redis.call('INCRBY', key, pictures)
-- A request that alone exceeds the limit is paid for with as many windows as it needs.
if count == 0 then redis.call('PEXPIRE', key, window * math.max(1, math.ceil(pictures / limit))) end
return -1
