The spool: what a replica could not give to the database, in order, until it can.

-- name: migration_1
CREATE TABLE parcel (
    id INTEGER PRIMARY KEY,
    replica TEXT NOT NULL,
    group_seq INTEGER NOT NULL,
    count INTEGER NOT NULL,
    records BLOB NOT NULL,         -- JSON lines, in the order they were appended
    beside BLOB NOT NULL           -- what has to be kept with them: see `parcels`
) STRICT;
CREATE TABLE series (              -- whose ends the database may not know of
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE log (                 -- whose spool it is
    origin TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- name: put
INSERT INTO parcel (replica, group_seq, count, records, beside) VALUES (?, ?, ?, ?, ?)

-- name: some
SELECT id, replica, group_seq, records, beside FROM parcel WHERE id > ? ORDER BY id LIMIT ?

-- name: remove
DELETE FROM parcel WHERE id <= ?

-- name: count
SELECT coalesce(sum(count), 0) FROM parcel

-- name: begin
INSERT OR IGNORE INTO series (name) VALUES (?)

-- name: begun
SELECT name FROM series ORDER BY id

-- name: ended
DELETE FROM series WHERE name = ?

-- name: origin
SELECT origin FROM log

-- name: belong
INSERT INTO log (origin) VALUES (?)

-- name: belongs_no_more
DELETE FROM log
