The ledger's file. `intake` is what is durable and not yet in order; the sequencer moves it,
in one transaction, into leaves, the rows auditors ask for, and the sums of unlinked cost.
Leaves are never updated. `entry` can be rebuilt from them.

-- name: migration_1
CREATE TABLE intake (
    id INTEGER PRIMARY KEY,
    replica TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    records BLOB NOT NULL          -- JSON lines, in the order they were appended
) STRICT;
CREATE TABLE leaf_run (            -- up to 256 leaves in a row; their indexes are dense from 0
    first_index INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    lines BLOB NOT NULL            -- canonical bytes, one leaf per line
) STRICT;
CREATE TABLE entry (               -- one call; unique by attempt, so each kind is there once
    index_intent INTEGER PRIMARY KEY,   -- the refusal's, for a refused call
    attempt_id TEXT NOT NULL UNIQUE,
    received_at_us INTEGER NOT NULL,
    principal TEXT NOT NULL,
    team TEXT NOT NULL,
    task_id TEXT NOT NULL,
    root_id TEXT NOT NULL,
    model_requested TEXT NOT NULL,
    model_served TEXT NOT NULL,
    decision TEXT NOT NULL,
    index_settle INTEGER,          -- null while the call is open
    tokens INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL
) STRICT;
CREATE INDEX entry_by_time ON entry (received_at_us);
CREATE INDEX entry_by_task ON entry (task_id);
CREATE INDEX entry_by_root ON entry (root_id) WHERE root_id <> task_id;
CREATE INDEX entry_by_decision ON entry (decision) WHERE decision <> 'forwarded';
CREATE INDEX entry_open ON entry (index_intent) WHERE index_settle IS NULL;
CREATE TABLE other_leaf (          -- leaves that are no part of a call
    attempt_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    n INTEGER NOT NULL,
    leaf_index INTEGER NOT NULL,
    PRIMARY KEY (attempt_id, kind, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE clash (               -- set aside: same (attempt, kind, n), other bytes
    id INTEGER PRIMARY KEY,
    reason TEXT NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE TABLE cost_open (
    attempt_id TEXT PRIMARY KEY,
    record BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE cost_hourly (
    hour INTEGER NOT NULL,
    team TEXT NOT NULL,
    model TEXT NOT NULL,
    reason TEXT NOT NULL,
    calls INTEGER NOT NULL,
    refused INTEGER NOT NULL,      -- those of the calls that were never sent
    tokens INTEGER NOT NULL,
    cost_usd TEXT NOT NULL,        -- exact, plain digits
    PRIMARY KEY (hour, team, model, reason)
) STRICT, WITHOUT ROWID;
CREATE TABLE decision_log (        -- diagnostics, in no report and no total; 30 days
    id INTEGER PRIMARY KEY,
    first_at_us INTEGER NOT NULL,
    last_at_us INTEGER NOT NULL,
    lines BLOB NOT NULL
) STRICT;
CREATE INDEX decision_log_by_time ON decision_log (last_at_us);
CREATE TABLE salt (                -- what ties a commitment to a person
    principal TEXT NOT NULL,
    month TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (principal, month, salt)
) STRICT, WITHOUT ROWID;

-- name: migration_2
CREATE TABLE policy_text (         -- what each digest in the record stands for; kept for good
    digest TEXT PRIMARY KEY,
    first_at_us INTEGER NOT NULL,  -- when it was first in force here
    files BLOB NOT NULL            -- zlib over a JSON list of [name, text]
) STRICT, WITHOUT ROWID;

-- name: add_intake
INSERT INTO intake (replica, first_seq, last_seq, records) VALUES (?, ?, ?, ?)

-- name: add_salt
INSERT INTO salt (principal, month, salt) VALUES (?, ?, ?)

-- name: all_intake
SELECT id, replica, records FROM intake ORDER BY id

-- name: foreign_intake
SELECT id, replica, records FROM intake WHERE replica <> ? ORDER BY id

-- name: remove_intake
DELETE FROM intake WHERE id IN (SELECT value FROM json_each(?))

-- name: next_index
SELECT first_index + count FROM leaf_run ORDER BY first_index DESC LIMIT 1

-- name: add_leaves
INSERT INTO leaf_run (first_index, count, lines) VALUES (?, ?, ?)

-- name: run_at
SELECT first_index, count, lines FROM leaf_run WHERE first_index <= ?
ORDER BY first_index DESC LIMIT 1

-- name: add_entries
INSERT INTO entry (
    index_intent, attempt_id, received_at_us, principal, team, task_id, root_id,
    model_requested, model_served, decision, index_settle, tokens, cost_nano_usd
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: settle_entry
UPDATE entry SET index_settle = ?, tokens = ?, cost_nano_usd = ?
WHERE attempt_id = ? AND index_settle IS NULL

-- name: entry_indexes
SELECT index_intent, index_settle FROM entry WHERE attempt_id = ?

-- name: open_entries
SELECT index_intent FROM entry WHERE index_settle IS NULL AND index_intent > ?
ORDER BY index_intent LIMIT ?

-- name: add_other_leaf
INSERT INTO other_leaf (attempt_id, kind, n, leaf_index) VALUES (?, ?, ?, ?)

-- name: other_leaf_index
SELECT leaf_index FROM other_leaf WHERE attempt_id = ? AND kind = ? AND n = ?

-- name: add_clash
INSERT INTO clash (reason, record) VALUES (?, ?)

-- name: clashes
SELECT reason, record FROM clash ORDER BY id

-- name: open_cost
SELECT record FROM cost_open WHERE attempt_id = ?

-- name: open_costs
SELECT record FROM cost_open ORDER BY attempt_id

-- name: add_open_cost
INSERT OR REPLACE INTO cost_open (attempt_id, record) VALUES (?, ?)

-- name: remove_open_cost
DELETE FROM cost_open WHERE attempt_id = ?

-- name: cost_hour
SELECT calls, refused, tokens, cost_usd FROM cost_hourly
WHERE hour = ? AND team = ? AND model = ? AND reason = ?

-- name: put_cost_hour
INSERT OR REPLACE INTO cost_hourly
    (hour, team, model, reason, calls, refused, tokens, cost_usd)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: cost_hours
SELECT hour, team, model, reason, calls, refused, tokens, cost_usd FROM cost_hourly

-- name: add_decisions
INSERT INTO decision_log (first_at_us, last_at_us, lines) VALUES (?, ?, ?)

-- name: prune_decisions
DELETE FROM decision_log WHERE last_at_us < ?

-- name: last_decisions
SELECT max(id) FROM decision_log

-- name: decisions
SELECT id, lines FROM decision_log WHERE id >= ? AND id <= ? AND last_at_us >= ?
ORDER BY id LIMIT ?

-- name: decisions_near
SELECT lines FROM decision_log WHERE last_at_us >= ? AND last_at_us < ? AND first_at_us < ?
ORDER BY id

-- name: decisions_backwards
SELECT lines FROM decision_log ORDER BY id DESC

-- name: keep_policies
INSERT OR IGNORE INTO policy_text (digest, first_at_us, files) VALUES (?, ?, ?)

-- name: policy_files
SELECT files FROM policy_text WHERE digest = ?

-- name: salts_since
SELECT principal, month, salt FROM salt WHERE month >= ?

-- name: salts_of
SELECT principal, month, salt FROM salt WHERE principal = ?

-- name: entries
SELECT index_intent, index_settle FROM entry
WHERE received_at_us >= :since_us AND received_at_us < :until_us
    AND (:team = '' OR team = :team)
    AND (:model = '' OR model_requested = :model OR model_served = :model)
    AND (:decision = '' OR decision = :decision)
    AND (:people IS NULL OR principal IN (SELECT value FROM json_each(:people)))
ORDER BY received_at_us DESC, index_intent DESC
LIMIT :limit

-- name: entries_of_task
SELECT index_intent, index_settle FROM entry
WHERE index_intent IN (
        SELECT index_intent FROM entry WHERE task_id = :task
        UNION ALL
        SELECT index_intent FROM entry WHERE root_id = :task AND root_id <> task_id
    )
    AND received_at_us >= :since_us AND received_at_us < :until_us
    AND (:team = '' OR team = :team)
    AND (:model = '' OR model_requested = :model OR model_served = :model)
    AND (:decision = '' OR decision = :decision)
    AND (:people IS NULL OR principal IN (SELECT value FROM json_each(:people)))
ORDER BY received_at_us DESC, index_intent DESC
LIMIT :limit

-- name: spent
SELECT principal, team, task_id, root_id, model_requested,
    count(*), sum(tokens), sum(cost_nano_usd)
FROM entry
WHERE received_at_us >= ? AND decision <> 'refused' AND index_settle IS NOT NULL
GROUP BY principal, team, task_id, root_id, model_requested
