Runs of words that roots were heard to say, and which of them were boilerplate under which policy:
keyed hashes of a key of their own. The ledger holds none of them.

-- name: migration_1
CREATE TABLE boilerplate_seen (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    period text NOT NULL,          -- a month, 2026-11
    root_id text NOT NULL,
    grams bytea NOT NULL           -- 8 bytes each
);
CREATE INDEX boilerplate_seen_by_root ON boilerplate_seen (period, root_id);
CREATE TABLE boilerplate_frozen (
    policy text PRIMARY KEY,       -- its digest
    grams bytea NOT NULL,          -- 8 bytes each, sorted
    frozen_at double precision NOT NULL  -- Unix seconds
);

-- name: add
INSERT INTO boilerplate_seen (period, root_id, grams)
SELECT %(period)s, %(root_id)s, %(grams)s
WHERE (
    SELECT coalesce(sum(length(grams)), 0) FROM boilerplate_seen
    WHERE period = %(period)s AND root_id = %(root_id)s
) < %(most)s

-- name: seen
SELECT root_id, grams FROM boilerplate_seen WHERE period = %s ORDER BY seq DESC LIMIT %s

-- name: forget
DELETE FROM boilerplate_seen WHERE period < %s RETURNING 1

-- name: freeze
INSERT INTO boilerplate_frozen VALUES (%s, %s, %s) ON CONFLICT DO NOTHING

-- name: frozen
SELECT grams FROM boilerplate_frozen WHERE policy = %s
