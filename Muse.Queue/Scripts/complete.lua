-- Stores finished pictures and ends their entries. The first writer wins, whoever holds the lease.
local retention, unfinished, worker = ARGV[1], ARGV[2], ARGV[3]
local FIELDS = 7

local function complete(first)
  local id, index, lane, entry = ARGV[first], ARGV[first + 1], ARGV[first + 2], ARGV[first + 3]
  local result, info, bytes = ARGV[first + 4], ARGV[first + 5], ARGV[first + 6]
  local found = redis.call('HMGET', job_key(id), index .. ':state', index .. ':worker', 'left')
  settle(lane, entry)
  if not found[1] then return 0 end
  -- The same worker's second try, after the answer to its first got lost, hears the same answer.
  if is_final(found[1]) then return found[1] == SUCCEEDED and found[2] == worker and 1 or 0 end
  redis.call('HSET', pictures_key(id), index, bytes, index .. ':info', info)
  if found[3] ~= '1' then redis.call('PEXPIRE', pictures_key(id), unfinished) end -- The last one's end sets it.
  end_picture(id, index, SUCCEEDED, result, retention, { index .. ':worker', worker })
  return 1
end

local answers = {}
for first = 4, #ARGV, FIELDS do
  local ok, answer = pcall(complete, first)
  answers[#answers + 1] = ok and answer or reason_of(answer)
end
return answers
