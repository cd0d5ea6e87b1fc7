Runs of words that roots were heard to say, and which of them were boilerplate under which policy:
keyed hashes of a key of their own. The ledger holds none of them.

-- name: migration_1
CREATE TABLE seen (
    seq INTEGER PRIMARY KEY,
    period TEXT NOT NULL,          -- a month, 2026-11
    root_id TEXT NOT NULL,
    grams BLOB NOT NULL            -- 8 bytes each
) STRICT;
CREATE INDEX seen_by_root ON seen (period, root_id);
CREATE TABLE frozen (
    policy TEXT PRIMARY KEY,       -- its digest
    grams BLOB NOT NULL,           -- 8 bytes each, sorted
    frozen_at REAL NOT NULL        -- Unix seconds
) STRICT;

-- name: add
INSERT INTO seen (period, root_id, grams) SELECT ?1, ?2, ?3
WHERE (SELECT coalesce(sum(length(grams)), 0) FROM seen WHERE period = ?1 AND root_id = ?2) < ?4;

-- name: seen
SELECT root_id, grams FROM seen WHERE period = ? ORDER BY seq DESC LIMIT ?;

-- name: forget
DELETE FROM seen WHERE period < ? RETURNING 1;

-- name: freeze
INSERT INTO frozen VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: frozen
SELECT grams FROM frozen WHERE policy = ?;
