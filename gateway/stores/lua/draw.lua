-- ports.Quotas.draw. After counting.
-- KEYS: the prefix of a tenant's keys. ARGV: time, own field, packed wishes.

return (draw(ARGV[3], 1, KEYS[1], '', ARGV[2], clock(ARGV[1])))
