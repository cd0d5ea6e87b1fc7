-- Quotas and budgets: gateway/quota/ word for word.
-- A prelude of other scripts, after under_way. Doubles, in the same order of operations: both
-- decide alike.

local SLACK = 2 ^ -20
local GRACE_S = 60        -- how long a bucket is kept after it ran dry: clocks differ
local PERIOD_GRACE_S = 3600
local WISH = '<Bc32dddd'  -- flags, name, amount, limit, window_s, period_start
local READING = '<Bdddd'  -- taken, remaining, retry_after_s; level and at, or own and 0
local AWAIT_END_S = 1
local BUCKET = '<ddddd'   -- level, at, limit, window_s, born

-- Unix seconds: as given, or (empty) the server's own.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

-- quota.stand: level, at and born of a bucket at an instant, under the limit in force.
local function stand(raw, limit, window_s, now)
  if not raw then return 0, now, now end
  local level, at, limit_0, window_0, born = struct.unpack(BUCKET, raw)
  local elapsed = now - at
  if elapsed > 0 then
    level = level - elapsed * limit_0 / window_0
    at = now
  end
  if level <= 0 then level, born = 0, at end
  if limit ~= limit_0 or window_s ~= window_0 then
    level = level * window_0 / limit_0 * limit / window_s
  end
  return level, at, born
end

local function keep_bucket(key, level, at, limit, window_s, born, now)
  local ttl_s = level * window_s / limit + math.max(0, at - now) + GRACE_S
  local value = struct.pack(BUCKET, level, at, limit, window_s, born)
  redis.call('SET', key, value, 'PX', math.ceil(ttl_s * 1000))
end

-- Add to this replica's own amount in a budget's period, and return what that is then.
local function add_own(key, own, amount, ends, now)
  local field = string.sub(own, 1, NAME)
  local used = redis.call('HINCRBY', key, field, string.format('%.0f', amount))
  if used == amount then  -- it is new, and so may be the key
    redis.call('PEXPIRE', key, math.ceil((ends + PERIOD_GRACE_S - now) * 1000))
  end
  return used
end

local function rounded_up(wait_s)
  if wait_s <= 0 then return 0 end
  return (math.floor(wait_s * 1000 + 0.001) + 1) / 1000
end

local function wait_s_of(wish, now)
  if wish.is_concurrent then return AWAIT_END_S end
  if wish.amount > wish.limit then return 0 end
  if wish.is_budget then return rounded_up(wish.start + wish.window_s - now) end
  local over = wish.level + wish.amount - wish.limit
  if over <= SLACK then return 0 end
  return rounded_up(over * wish.window_s / wish.limit + (wish.at - now))
end

-- What all replicas have used of a budget.
local function used_of(key)
  local total = 0
  for _, own in ipairs(redis.call('HVALS', key)) do total = total + tonumber(own) end
  return total
end

-- How much a wish finds left.
local function left_for(wish, lives, now)
  if wish.is_budget then return wish.limit - used_of(wish.key) end
  if wish.is_concurrent then return wish.limit - under_way(wish.key, lives) end
  local raw = redis.call('GET', wish.key)
  wish.level, wish.at, wish.born = stand(raw, wish.limit, wish.window_s, now)
  return math.floor(wish.limit - wish.level + SLACK)
end

-- The wishes in a packed row, and whether one of them is for a call under way.
local function wishes_of(packed, from, prefix, cluster)
  local wishes, any_concurrent = {}, false
  while from <= #packed do
    local flags, name, amount, limit, window_s, start
    flags, name, amount, limit, window_s, start, from = struct.unpack(WISH, packed, from)
    local is_budget, is_concurrent = flags % 2 == 1, flags >= 8
    local key = prefix .. (is_budget and 'b:' or is_concurrent and 'c:' or 'q:') .. name
    if flags % 8 >= 4 then key = key .. '@' .. cluster end
    wishes[#wishes + 1] = {
      key = key, amount = amount, limit = limit, window_s = window_s, start = start,
      is_budget = is_budget, is_concurrent = is_concurrent, is_shadow = flags % 4 >= 2,
    }
    any_concurrent = any_concurrent or is_concurrent
  end
  return wishes, any_concurrent
end

local function take(wish, own, now)
  if wish.is_budget then
    local ends = wish.start + wish.window_s
    return add_own(wish.key, own, wish.amount, ends, now), 0
  end
  if wish.is_concurrent then return add_under_way(wish.key, own, wish.amount), 0 end
  local level = wish.level + wish.amount
  keep_bucket(wish.key, level, wish.at, wish.limit, wish.window_s, wish.born, now)
  return level, wish.at
end

-- Take every wish in a packed row, or (when one refuses) none; return readings and refusal.
local function draw(packed, from, prefix, cluster, own, now)
  if from > #packed then return '', false end
  local wishes, any_concurrent = wishes_of(packed, from, prefix, cluster)
  local lives, is_refused = nil, false
  if any_concurrent then
    lives = lives_at(prefix .. 'l', now)
    local field, life = own_names(own)
    lives[field] = life
  end
  for _, wish in ipairs(wishes) do
    wish.left = left_for(wish, lives, now)
    if wish.left < wish.amount and not wish.is_shadow then is_refused = true end
  end
  local readings = {}
  for i, wish in ipairs(wishes) do
    if wish.left < wish.amount then
      readings[i] = struct.pack(READING, 0, wish.left, wait_s_of(wish, now), 0, 0)
    elseif is_refused then
      readings[i] = struct.pack(READING, 0, wish.left, 0, 0, 0)
    else
      readings[i] = struct.pack(READING, 1, wish.left - wish.amount, 0, take(wish, own, now))
    end
  end
  if lives and not is_refused then live_on(prefix .. 'l', own, now) end
  return table.concat(readings), is_refused
end
