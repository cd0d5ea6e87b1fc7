-- The remembered calls of a scope: stores/memory_likeness.py, in two keys.
-- A prelude of other scripts. The ring is one string, searched for features: a head, some room,
-- then a record for each call, newest first; a new one goes into the room before them. What else
-- is known of a call lies in a hash, by the first half of its normal form's digest.

local ENTRIES_MAX, FEATURE_ENTRIES_MAX, CANDIDATES_MAX, SHARED_MIN = 300, 24, 3, 3
local RETRIES_MAX = 5
local SCOPE_S, SCOPE_GRACE_S, REFRESH_S = 86400, 3600, 1800
local RING_HEAD, HEAD = '<dHH', 12  -- when the last was added, slots of room, slots in all
local SIZE, FEATURES = 45, 9        -- of a record: name 8, number of features 1, features 36
local ROOM_MAX = 60
-- An entry: other half of the digest 8, state 1, canonical 16, cluster, request id, words.
local STATE, CANONICAL, NAMES = 9, 10, 26
local FIRST, AGAIN, OK, FAILED = 0, 1, 2, 3  -- a state's two low bits; above them: retries

local function name_of(exact) return string.sub(exact, 1, 8) end

local function place_of(slot) return HEAD + 1 + slot * SIZE end

-- A scope as its head says; nil when nothing is remembered any more.
local function scope_of(ring_key, now)
  local raw = redis.call('GETRANGE', ring_key, 0, HEAD - 1)
  if #raw < HEAD then return nil end
  local last, room, slots = struct.unpack(RING_HEAD, raw)
  if now - last >= SCOPE_S then return nil end
  return {last = last, room = room, slots = slots, count = math.min(slots - room, ENTRIES_MAX)}
end

-- The entry of a normal form; nil when there is none.
local function find_exact(words_key, exact)
  local entry = redis.call('HGET', words_key, name_of(exact))
  if not entry or string.sub(entry, 1, 8) ~= string.sub(exact, 9) then return nil end
  return entry
end

local function state_of(entry)
  local state = string.byte(entry, STATE)
  return state % 4, math.floor(state / 4)
end

local function canonical_of(entry) return string.sub(entry, CANONICAL, NAMES - 1) end

local function put_state(words_key, exact, entry, state, retries, canonical)
  local changed = string.sub(entry, 1, STATE - 1) .. string.char(state + 4 * retries)
    .. canonical .. string.sub(entry, NAMES)
  redis.call('HSET', words_key, name_of(exact), changed)
end

-- How many features each record of a ring shares, by where it begins.
local function counts_of(scope, ring, features)
  local counts, find, byte = {}, string.find, string.byte
  local first = place_of(scope.room)
  local after = first + scope.count * SIZE
  for i = 1, #features, 3 do
    local feature, from, seen = string.sub(features, i, i + 2), first + FEATURES, 0
    while seen < FEATURE_ENTRIES_MAX do
      local found = find(ring, feature, from, true)
      if not found or found >= after then break end
      local within = (found - first) % SIZE
      local start, slot = found - within, (within - FEATURES) / 3
      from = found + 1
      if slot >= 0 and slot % 1 == 0 and slot < byte(ring, start + 8) then
        counts[start] = (counts[start] or 0) + 1
        seen = seen + 1
        from = start + SIZE + FEATURES
      end
    end
  end
  return counts
end

-- The calls that share a third of the features, likest and then newest first.
local function candidates_of(scope, ring, words_key, features)
  local least, alike = math.max(1, math.ceil(#features / 3 / SHARED_MIN)), {}
  local counts = counts_of(scope, ring, features)
  for start, count in pairs(counts) do
    if count >= least then alike[#alike + 1] = start end
  end
  table.sort(alike, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  local entries = {}
  for i = 1, math.min(CANDIDATES_MAX, #alike) do
    local name = string.sub(ring, alike[i], alike[i] + 7)
    local entry = redis.call('HGET', words_key, name)
    if entry then entries[#entries + 1] = string.sub(entry, NAMES) end
  end
  return entries
end

local function expire(ring_key, words_key)
  local ttl_ms = (SCOPE_S + SCOPE_GRACE_S) * 1000
  redis.call('PEXPIRE', ring_key, ttl_ms)
  redis.call('PEXPIRE', words_key, ttl_ms)
end

-- Write a ring anew, with room for as many more as half of them, and more for few.
local function write_ring(ring_key, records, last)
  local count = #records / SIZE
  local room = math.min(ROOM_MAX, 3 * count)
  local head = struct.pack(RING_HEAD, last, room, room + count)
  redis.call('SET', ring_key, head .. string.rep('\0', room * SIZE) .. records)
end

local function records_of(scope, ring_key)
  local first = place_of(scope.room) - 1
  return redis.call('GETRANGE', ring_key, first, first + scope.count * SIZE - 1)
end

local function add_record(scope, ring_key, words_key, record, now)
  if scope.count == ENTRIES_MAX then
    local oldest = place_of(scope.room + ENTRIES_MAX - 1) - 1
    redis.call('HDEL', words_key, redis.call('GETRANGE', ring_key, oldest, oldest + 7))
    scope.count = ENTRIES_MAX - 1
  end
  if scope.room == 0 then
    write_ring(ring_key, record .. records_of(scope, ring_key), now)
  else
    local room = scope.room - 1
    redis.call('SETRANGE', ring_key, place_of(room) - 1, record)
    redis.call('SETRANGE', ring_key, 0, struct.pack(RING_HEAD, now, room, scope.slots))
  end
end

local function remember(scope, ring_key, words_key, exact, canonical, features, described, now)
  local padding = string.rep('\0', SIZE - FEATURES - #features)
  local record = name_of(exact) .. string.char(#features / 3) .. features .. padding
  local is_fresh = true
  if scope then
    is_fresh = scope.room == 0 or math.floor(now / REFRESH_S) ~= math.floor(scope.last / REFRESH_S)
    add_record(scope, ring_key, words_key, record, now)
  else
    redis.call('DEL', words_key)
    write_ring(ring_key, record, now)
  end
  local entry = string.sub(exact, 9) .. string.char(FIRST) .. canonical .. described
  redis.call('HSET', words_key, name_of(exact), entry)
  if is_fresh then expire(ring_key, words_key) end
end

local function forget(scope, ring_key, words_key, exact)
  local records, from = records_of(scope, ring_key), 1
  redis.call('HDEL', words_key, name_of(exact))
  while true do
    local found = string.find(records, name_of(exact), from, true)
    if not found then return end
    if (found - 1) % SIZE == 0 then
      records = string.sub(records, 1, found - 1) .. string.sub(records, found + SIZE)
      write_ring(ring_key, records, scope.last)
      return expire(ring_key, words_key)
    end
    from = found + 1
  end
end

-- Note how a call fared ('ok', 'failed'), or that it was never made ('forget').
local function mark(ring_key, words_key, exact, canonical, what, now)
  local scope = scope_of(ring_key, now)
  local entry = scope and find_exact(words_key, exact)
  if not entry or canonical_of(entry) ~= canonical then return end
  local state, retries = state_of(entry)
  if what ~= 'forget' then
    put_state(words_key, exact, entry, what == 'failed' and FAILED or OK, retries, canonical)
  elseif state == FIRST then
    forget(scope, ring_key, words_key, exact)
  end
end
