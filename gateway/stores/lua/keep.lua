-- Keep a sealed reply. After counting. KEYS: reply. ARGV: time, seconds, the reply.

local ttl_s = tonumber(ARGV[2])
local value = struct.pack('<d', clock(ARGV[1]) + ttl_s) .. ARGV[3]
redis.call('SET', KEYS[1], value, 'PX', math.ceil(ttl_s * 1000) + GRACE_S * 1000)
return 1
