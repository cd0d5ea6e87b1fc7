-- Calls under way at once, of all replicas. A prelude of other scripts, before counting.
-- Each counter is a hash: replica -> the life it was in, how many it has. Beside them lies one
-- hash for each tenant: replica -> the life it is in, until when it is believed to be.
-- What a replica has counts while it is believed to be in the life in which it counted it: one
-- that died counts for LEASE_S more at most, and one that began anew has none of its old calls.

local LEASE_S, LIVES_S, OPEN_S = 10, 70, 90000
local NAME = 8  -- hex digits of a replica's field, and of a life; `own` is both in one

local function own_names(own) return string.sub(own, 1, NAME), string.sub(own, NAME + 1) end

local function life_and_number(value)
  return string.sub(value, 1, NAME), tonumber(string.sub(value, NAME + 1))
end

-- Which life each replica is in; whoever is not believed any more is struck off.
local function lives_at(key, now)
  local lives, all = {}, redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local life, till = life_and_number(all[i + 1])
    if till > now then lives[all[i]] = life else redis.call('HDEL', key, all[i]) end
  end
  return lives
end

-- Be believed for one more lease.
local function live_on(key, own, now)
  local field, life = own_names(own)
  redis.call('HSET', key, field, life .. string.format('%.3f', now + LEASE_S))
  redis.call('PEXPIRE', key, LIVES_S * 1000)
end

-- How many calls are under way, in the lives that count.
local function under_way(key, lives)
  local count, all = 0, redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local life, number = life_and_number(all[i + 1])
    if lives[all[i]] == life then
      count = count + number
    else
      redis.call('HDEL', key, all[i])
    end
  end
  return count
end

local function set_under_way(key, own, number)
  local field, life = own_names(own)
  if number <= 0 then return redis.call('HDEL', key, field) end
  redis.call('HSET', key, field, life .. string.format('%.0f', number))
  redis.call('PEXPIRE', key, OPEN_S * 1000)
end

-- Have more calls under way than before, or fewer; return how many that is.
local function add_under_way(key, own, change)
  local field, life = own_names(own)
  local found, had, number = redis.call('HGET', key, field), '', 0
  if found then had, number = life_and_number(found) end
  if had ~= life then
    if change < 0 then return 0 end  -- it ended with the life it began in
    number = 0
  end
  set_under_way(key, own, number + change)
  return number + change
end
