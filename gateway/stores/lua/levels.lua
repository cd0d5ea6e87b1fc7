-- ports.Quotas.levels. After under_way, counting.
-- KEYS: the prefix of a tenant's keys. ARGV: packed wishes, all on budgets.
-- Returns what is used of each; changes nothing.

local levels = {}
for i, wish in ipairs(wishes_of(ARGV[1], 1, KEYS[1], '')) do
  levels[i] = string.format('%.0f', used_of(wish.key))
end
return levels
