-- This replica is there for one more lease. After under_way, counting.
-- KEYS: the tenant's lives; of calls that are under way: their counter.
-- ARGV: time, own name; how many are under way. Returns whether it was believed until now.

local now = clock(ARGV[1])
local field, life = own_names(ARGV[2])
local was_believed = lives_at(KEYS[1], now)[field] == life
live_on(KEYS[1], ARGV[2], now)
if KEYS[2] then set_under_way(KEYS[2], ARGV[2], tonumber(ARGV[3])) end
return was_believed and 1 or 0
