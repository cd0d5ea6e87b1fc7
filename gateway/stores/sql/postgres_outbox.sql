What trackers told, until the ledger was told too; and what is remembered of it, on PostgreSQL.
Ids, subjects, tasks and marks stay, so that nothing is told twice; a body goes as soon as it was
told, for there are names in it. One replica at a time tells, so that order is kept.

-- name: migration_1
CREATE TABLE outbox_telling (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    event text NOT NULL,
    tracker text NOT NULL,
    subject text NOT NULL,
    task_id text NOT NULL,
    root_id text NOT NULL,
    mark text NOT NULL,
    at_us bigint NOT NULL,
    body bytea,                    -- NULL: it was told
    told_at double precision       -- times are Unix seconds
);
CREATE INDEX outbox_telling_to_tell ON outbox_telling (seq) WHERE told_at IS NULL;
CREATE INDEX outbox_telling_by_subject ON outbox_telling (subject) WHERE subject <> '';
CREATE INDEX outbox_telling_by_root ON outbox_telling (root_id, seq) WHERE event = 'valuation';
CREATE TABLE outbox_delivery (
    tracker text NOT NULL,
    id text NOT NULL,
    at double precision NOT NULL,
    PRIMARY KEY (tracker, id)
);
CREATE INDEX outbox_delivery_by_time ON outbox_delivery (at);
CREATE TABLE outbox_heard (tracker text PRIMARY KEY, at double precision NOT NULL);
CREATE TABLE outbox_place (
    tracker text NOT NULL,
    what text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (tracker, what)
);
CREATE TABLE outbox_sender (
    only_one boolean PRIMARY KEY CHECK (only_one),
    holder text NOT NULL,
    until double precision NOT NULL
);
INSERT INTO outbox_sender VALUES (true, '', 0);

-- name: lock
SELECT 1 FROM outbox_sender FOR UPDATE

-- name: add
INSERT INTO outbox_telling (id, event, tracker, subject, task_id, root_id, mark, at_us, body)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING

-- name: remember
INSERT INTO outbox_delivery VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING 1

-- name: delivery
SELECT 1 FROM outbox_delivery WHERE tracker = %s AND id = %s

-- name: take_turn
UPDATE outbox_sender SET holder = %(holder)s, until = %(until)s
WHERE holder = %(holder)s OR until <= %(now)s RETURNING 1

-- name: give_turn
UPDATE outbox_sender SET until = 0 WHERE holder = %s

-- name: to_tell
SELECT id, event, tracker, subject, task_id, root_id, mark, at_us, body FROM outbox_telling
WHERE told_at IS NULL ORDER BY seq LIMIT %s

-- name: told
UPDATE outbox_telling SET told_at = %s, body = NULL WHERE id = ANY(%s) AND told_at IS NULL

-- name: accepted_for
SELECT DISTINCT task_id COLLATE "C" FROM outbox_telling
WHERE subject = %s AND subject <> '' AND task_id <> ''
    AND event IN ('merged', 'closed', 'accepted')
ORDER BY 1

-- name: last_valuation
SELECT id, mark FROM outbox_telling WHERE root_id = %s AND event = 'valuation'
ORDER BY seq DESC LIMIT 1

-- name: valued_roots
SELECT DISTINCT root_id COLLATE "C" FROM outbox_telling WHERE event = 'valuation' ORDER BY 1

-- name: heard
INSERT INTO outbox_heard VALUES (%s, %s)
ON CONFLICT (tracker) DO UPDATE SET at = greatest(outbox_heard.at, excluded.at)

-- name: heard_at
SELECT tracker, at FROM outbox_heard

-- name: place
SELECT value FROM outbox_place WHERE tracker = %s AND what = %s

-- name: set_place
INSERT INTO outbox_place VALUES (%s, %s, %s)
ON CONFLICT (tracker, what) DO UPDATE SET value = excluded.value

-- name: forget
DELETE FROM outbox_delivery WHERE at < %s RETURNING 1
