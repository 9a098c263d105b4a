-- Moves an entry to the dead letters whose job can't be changed because it is damaged.
local lane, entry, id, index, reason = arguments(5)
bury(lane, entry, id, index, reason)
settle(lane, entry)
return 1
