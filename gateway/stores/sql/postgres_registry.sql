The registry on PostgreSQL: keys, the catalogue, and what each key's owner is working on.
Every transaction that writes takes the next revision first, which locks its row until the
commit: so revisions are committed in their order, and whoever has seen one has seen all before
it. Rows are marked with it, so that another replica reads only what changed since the last one
it saw. No row is ever deleted.

-- name: migration_1
CREATE TABLE registry_revision (
    only_one boolean PRIMARY KEY CHECK (only_one),
    last bigint NOT NULL
);
INSERT INTO registry_revision VALUES (true, 0);
CREATE TABLE registry_key (
    id text PRIMARY KEY,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    principal text NOT NULL,
    team text NOT NULL,
    tenant text NOT NULL,
    role text NOT NULL CHECK (role IN ('developer', 'admin', 'auditor')),
    models text[] NOT NULL,        -- sorted; empty: every model
    created_at double precision NOT NULL,  -- times are Unix seconds
    revoked_at double precision,
    expires_at double precision,
    revision bigint NOT NULL
);
CREATE INDEX registry_key_by_revision ON registry_key (revision);
CREATE TABLE registry_task (
    id text PRIMARY KEY,           -- canonical
    spelling text NOT NULL,
    title text NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'closed')),
    opened_at double precision,
    closed_at double precision,
    root_id text NOT NULL,
    members text[] NOT NULL,       -- sorted
    team text NOT NULL,
    value text,                    -- a decimal number, digit by digit as it was given
    creator text NOT NULL,
    url text NOT NULL,
    revision bigint NOT NULL
);
CREATE INDEX registry_task_by_revision ON registry_task (revision);
CREATE TABLE registry_active (
    key_id text PRIMARY KEY REFERENCES registry_key (id),
    task text NOT NULL,            -- as its owner spells it; empty: none any more
    set_at double precision NOT NULL,
    revision bigint NOT NULL
);
CREATE INDEX registry_active_by_revision ON registry_active (revision);

-- name: migration_2
ALTER TABLE registry_task
    ADD COLUMN parent_id text NOT NULL DEFAULT '',
    ADD COLUMN owner text NOT NULL DEFAULT '',
    ADD COLUMN reviewers text[] NOT NULL DEFAULT '{}',   -- sorted
    ADD COLUMN valued_by text NOT NULL DEFAULT '',
    ADD COLUMN weight text,                              -- a decimal number
    ADD COLUMN by_bot boolean NOT NULL DEFAULT false,
    ADD COLUMN use_case text NOT NULL DEFAULT '',
    ADD COLUMN canary boolean NOT NULL DEFAULT false,
    ADD COLUMN tracker text NOT NULL DEFAULT '',         -- empty: files
    ADD COLUMN changed_at double precision NOT NULL DEFAULT 0,
    ADD COLUMN intervals double precision[] NOT NULL DEFAULT '{}';  -- begin, end, begin, …

-- name: as_of_one_moment
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- name: last_revision
SELECT last FROM registry_revision

-- name: next_revision
UPDATE registry_revision SET last = last + 1 RETURNING last

-- name: keys_since
SELECT id, digest, principal, team, tenant, role, models, created_at, revoked_at, expires_at
FROM registry_key WHERE revision > %s

-- name: tasks_since
SELECT id, spelling, title, status, opened_at, closed_at, root_id, members, team, value, creator,
    url, parent_id, owner, reviewers, valued_by, weight, by_bot, use_case, canary, tracker,
    changed_at, intervals
FROM registry_task WHERE revision > %s

-- name: active_since
SELECT key_id, task FROM registry_active WHERE revision > %s

-- name: add_key
INSERT INTO registry_key (
    id, digest, principal, team, tenant, role, models, created_at, revoked_at, expires_at, revision
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: revoke_key
UPDATE registry_key SET revoked_at = %s, revision = %s WHERE id = %s

-- name: put_task
INSERT INTO registry_task (
    id, spelling, title, status, opened_at, closed_at, root_id, members, team, value, creator, url,
    parent_id, owner, reviewers, valued_by, weight, by_bot, use_case, canary, tracker, changed_at,
    intervals, revision
) VALUES (
    %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s
)
ON CONFLICT (id) DO UPDATE SET
    spelling = excluded.spelling, title = excluded.title, status = excluded.status,
    opened_at = excluded.opened_at, closed_at = excluded.closed_at, root_id = excluded.root_id,
    members = excluded.members, team = excluded.team, value = excluded.value,
    creator = excluded.creator, url = excluded.url, parent_id = excluded.parent_id,
    owner = excluded.owner, reviewers = excluded.reviewers, valued_by = excluded.valued_by,
    weight = excluded.weight, by_bot = excluded.by_bot, use_case = excluded.use_case,
    canary = excluded.canary, tracker = excluded.tracker, changed_at = excluded.changed_at,
    intervals = excluded.intervals, revision = excluded.revision

-- name: put_active
INSERT INTO registry_active (key_id, task, set_at, revision) VALUES (%s, %s, %s, %s)
ON CONFLICT (key_id) DO UPDATE SET
    task = excluded.task, set_at = excluded.set_at, revision = excluded.revision
