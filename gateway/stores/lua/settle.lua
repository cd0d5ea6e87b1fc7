-- ports.Quotas.settle and release. After under_way, counting, remembering, flights.
-- KEYS: counters; then, when a remembered call is marked, ring and words; then the flight led.
-- ARGV: time, own name, packed changes, mark, exact, canonical, replica (empty: leads none).

local CHANGE = '<Bdddddd'  -- sort, reserved, actual, level or ends, at, limit, window_s
local QUOTA, BUDGET = 0, 1  -- else: calls under way
local now, own, changes = clock(ARGV[1]), ARGV[2], ARGV[3]

local function change_quota(key, reserved, actual, taken_level, taken_at, limit, window_s)
  local raw = redis.call('GET', key)
  local limit_0, window_0 = limit, window_s
  if raw then
    local _
    _, _, limit_0, window_0 = struct.unpack(BUCKET, raw)
  end
  if not raw and actual < reserved then return end
  local level, at, born = stand(raw, limit_0, window_0, now)
  if actual > reserved then
    level = level + (actual - reserved)
  elseif taken_at >= born then
    local spoken = taken_level
    if limit ~= limit_0 or window_s ~= window_0 then
      spoken = spoken * window_s / limit * limit_0 / window_0
    end
    local unspent = spoken - (at - taken_at) * limit_0 / window_0
    level = math.max(0, level - math.max(0, math.min(reserved - actual, unspent)))
  end
  keep_bucket(key, level, at, limit_0, window_0, born, now)
end

local from, i = 1, 0
while from <= #changes do
  local sort, reserved, actual, level, at, limit, window_s
  sort, reserved, actual, level, at, limit, window_s, from =
    struct.unpack(CHANGE, changes, from)
  i = i + 1
  if sort == QUOTA then
    change_quota(KEYS[i], reserved, actual, level, at, limit, window_s)
  elseif sort ~= BUDGET then
    add_under_way(KEYS[i], own, actual - reserved)
  elseif now < level + PERIOD_GRACE_S then
    add_own(KEYS[i], own, actual - reserved, level, now)
  end
end

if ARGV[4] ~= '' then mark(KEYS[i + 1], KEYS[i + 2], ARGV[5], ARGV[6], ARGV[4], now) end
if ARGV[7] ~= '' and leader_of(redis.call('GET', KEYS[#KEYS]), now) == ARGV[7] then
  redis.call('DEL', KEYS[#KEYS])
end
return 1
