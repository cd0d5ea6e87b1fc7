-- One replica says that it is there, and hears how many are.
--
-- KEYS: the hash of replicas (digest of the name -> milliseconds, by the store's clock), the
--       key that is there as long as the store has lost nothing
-- ARGV: this replica's digest, how long a replica counts, how long the epoch stays (both ms)
-- Returns how many replicas there are, and whether the epoch was there before.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = tonumber(ARGV[2])

redis.call('HSET', KEYS[1], ARGV[1], now)
redis.call('PEXPIRE', KEYS[1], 6 * lease)

local count = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if now - tonumber(all[i + 1]) > lease then
    redis.call('HDEL', KEYS[1], all[i])
  else
    count = count + 1
  end
end

local was_there = redis.call('EXISTS', KEYS[2])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])

return { count, was_there }
