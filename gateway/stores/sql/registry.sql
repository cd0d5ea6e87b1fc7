The registry's file: keys, the catalogue, and what each key's owner is working on.
Every transaction that writes takes the next revision and marks its rows with it, so that
another process reads only what changed since the last one it saw. No row is ever deleted.

-- name: migration_1
CREATE TABLE revision (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO revision VALUES (1, 0);
CREATE TABLE key (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    principal TEXT NOT NULL,
    team TEXT NOT NULL,
    tenant TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('developer', 'admin', 'auditor')),
    models TEXT NOT NULL,          -- a JSON list; empty: every model
    created_at REAL NOT NULL,      -- times are Unix seconds
    revoked_at REAL,
    expires_at REAL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX key_by_revision ON key (revision);
CREATE TABLE task (
    id TEXT PRIMARY KEY,           -- canonical
    spelling TEXT NOT NULL,
    title TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'closed')),
    opened_at REAL,
    closed_at REAL,
    root_id TEXT NOT NULL,
    members TEXT NOT NULL,         -- a JSON list, sorted
    team TEXT NOT NULL,
    value TEXT,                    -- a decimal number
    creator TEXT NOT NULL,
    url TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX task_by_revision ON task (revision);
CREATE TABLE active (
    key_id TEXT PRIMARY KEY REFERENCES key (id),
    task TEXT NOT NULL,            -- as its owner spells it; empty: none any more
    set_at REAL NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX active_by_revision ON active (revision);

-- name: migration_2
ALTER TABLE task ADD COLUMN parent_id TEXT NOT NULL DEFAULT '';
ALTER TABLE task ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE task ADD COLUMN reviewers TEXT NOT NULL DEFAULT '[]';   -- a JSON list, sorted
ALTER TABLE task ADD COLUMN valued_by TEXT NOT NULL DEFAULT '';
ALTER TABLE task ADD COLUMN weight TEXT;                            -- a decimal number
ALTER TABLE task ADD COLUMN by_bot INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN use_case TEXT NOT NULL DEFAULT '';
ALTER TABLE task ADD COLUMN canary INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN tracker TEXT NOT NULL DEFAULT '';       -- empty: files
ALTER TABLE task ADD COLUMN changed_at REAL NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN intervals TEXT NOT NULL DEFAULT '[]';   -- pairs of times, JSON

-- name: last_revision
SELECT last FROM revision;

-- name: next_revision
UPDATE revision SET last = last + 1 RETURNING last;

-- name: keys_since
SELECT id, digest, principal, team, tenant, role, models, created_at, revoked_at, expires_at
FROM key WHERE revision > ?;

-- name: tasks_since
SELECT id, spelling, title, status, opened_at, closed_at, root_id, members, team, value, creator,
    url, parent_id, owner, reviewers, valued_by, weight, by_bot, use_case, canary, tracker,
    changed_at, intervals
FROM task WHERE revision > ?;

-- name: active_since
SELECT key_id, task FROM active WHERE revision > ?;

-- name: add_key
INSERT INTO key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: revoke_key
UPDATE key SET revoked_at = ?, revision = ? WHERE id = ?;

-- name: put_task
INSERT OR REPLACE INTO task (
    id, spelling, title, status, opened_at, closed_at, root_id, members, team, value, creator, url,
    parent_id, owner, reviewers, valued_by, weight, by_bot, use_case, canary, tracker, changed_at,
    intervals, revision
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_active
INSERT OR REPLACE INTO active VALUES (?, ?, ?, ?);
