The ledger's file. `intake` is what is durable and not yet in order; the sequencer moves it,
in one transaction, into leaves, the tree over them, the rows auditors ask for, hourly sums, and
the sums of unlinked cost. Leaves, full tiles and checkpoints are never updated. `entry`, `tile`
and the sums can be rebuilt from the leaves.

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

-- name: migration_3
ALTER TABLE intake DROP COLUMN first_seq;
ALTER TABLE intake DROP COLUMN last_seq;
CREATE TABLE log (                 -- one row, made when a gateway first opens the file
    id INTEGER PRIMARY KEY CHECK (id = 1),
    origin TEXT NOT NULL,
    vkey TEXT NOT NULL,            -- of the key that signs
    epoch INTEGER NOT NULL,        -- of the sequencer
    replica TEXT NOT NULL,         -- the gateway that last began here
    secret_mark TEXT NOT NULL,
    pepper_mark TEXT NOT NULL,     -- empty: not known yet
    size INTEGER NOT NULL,         -- leaves in the tree
    retired INTEGER NOT NULL,      -- leaves below it are dropped
    ready INTEGER NOT NULL         -- 0 while leaves of an earlier release are put into the tree
) STRICT;
CREATE TABLE tile (                -- hashes, as gateway.ledger.tiles packs them
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    packed BLOB NOT NULL,
    PRIMARY KEY (level, number)
) STRICT;
CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;
CREATE TABLE cosignature (
    size INTEGER NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (size, line)
) STRICT, WITHOUT ROWID;
CREATE TABLE series (              -- how far each replica's records have come
    replica TEXT PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    last_cost_seq INTEGER NOT NULL,
    ended INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX series_open ON series (replica) WHERE ended = 0;
DROP TABLE entry;
DELETE FROM other_leaf;            -- both are filled again from the leaves
CREATE TABLE entry (               -- one call; unique by attempt, so each kind is there once
    index_intent INTEGER PRIMARY KEY,   -- the refusal's, for a refused call
    attempt_id TEXT NOT NULL UNIQUE,
    received_at_us INTEGER NOT NULL,
    principal TEXT NOT NULL,
    team TEXT NOT NULL,
    tenant TEXT NOT NULL,
    task_id TEXT NOT NULL,
    root_id TEXT NOT NULL,
    model_requested TEXT NOT NULL,
    model_served TEXT NOT NULL,
    provider TEXT NOT NULL,
    decision TEXT NOT NULL,
    rules TEXT NOT NULL,           -- a JSON list
    replica TEXT NOT NULL,
    index_settle INTEGER,          -- null while the call is open; the last adjust's, if any
    completion TEXT NOT NULL,
    adjusts INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL
) STRICT;
CREATE INDEX entry_by_time ON entry (received_at_us);
CREATE INDEX entry_by_team ON entry (team, received_at_us);
CREATE INDEX entry_by_task ON entry (task_id, received_at_us);
CREATE INDEX entry_by_root ON entry (root_id, received_at_us) WHERE root_id <> task_id;
CREATE INDEX entry_by_model ON entry (model_requested, received_at_us);
CREATE INDEX entry_by_served ON entry (model_served, received_at_us)
    WHERE model_served <> model_requested;
CREATE INDEX entry_by_decision ON entry (decision, received_at_us) WHERE decision <> 'forwarded';
CREATE INDEX entry_by_person ON entry (principal, received_at_us);
CREATE INDEX entry_open ON entry (index_intent) WHERE index_settle IS NULL;
CREATE TABLE entry_rule (          -- the rules that had a say in a call
    rule TEXT NOT NULL,
    received_at_us INTEGER NOT NULL,
    index_intent INTEGER NOT NULL,
    PRIMARY KEY (rule, received_at_us, index_intent)
) STRICT, WITHOUT ROWID;
CREATE TABLE rollup (              -- calls by the hour they were received in
    hour INTEGER NOT NULL,         -- its start, Unix seconds
    team TEXT NOT NULL,
    root_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    model TEXT NOT NULL,
    decision TEXT NOT NULL,
    calls INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    PRIMARY KEY (hour, team, root_id, task_id, model, decision)
) STRICT, WITHOUT ROWID;
CREATE TABLE rule_rollup (
    hour INTEGER NOT NULL,
    rule TEXT NOT NULL,
    team TEXT NOT NULL,
    decision TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (hour, rule, team, decision)
) STRICT, WITHOUT ROWID;
CREATE TABLE cost_pending (        -- the part of cost_hourly that is in no cost_hour leaf yet
    hour INTEGER NOT NULL,
    team TEXT NOT NULL,
    model TEXT NOT NULL,
    reason TEXT NOT NULL,
    calls INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    cost_usd TEXT NOT NULL,
    PRIMARY KEY (hour, team, model, reason)
) STRICT, WITHOUT ROWID;
INSERT INTO cost_pending SELECT * FROM cost_hourly;

-- name: migration_4
CREATE TABLE credit_root (         -- the fold of credit; gateway.credit.roots packs it
    root_id TEXT PRIMARY KEY,
    packed BLOB NOT NULL
) STRICT;
ALTER TABLE log ADD COLUMN credited INTEGER NOT NULL DEFAULT 0;  -- leaves folded into it

-- name: add_intake
INSERT INTO intake (replica, records) VALUES (?, ?)

-- name: add_salt
INSERT INTO salt (principal, month, salt) VALUES (?, ?, ?)

-- name: all_intake
SELECT id, replica, records FROM intake ORDER BY id

-- name: foreign_intake
SELECT id, replica, records FROM intake WHERE replica <> ? ORDER BY id

-- name: remove_intake
DELETE FROM intake WHERE id IN (SELECT value FROM json_each(?))

-- name: log
SELECT origin, vkey, epoch, replica, secret_mark, pepper_mark, size, retired, ready FROM log

-- name: make_log
INSERT INTO log (id, origin, vkey, epoch, replica, secret_mark, pepper_mark, size, retired, ready)
VALUES (1, ?, ?, 0, '', ?, '', 0, 0, 0)

-- name: set_size
UPDATE log SET size = ?1, credited = ?1

-- name: credited
SELECT credited FROM log

-- name: set_credited
UPDATE log SET credited = ?

-- name: roots
SELECT root_id, packed FROM credit_root WHERE root_id IN (SELECT value FROM json_each(?))

-- name: all_roots
SELECT root_id, packed FROM credit_root ORDER BY root_id

-- name: put_roots
INSERT INTO credit_root (root_id, packed) VALUES (?, ?)
ON CONFLICT (root_id) DO UPDATE SET packed = excluded.packed

-- name: outcomes
SELECT leaf_index FROM other_leaf WHERE kind = 'outcome' AND leaf_index >= ? ORDER BY leaf_index

-- name: workers
SELECT DISTINCT root_id, principal FROM entry WHERE decision <> 'refused'

-- name: calls_of_root
SELECT index_intent, index_settle FROM entry WHERE root_id = ?1 AND root_id <> task_id
UNION ALL
SELECT index_intent, index_settle FROM entry WHERE task_id = ?1 AND root_id = ?1

-- name: set_ready
UPDATE log SET ready = 1

-- name: set_epoch
UPDATE log SET epoch = ?, vkey = ?, secret_mark = ?

-- name: set_replica
UPDATE log SET replica = ?

-- name: set_pepper_mark
UPDATE log SET pepper_mark = ?

-- name: set_retired
UPDATE log SET retired = ?

-- name: last_leaf
SELECT first_index + count FROM leaf_run ORDER BY first_index DESC LIMIT 1

-- name: add_leaves
INSERT INTO leaf_run (first_index, count, lines) VALUES (?, ?, ?)

-- name: run_at
SELECT first_index, count, lines FROM leaf_run WHERE first_index <= ?
ORDER BY first_index DESC LIMIT 1

-- name: runs_between
SELECT first_index, count, lines FROM leaf_run
WHERE first_index >= coalesce(
        (SELECT first_index FROM leaf_run WHERE first_index <= :first
         ORDER BY first_index DESC LIMIT 1), :first)
    AND first_index < :stop
ORDER BY first_index

-- name: runs_below
SELECT first_index, count, lines FROM leaf_run WHERE first_index < ? ORDER BY first_index LIMIT ?

-- name: drop_run
DELETE FROM leaf_run WHERE first_index = ?

-- name: put_tiles
INSERT INTO tile (level, number, packed) VALUES (?, ?, ?)
ON CONFLICT (level, number) DO UPDATE SET packed = excluded.packed

-- name: tile
SELECT packed FROM tile WHERE level = ? AND number = ?

-- name: add_checkpoint
INSERT INTO checkpoint (size, at_us, note) VALUES (?, ?, ?)

-- name: last_checkpoint
SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1

-- name: checkpoints
SELECT size, note FROM checkpoint WHERE size > ? ORDER BY size LIMIT ?

-- name: checkpoint_at
SELECT 1 FROM checkpoint WHERE size = ?

-- name: add_cosignature
INSERT OR IGNORE INTO cosignature (size, line) VALUES (?, ?)

-- name: cosignatures
SELECT size, line FROM cosignature WHERE size >= ? AND size <= ? ORDER BY size, line

-- name: known_calls
SELECT index_intent, attempt_id, received_at_us, principal, team, tenant, task_id, root_id,
    model_requested, model_served, provider, decision, rules, replica, index_settle, completion,
    adjusts, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
    reasoning_tokens, cost_nano_usd
FROM entry WHERE attempt_id IN (SELECT value FROM json_each(?))

-- name: known_others
SELECT attempt_id, kind, n, leaf_index FROM other_leaf
WHERE (attempt_id, kind, n) IN (SELECT value->>0, value->>1, value->>2 FROM json_each(?))

-- name: known_series
SELECT replica, last_seq, last_cost_seq, ended FROM series
WHERE replica IN (SELECT value FROM json_each(?))

-- name: all_series
SELECT replica, last_seq, last_cost_seq, ended FROM series ORDER BY replica

-- name: open_series
SELECT replica, last_seq, last_cost_seq FROM series WHERE ended = 0 AND replica <> ?
ORDER BY replica

-- name: put_series
INSERT INTO series (replica, last_seq, last_cost_seq, ended) VALUES (?, ?, ?, ?)
ON CONFLICT (replica) DO UPDATE SET
    last_seq = excluded.last_seq, last_cost_seq = excluded.last_cost_seq, ended = excluded.ended

-- name: add_entries
INSERT INTO entry (
    index_intent, attempt_id, received_at_us, principal, team, tenant, task_id, root_id,
    model_requested, model_served, provider, decision, rules, replica, index_settle, completion,
    adjusts, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
    reasoning_tokens, cost_nano_usd
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_entry_rules
INSERT INTO entry_rule (rule, received_at_us, index_intent) VALUES (?, ?, ?)

-- name: settle_entries
WITH settled (index_intent, index_settle, completion, adjusts, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nano_usd) AS (
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
)
UPDATE entry SET index_settle = settled.index_settle, completion = settled.completion,
    adjusts = settled.adjusts, input_tokens = settled.input_tokens,
    output_tokens = settled.output_tokens, cache_read_tokens = settled.cache_read_tokens,
    cache_write_tokens = settled.cache_write_tokens,
    reasoning_tokens = settled.reasoning_tokens, cost_nano_usd = settled.cost_nano_usd
FROM settled WHERE entry.index_intent = settled.index_intent

-- name: entry_indexes
SELECT index_intent, index_settle FROM entry WHERE attempt_id = ?

-- name: open_entries
SELECT index_intent FROM entry WHERE index_settle IS NULL AND index_intent > ?
ORDER BY index_intent LIMIT ?

-- name: open_entries_below
SELECT count(*) FROM entry WHERE index_settle IS NULL AND index_intent < ?

-- name: last_received_below
SELECT max(received_at_us) FROM entry WHERE index_intent < ? AND index_intent >= ?

-- name: drop_entries
DELETE FROM entry WHERE index_intent >= ? AND index_intent < ?
RETURNING index_intent, received_at_us, rules

-- name: drop_entry_rule
DELETE FROM entry_rule WHERE rule = ? AND received_at_us = ? AND index_intent = ?

-- name: first_entry
SELECT min(index_intent) FROM entry

-- name: put_rollups
INSERT INTO rollup (
    hour, team, root_id, task_id, model, decision, calls, settled, failed, input_tokens,
    output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nano_usd
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (hour, team, root_id, task_id, model, decision) DO UPDATE SET
    calls = calls + excluded.calls, settled = settled + excluded.settled,
    failed = failed + excluded.failed, input_tokens = input_tokens + excluded.input_tokens,
    output_tokens = output_tokens + excluded.output_tokens,
    cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
    cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
    reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
    cost_nano_usd = cost_nano_usd + excluded.cost_nano_usd

-- name: put_rule_rollups
INSERT INTO rule_rollup (hour, rule, team, decision, calls) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (hour, rule, team, decision) DO UPDATE SET calls = calls + excluded.calls

-- name: rollups
SELECT hour, team, root_id, task_id, model, decision, calls, settled, failed, input_tokens,
    output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nano_usd
FROM rollup

-- name: rule_rollups
SELECT hour, rule, team, decision, calls FROM rule_rollup

-- name: usage
SELECT
    iif(:by_hour, hour, 0), iif(:by_day, hour - hour % 86400, 0),
    iif(:by_month, unixepoch(hour, 'unixepoch', 'start of month'), 0),
    iif(:by_team, team, ''), iif(:by_root_id, root_id, ''), iif(:by_task_id, task_id, ''),
    iif(:by_model, model, ''), iif(:by_decision, decision, ''),
    sum(calls), sum(settled), sum(failed), sum(input_tokens), sum(output_tokens),
    sum(cache_read_tokens), sum(cache_write_tokens), sum(reasoning_tokens), sum(cost_nano_usd)
FROM rollup
WHERE hour >= :first AND hour <= :last
    AND (:team = '' OR team = :team)
    AND (:task = '' OR task_id = :task OR root_id = :task)
    AND (:model = '' OR model = :model)
    AND (:decision = '' OR decision = :decision)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8

-- name: rule_usage
SELECT rule, team, decision, sum(calls) FROM rule_rollup
WHERE hour >= :first AND hour <= :last
    AND (:rule = '' OR rule = :rule)
    AND (:team = '' OR team = :team)
    AND (:decision = '' OR decision = :decision)
GROUP BY rule, team, decision
ORDER BY rule, team, decision
LIMIT :limit

-- name: add_other_leaves
INSERT INTO other_leaf (attempt_id, kind, n, leaf_index) VALUES (?, ?, ?, ?)

-- name: last_n
SELECT max(n) FROM other_leaf WHERE attempt_id = ? AND kind = ?

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
WHERE hour >= ? AND hour <= ?

-- name: cost_pending
SELECT calls, refused, tokens, cost_usd FROM cost_pending
WHERE hour = ? AND team = ? AND model = ? AND reason = ?

-- name: put_cost_pending
INSERT OR REPLACE INTO cost_pending
    (hour, team, model, reason, calls, refused, tokens, cost_usd)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: pending_hours
SELECT DISTINCT hour FROM cost_pending WHERE hour <= ? ORDER BY hour LIMIT ?

-- name: pending_of_hour
SELECT hour, team, model, reason, calls, refused, tokens, cost_usd FROM cost_pending
WHERE hour = ?

-- name: all_pending
SELECT hour, team, model, reason, calls, refused, tokens, cost_usd FROM cost_pending

-- name: drop_pending
DELETE FROM cost_pending WHERE hour = ?

-- name: add_decisions
INSERT INTO decision_log (first_at_us, last_at_us, lines) VALUES (?, ?, ?)

-- name: prune_decisions
DELETE FROM decision_log WHERE last_at_us < ?

-- name: last_decisions
SELECT max(id) FROM decision_log

-- name: decisions
SELECT id, lines FROM decision_log WHERE id >= ? AND id <= ? AND last_at_us >= ?
ORDER BY id LIMIT ?

-- name: rewrite_decisions
UPDATE decision_log SET lines = ? WHERE id = ?

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

-- name: all_policies
SELECT digest, files FROM policy_text ORDER BY first_at_us, digest

-- name: salts_of_others
SELECT principal, month, salt FROM salt WHERE principal <> ?

-- name: drop_salts
DELETE FROM salt

-- name: entries_of_time
SELECT entry.received_at_us, entry.index_intent, index_settle
FROM entry
WHERE entry.received_at_us >= :since_us AND entry.received_at_us < :until_us

-- name: entries_of_team
SELECT entry.received_at_us, entry.index_intent, index_settle
FROM entry
WHERE team = :team
    AND entry.received_at_us >= :since_us AND entry.received_at_us < :until_us

-- name: entries_of_decision
SELECT entry.received_at_us, entry.index_intent, index_settle
FROM entry
WHERE decision = :decision AND decision <> 'forwarded'
    AND entry.received_at_us >= :since_us AND entry.received_at_us < :until_us

-- name: entries_of_task
SELECT entry.received_at_us, entry.index_intent, index_settle
FROM entry
WHERE task_id = :task
    AND entry.received_at_us >= :since_us AND entry.received_at_us < :until_us

-- name: entries_of_root
SELECT entry.received_at_us, entry.index_intent, index_settle
FROM entry
WHERE root_id = :task AND root_id <> task_id
    AND entry.received_at_us >= :since_us AND entry.received_at_us < :until_us

-- name: entries_of_model
SELECT entry.received_at_us, entry.index_intent, index_settle
FROM entry
WHERE model_requested = :model
    AND entry.received_at_us >= :since_us AND entry.received_at_us < :until_us

-- name: entries_of_served
SELECT entry.received_at_us, entry.index_intent, index_settle
FROM entry
WHERE model_served = :model AND model_served <> model_requested
    AND entry.received_at_us >= :since_us AND entry.received_at_us < :until_us

-- name: entries_of_people
SELECT entry.received_at_us, entry.index_intent, index_settle
FROM entry
WHERE principal IN (SELECT value FROM json_each(:people))
    AND entry.received_at_us >= :since_us AND entry.received_at_us < :until_us

-- name: entries_of_rule
SELECT entry_rule.received_at_us, entry_rule.index_intent, index_settle
FROM entry_rule CROSS JOIN entry USING (index_intent)
WHERE entry_rule.rule = :rule
    AND entry_rule.received_at_us >= :since_us AND entry_rule.received_at_us < :until_us

-- name: and_chosen
    AND entry.index_intent >= :retired
    AND (:task = '' OR task_id = :task OR root_id = :task)
    AND (:team = '' OR team = :team)
    AND (:model = '' OR model_requested = :model OR model_served = :model)
    AND (:decision = '' OR decision = :decision)
    AND (:rule = '' OR EXISTS (SELECT 1 FROM json_each(entry.rules) WHERE value = :rule))
    AND (:people IS NULL OR principal IN (SELECT value FROM json_each(:people)))

-- name: newest_entries
ORDER BY entry.received_at_us DESC, entry.index_intent DESC
LIMIT :limit

-- name: newest_of_rule
ORDER BY entry_rule.received_at_us DESC, entry_rule.index_intent DESC
LIMIT :limit

-- name: spent
SELECT principal, team, task_id, root_id, model_requested,
    count(*), sum(input_tokens + output_tokens), sum(cost_nano_usd)
FROM entry
WHERE received_at_us >= ? AND decision <> 'refused' AND index_settle IS NOT NULL
GROUP BY principal, team, task_id, root_id, model_requested
