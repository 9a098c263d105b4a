-- Moves an entry to the dead letters, without changing its job, which is damaged.
local lane, entry, id, index, reason = arguments(5)
add_dead_letter(lane, entry, id, index, reason)
remove_entry(lane, entry)
return 1
