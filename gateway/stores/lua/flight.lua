-- Go on leading a flight ('extend'), or end it ('drop'), if it is ours. After counting, flights.
-- KEYS: flight. ARGV: time, replica, which. Returns whether it was ours.

local now = clock(ARGV[1])
local leader = leader_of(redis.call('GET', KEYS[1]), now)
if ARGV[3] == 'drop' then
  if leader ~= ARGV[2] then return 0 end
  redis.call('DEL', KEYS[1])
  return 1
end
if leader ~= '' and leader ~= ARGV[2] then return 0 end
lead(KEYS[1], ARGV[2], now)
return 1
