-- Which replica waits for a reply that others may share. A prelude of other scripts.

local FLIGHT_S, FLIGHT_GRACE_S = 15, 60

-- The replica that waits now; empty: none.
local function leader_of(marker, now)
  if not marker or struct.unpack('<d', marker) <= now then return '' end
  return string.sub(marker, 9)
end

local function lead(key, replica, now)
  local marker = struct.pack('<d', now + FLIGHT_S) .. replica
  redis.call('SET', key, marker, 'PX', (FLIGHT_S + FLIGHT_GRACE_S) * 1000)
end
