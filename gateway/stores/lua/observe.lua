-- ports.Quotas.observe in one round trip. After under_way, counting, remembering, flights.
-- KEYS: ring, words; of a call that shares: flight, reply.
-- ARGV: see RedisQuotas.observe.
-- Returns kind, status, readings, earlier, leader, reply, and the candidates.

local prefix, given, flags, replica, own = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local exact, features, canonical, entry, cluster = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local NEW, EXACT_OFFER, RETRY, SHARED = ARGV[11], ARGV[12], ARGV[13], ARGV[14]
local FORBIDDEN, REFUSED, TAKEN = 0, 1, 2

local is_comparable = flags % 2 >= 1
local is_following = flags % 4 >= 2
local is_stored = flags % 8 >= 4
local may_share = KEYS[3] ~= nil
local now = clock(given)

local leader, reply = '', ''
if may_share then
  local found = redis.call('MGET', KEYS[3], KEYS[4])
  if not is_following then leader = leader_of(found[1], now) end
  if leader == replica then leader = '' end
  if is_stored and found[2] and struct.unpack('<d', found[2]) > now then
    reply = string.sub(found[2], 9)
  end
end
local is_shared = is_following or leader ~= '' or reply ~= ''

-- Draw an offer; lead the flight if nobody does and it was taken.
local function take_offer(offer, of_cluster)
  if string.byte(offer) == 1 then return FORBIDDEN, '' end
  local readings, is_refused = draw(offer, 2, prefix, of_cluster, own, now)
  if is_refused then return REFUSED, readings end
  if may_share and not is_shared then lead(KEYS[3], replica, now) end
  return TAKEN, readings
end

if not is_comparable then
  local status, readings = take_offer(is_shared and SHARED or NEW, cluster)
  return {'unknown', status, readings, '', leader, reply}
end

local scope = scope_of(KEYS[1], now)
local known = scope and find_exact(KEYS[2], exact)
if known then
  local state, retries = state_of(known)
  local is_retry = state == FAILED and retries < RETRIES_MAX and canonical_of(known) == canonical
  local offer = is_shared and SHARED or (is_retry and RETRY or EXACT_OFFER)
  local names = string.sub(known, NAMES)
  local length = string.byte(names)
  local status, readings = take_offer(offer, string.sub(names, 2, 1 + length))
  if status == TAKEN then
    local tried = retries + (is_retry and 1 or 0)
    put_state(KEYS[2], exact, known, AGAIN, tried, canonical)
  end
  names = string.sub(names, 1, 2 + length + string.byte(names, 2 + length))
  return {is_retry and 'retry' or 'exact', status, readings, names, leader, reply}
end

if scope and not is_shared then
  local candidates = candidates_of(scope, redis.call('GET', KEYS[1]), KEYS[2], features)
  if #candidates > 0 then
    return {'undecided', FORBIDDEN, '', '', leader, reply, unpack(candidates)}
  end
end

local status, readings = take_offer(is_shared and SHARED or NEW, cluster)
if status == TAKEN then
  remember(scope, KEYS[1], KEYS[2], exact, canonical, features, entry, now)
end
return {'new', status, readings, '', leader, reply}
