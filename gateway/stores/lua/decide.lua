-- ports.Quotas.decide. After under_way, counting, remembering, flights.
-- KEYS: ring, words; of a call that shares: flight.
-- ARGV: see RedisQuotas.decide. Returns status, readings, whether the call is remembered now.

local prefix, given, replica, own = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local exact, features, canonical, entry, cluster = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local now = clock(given)

local readings, is_refused = draw(ARGV[10], 2, prefix, cluster, own, now)
if is_refused then return {1, readings, 0} end
if KEYS[3] then
  local leader = leader_of(redis.call('GET', KEYS[3]), now)
  if leader == '' or leader == replica then lead(KEYS[3], replica, now) end
end
local scope = scope_of(KEYS[1], now)
if scope and find_exact(KEYS[2], exact) then return {2, readings, 0} end
remember(scope, KEYS[1], KEYS[2], exact, canonical, features, entry, now)
return {2, readings, 1}
