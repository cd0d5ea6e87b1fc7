-- Go on leading a flight, unless another does. After counting, flights.
-- KEYS: flight. ARGV: time, replica. Returns whether it is ours.

local now = clock(ARGV[1])
local leader = leader_of(redis.call('GET', KEYS[1]), now)
if leader ~= '' and leader ~= ARGV[2] then return 0 end
lead(KEYS[1], ARGV[2], now)
return 1
