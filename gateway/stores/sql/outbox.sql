What trackers told, until the ledger was told too; and what is remembered of it.
Ids, subjects, tasks and marks stay, so that nothing is told twice; a body goes as soon as it was
told, for there are names in it.

-- name: migration_1
CREATE TABLE telling (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL,
    tracker TEXT NOT NULL,
    subject TEXT NOT NULL,
    task_id TEXT NOT NULL,
    root_id TEXT NOT NULL,
    mark TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    body BLOB,                     -- NULL: it was told
    told_at REAL                   -- times are Unix seconds
) STRICT;
CREATE INDEX telling_to_tell ON telling (seq) WHERE told_at IS NULL;
CREATE INDEX telling_by_subject ON telling (subject) WHERE subject <> '';
CREATE INDEX telling_by_root ON telling (root_id, seq) WHERE event = 'valuation';
CREATE TABLE delivery (
    tracker TEXT NOT NULL,
    id TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (tracker, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_by_time ON delivery (at);
CREATE TABLE heard (tracker TEXT PRIMARY KEY, at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE place (
    tracker TEXT NOT NULL,
    what TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (tracker, what)
) STRICT, WITHOUT ROWID;

-- name: add
INSERT INTO telling (id, event, tracker, subject, task_id, root_id, mark, at_us, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING;

-- name: remember
INSERT INTO delivery VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1;

-- name: delivery
SELECT count(*) FROM delivery WHERE tracker = ? AND id = ?;

-- name: to_tell
SELECT id, event, tracker, subject, task_id, root_id, mark, at_us, body FROM telling
WHERE told_at IS NULL ORDER BY seq LIMIT ?;

-- name: told
UPDATE telling SET told_at = ?, body = NULL WHERE id = ? AND told_at IS NULL;

-- name: accepted_for
SELECT DISTINCT task_id FROM telling
WHERE subject = ? AND subject <> '' AND task_id <> '' AND event IN ('merged', 'closed', 'accepted')
ORDER BY task_id;

-- name: last_valuation
SELECT id, mark FROM telling WHERE root_id = ? AND event = 'valuation' ORDER BY seq DESC LIMIT 1;

-- name: valued_roots
SELECT DISTINCT root_id FROM telling WHERE event = 'valuation' ORDER BY root_id;

-- name: heard
INSERT INTO heard VALUES (?, ?) ON CONFLICT DO UPDATE SET at = max(at, excluded.at);

-- name: heard_at
SELECT tracker, at FROM heard;

-- name: place
SELECT value FROM place WHERE tracker = ? AND what = ?;

-- name: set_place
INSERT INTO place VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value;

-- name: forget
DELETE FROM delivery WHERE at < ? RETURNING 1;
