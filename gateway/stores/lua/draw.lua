-- ports.Quotas.draw. After under_way, counting.
-- KEYS: the prefix of a tenant's keys. ARGV: time, own name, packed wishes.

return (draw(ARGV[3], 1, KEYS[1], '', ARGV[2], clock(ARGV[1])))
