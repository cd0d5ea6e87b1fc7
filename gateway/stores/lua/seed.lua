-- Set this replica's own amount in a budget's period. After counting.
-- KEYS: the budget. ARGV: time, own field, end of the period, amount, and 'least' or 'exactly'.
-- Returns what it is then; empty when the period is over.

local now, field, ends, amount = clock(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if now >= ends + PERIOD_GRACE_S then return '' end
local own = tonumber(redis.call('HGET', KEYS[1], field) or 0)
if own < amount or ARGV[5] == 'exactly' then own = amount end
redis.call('HSET', KEYS[1], field, string.format('%.0f', own))
redis.call('PEXPIRE', KEYS[1], math.ceil((ends + PERIOD_GRACE_S - now) * 1000))
return string.format('%.0f', own)
