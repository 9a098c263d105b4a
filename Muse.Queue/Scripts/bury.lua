-- Puts an entry away whose job can't be touched at all.
local lane, entry, id, index, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
bury(lane, entry, id, index, reason)
settle(lane, entry)
return 1
