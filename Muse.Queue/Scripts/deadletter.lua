-- Moves an entry to the dead letters whose job can't be changed because it is damaged.
local lane, entry, id, index, reason = arguments(5)
add_dead_letter(lane, entry, id, index, reason)
remove_entry(lane, entry)
return 1
