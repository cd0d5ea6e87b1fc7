The ledger in PostgreSQL, for several replicas. `ledger_intake` is what is durable and not yet
in order: each replica adds to it, and one sequencer at a time moves it, each slice in one
transaction, into leaves, tiles, the rows auditors ask for, and sums. Leaves are never updated;
`ledger_call` and the sums can be rebuilt from them.

Who sequences says so in `ledger_log.epoch` and asks for it, locked, in each transaction. Who
appends holds a key-share lock on its row of `ledger_replica`, which has to be locked for update
before the replica is said to have ended: so nothing of it can follow.

-- name: migration_1
CREATE TABLE ledger_log (              -- one row
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    origin text NOT NULL,
    vkey text NOT NULL,                -- of the key that signs now
    secret_mark text NOT NULL,
    pepper_mark text NOT NULL DEFAULT '',  -- empty: not known yet
    epoch bigint NOT NULL DEFAULT 0,   -- which sequencer may write
    led_at timestamptz NOT NULL DEFAULT '-infinity',  -- when it last did
    size bigint NOT NULL DEFAULT 0,    -- leaves in order
    retired bigint NOT NULL DEFAULT 0  -- leaves below it were dropped
);
CREATE TABLE ledger_replica (          -- who appends
    name text COLLATE "C" PRIMARY KEY,
    lease_s double precision NOT NULL, -- not seen for longer: it is lost
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz               -- nothing of it may be added any more
);
CREATE TABLE ledger_series (           -- how far the records of each are in order
    name text COLLATE "C" PRIMARY KEY,
    last_seq bigint NOT NULL,
    last_cost_seq bigint NOT NULL,
    last_group bigint NOT NULL DEFAULT 0,
    ended boolean NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE ledger_intake (
    id bigserial NOT NULL,
    replica text COLLATE "C" NOT NULL,
    group_seq bigint NOT NULL,         -- dense for each replica, from 1
    records bytea NOT NULL,            -- JSON lines, in the order they were appended
    PRIMARY KEY (replica, group_seq)
);
ALTER TABLE ledger_intake ALTER COLUMN records SET STORAGE EXTERNAL;
CREATE TABLE ledger_leaf_run (         -- leaves in a row, never across a multiple of 256
    first_index bigint PRIMARY KEY,
    count integer NOT NULL,
    lines bytea NOT NULL               -- canonical bytes, one leaf per line
);
-- pglz took a third of the time of sequencing a leaf; some servers have no lz4.
DO $$ BEGIN
    ALTER TABLE ledger_leaf_run ALTER COLUMN lines SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;
CREATE TABLE ledger_call (             -- one row a call; its columns are `sequencing.CallRow`'s
    index_intent bigint PRIMARY KEY,   -- the refusal's, for a refused call
    attempt_id text COLLATE "C" NOT NULL UNIQUE,
    received_at_us bigint NOT NULL,
    principal text COLLATE "C" NOT NULL,
    team text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    task_id text COLLATE "C" NOT NULL,
    root_id text COLLATE "C" NOT NULL,
    model_requested text COLLATE "C" NOT NULL,
    model_served text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    decision text COLLATE "C" NOT NULL,
    rules text[] COLLATE "C" NOT NULL,
    replica text COLLATE "C" NOT NULL,
    index_settle bigint,               -- null while the call is open; in no index, see below
    completion text COLLATE "C" NOT NULL,
    adjusts bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    cost_nano_usd bigint NOT NULL
) WITH (fillfactor = 85);              -- a settle changes no indexed column: the row stays put
CREATE INDEX ledger_call_by_time ON ledger_call (received_at_us, index_intent);
CREATE INDEX ledger_call_by_task ON ledger_call (task_id, received_at_us, index_intent);
CREATE INDEX ledger_call_by_root ON ledger_call (root_id, received_at_us, index_intent);
CREATE INDEX ledger_call_by_team ON ledger_call (team, received_at_us, index_intent);
CREATE INDEX ledger_call_by_principal ON ledger_call (principal, received_at_us, index_intent);
CREATE INDEX ledger_call_by_model ON ledger_call (model_served, received_at_us, index_intent);
CREATE INDEX ledger_call_by_asked ON ledger_call (model_requested, received_at_us, index_intent);
CREATE INDEX ledger_call_by_decision ON ledger_call (decision, received_at_us, index_intent)
    WHERE decision <> 'forwarded';
-- So that who groups by day or hour in SQL gets a plan that counts, and does not sort millions.
CREATE STATISTICS ledger_call_day ON (received_at_us / 86400000000) FROM ledger_call;
CREATE STATISTICS ledger_call_hour ON (received_at_us / 3600000000) FROM ledger_call;
CREATE INDEX ledger_call_by_rule ON ledger_call USING gin (rules);
CREATE TABLE ledger_open_call (
    index_intent bigint PRIMARY KEY,
    replica text COLLATE "C" NOT NULL
);
CREATE TABLE ledger_other (            -- leaves that are no intent, refusal or settle
    attempt_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    leaf_index bigint NOT NULL,
    PRIMARY KEY (attempt_id, kind, n)
);
CREATE TABLE ledger_clash (            -- set aside: see `sequencing.plan`
    id bigserial PRIMARY KEY,
    reason text NOT NULL,
    record bytea NOT NULL
);
CREATE TABLE ledger_tile (
    level integer NOT NULL,
    number bigint NOT NULL,
    packed bytea NOT NULL,
    PRIMARY KEY (level, number)
);
ALTER TABLE ledger_tile ALTER COLUMN packed SET STORAGE EXTERNAL;
CREATE TABLE ledger_checkpoint (
    size bigint PRIMARY KEY,
    note text NOT NULL
);
CREATE TABLE ledger_cosignature (
    id bigserial PRIMARY KEY,
    size bigint NOT NULL REFERENCES ledger_checkpoint,
    line text NOT NULL,
    UNIQUE (size, line)
);
CREATE TABLE ledger_rollup (           -- its columns are `rollups.RollupKey` and `RollupSum`
    hour bigint NOT NULL,
    team text COLLATE "C" NOT NULL,
    root_id text COLLATE "C" NOT NULL,
    task_id text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    decision text COLLATE "C" NOT NULL,
    calls bigint NOT NULL,
    settled bigint NOT NULL,
    failed bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    cost_nano_usd bigint NOT NULL,
    PRIMARY KEY (hour, team, root_id, task_id, model, decision)
) WITH (fillfactor = 70);
CREATE INDEX ledger_rollup_by_task ON ledger_rollup (task_id, hour);
CREATE INDEX ledger_rollup_by_root ON ledger_rollup (root_id, hour);
CREATE TABLE ledger_rule_rollup (
    hour bigint NOT NULL,
    rule text COLLATE "C" NOT NULL,
    team text COLLATE "C" NOT NULL,
    decision text COLLATE "C" NOT NULL,
    calls bigint NOT NULL,
    PRIMARY KEY (hour, rule, team, decision)
) WITH (fillfactor = 70);
CREATE TABLE ledger_cost_open (
    attempt_id text COLLATE "C" PRIMARY KEY,
    replica text COLLATE "C" NOT NULL,
    record bytea NOT NULL
);
CREATE TABLE ledger_cost_hour (
    hour bigint NOT NULL,
    team text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    calls bigint NOT NULL,
    refused bigint NOT NULL,           -- those of the calls that were never sent
    tokens bigint NOT NULL,
    cost_usd numeric NOT NULL,         -- exact
    PRIMARY KEY (hour, team, model, reason)
) WITH (fillfactor = 70);
CREATE TABLE ledger_cost_pending (     -- what of these sums is in no cost_hour leaf yet
    LIKE ledger_cost_hour INCLUDING ALL
);
CREATE TABLE ledger_policy_text (      -- what each digest in the record stands for
    digest text COLLATE "C" PRIMARY KEY,
    first_at_us bigint NOT NULL,       -- when it was first in force
    files bytea NOT NULL               -- zlib over a JSON list of [name, text]
);
CREATE TABLE ledger_salt (             -- what ties a commitment to a person
    principal text COLLATE "C" NOT NULL,
    month text COLLATE "C" NOT NULL,
    salt bytea NOT NULL,
    PRIMARY KEY (principal, month, salt)
);
CREATE TABLE ledger_erased (           -- whom to forget: a keyed hash, kept some weeks
    id bigserial PRIMARY KEY,
    mark bytea NOT NULL,
    at_us bigint NOT NULL              -- salts made before it are not to come back
);
CREATE TABLE ledger_decision (         -- diagnostics, in no report and no total; 30 days
    id bigserial PRIMARY KEY,
    first_at_us bigint NOT NULL,
    last_at_us bigint NOT NULL,
    lines bytea NOT NULL
);
CREATE INDEX ledger_decision_by_time ON ledger_decision (last_at_us);

-- name: migration_2
CREATE TABLE ledger_credit_root (      -- the fold of credit; gateway.credit.roots packs it
    root_id text COLLATE "C" PRIMARY KEY,
    packed bytea NOT NULL
) WITH (fillfactor = 70);
ALTER TABLE ledger_credit_root ALTER COLUMN packed SET STORAGE EXTERNAL;
ALTER TABLE ledger_log ADD COLUMN credited bigint NOT NULL DEFAULT 0;  -- leaves folded into it

-- name: make_log
INSERT INTO ledger_log (origin, vkey, secret_mark) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING

-- name: log
SELECT origin, vkey, epoch, size, retired, secret_mark, pepper_mark FROM ledger_log

-- name: change_secret
UPDATE ledger_log AS g SET secret_mark = %s
FROM (SELECT secret_mark FROM ledger_log FOR UPDATE) AS before
RETURNING before.secret_mark

-- name: set_pepper_mark
UPDATE ledger_log SET pepper_mark = %s

-- name: register
INSERT INTO ledger_replica (name, lease_s) SELECT %(replica)s, %(lease_s)s
WHERE NOT EXISTS (SELECT 1 FROM ledger_series WHERE name = %(replica)s)
ON CONFLICT DO NOTHING

-- name: add_group
WITH mine AS (
    SELECT name FROM ledger_replica WHERE name = %(replica)s AND ended_at IS NULL FOR KEY SHARE
)
INSERT INTO ledger_intake (replica, group_seq, records)
SELECT name, %(group_seq)s, %(records)s FROM mine
ON CONFLICT DO NOTHING

-- name: has_ended
SELECT bool_or(ended) FROM (
    SELECT ended_at IS NOT NULL AS ended FROM ledger_replica WHERE name = %(replica)s
    UNION ALL SELECT ended FROM ledger_series WHERE name = %(replica)s
) AS said

-- name: hold_replica
SELECT ended_at IS NOT NULL FROM ledger_replica WHERE name = %s FOR UPDATE

-- name: end_replica
UPDATE ledger_replica SET ended_at = now() WHERE name = %s AND ended_at IS NULL

-- name: beat
UPDATE ledger_replica SET seen_at = clock_timestamp() WHERE name = %s AND ended_at IS NULL

-- name: far
SELECT last_seq, last_cost_seq, last_group FROM ledger_series WHERE name = %s

-- name: appended
SELECT coalesce(max(s.last_seq), 0), coalesce(max(s.last_cost_seq), 0),
    array(SELECT i.records FROM ledger_intake AS i
        WHERE i.replica = %(replica)s ORDER BY i.group_seq)
FROM ledger_series AS s WHERE s.name = %(replica)s

-- name: add_salt
INSERT INTO ledger_salt (principal, month, salt)
SELECT %(principal)s, %(month)s, %(salt)s
WHERE NOT EXISTS (SELECT 1 FROM ledger_erased WHERE mark = %(mark)s AND at_us > %(made_us)s)
ON CONFLICT DO NOTHING

-- name: salts_since
SELECT principal, month, salt FROM ledger_salt WHERE month >= %s

-- name: salts_of
SELECT principal, month, salt FROM ledger_salt WHERE principal = %s

-- name: remove_salts
DELETE FROM ledger_salt WHERE principal = %s

-- name: add_erased
INSERT INTO ledger_erased (mark, at_us) VALUES (%s, %s)

-- name: erased_since
SELECT id, mark FROM ledger_erased WHERE id > %s ORDER BY id

-- name: last_erased
SELECT coalesce(max(id), 0) FROM ledger_erased

-- name: prune_erased
DELETE FROM ledger_erased WHERE at_us < %s

-- name: decisions_to_blank
SELECT id, lines FROM ledger_decision
WHERE id > %(after)s AND last_at_us >= %(since_us)s ORDER BY id LIMIT 64 FOR UPDATE

-- name: rewrite_decisions
UPDATE ledger_decision SET lines = %s WHERE id = %s

-- name: keep_policies
INSERT INTO ledger_policy_text (digest, first_at_us, files) VALUES (%s, %s, %s)
ON CONFLICT DO NOTHING

-- name: add_decisions
INSERT INTO ledger_decision (first_at_us, last_at_us, lines) VALUES (%s, %s, %s)

-- name: prune_decisions
DELETE FROM ledger_decision WHERE id IN (
    SELECT id FROM ledger_decision WHERE last_at_us < %s ORDER BY id LIMIT 1000
)

-- name: lead
SELECT pg_try_advisory_lock(%s)

-- name: challenge
SELECT pg_terminate_backend(l.pid)
FROM ledger_log AS g, pg_locks AS l
WHERE g.led_at < clock_timestamp() - make_interval(secs => %(lease_s)s)
    AND l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32) + l.objid::bigint = %(lock)s

-- name: claim
UPDATE ledger_log SET led_at = clock_timestamp()

-- name: led
UPDATE ledger_log SET led_at = clock_timestamp() WHERE epoch = %s

-- name: fenced
SELECT epoch, size, retired FROM ledger_log FOR UPDATE

-- name: take_over
UPDATE ledger_log SET epoch = epoch + 1, led_at = clock_timestamp()
RETURNING epoch, size, retired, origin, vkey

-- name: grow
UPDATE ledger_log SET size = %(size)s, credited = %(size)s, led_at = clock_timestamp()

-- name: credited
SELECT credited FROM ledger_log

-- name: set_credited
UPDATE ledger_log SET credited = %s

-- name: roots
SELECT root_id, packed FROM ledger_credit_root WHERE root_id = ANY(%s)

-- name: all_roots
SELECT root_id, packed FROM ledger_credit_root ORDER BY root_id

-- name: put_roots
INSERT INTO ledger_credit_root (root_id, packed)
SELECT * FROM unnest(%s::text[], %s::bytea[])
ON CONFLICT (root_id) DO UPDATE SET packed = excluded.packed

-- name: outcomes
SELECT leaf_index FROM ledger_other WHERE kind = 'outcome' AND leaf_index >= %s ORDER BY leaf_index

-- name: workers
SELECT DISTINCT root_id, principal FROM ledger_call WHERE decision <> 'refused'

-- name: calls_of_root
SELECT index_intent, index_settle FROM ledger_call WHERE root_id = %s

-- name: sign_with
UPDATE ledger_log SET vkey = %s

-- name: retire
UPDATE ledger_log SET retired = greatest(retired, %s)

-- name: drop_leaves
DELETE FROM ledger_leaf_run WHERE first_index IN (
    SELECT first_index FROM ledger_leaf_run WHERE first_index < %s ORDER BY first_index LIMIT 256
)

-- name: drop_calls
DELETE FROM ledger_call WHERE index_intent IN (
    SELECT index_intent FROM ledger_call WHERE index_intent < %s
    ORDER BY index_intent LIMIT 4096
)

-- name: intake
SELECT i.replica, i.group_seq, i.records
FROM ledger_replica AS r
LEFT JOIN ledger_series AS s ON s.name = r.name
CROSS JOIN LATERAL (
    SELECT * FROM ledger_intake
    WHERE replica = r.name AND group_seq > coalesce(s.last_group, 0)
    ORDER BY group_seq LIMIT %(limit)s
) AS i
WHERE s.ended IS NOT TRUE
ORDER BY i.id
LIMIT %(limit)s

-- name: remove_intake
DELETE FROM ledger_intake AS i
USING unnest(%(replicas)s::text[], %(groups)s::bigint[]) AS done (replica, group_seq)
WHERE i.replica = done.replica AND i.group_seq <= done.group_seq

-- name: remove_repeats
DELETE FROM ledger_intake AS i USING ledger_series AS s
WHERE i.replica = s.name AND i.group_seq <= s.last_group

-- name: forget_ended
DELETE FROM ledger_replica AS r USING ledger_series AS s
WHERE s.name = r.name AND s.ended AND r.ended_at < now() - interval '1 hour'

-- name: calls
SELECT index_intent, attempt_id, received_at_us, principal, team, tenant, task_id, root_id,
    model_requested, model_served, provider, decision, rules, replica, index_settle, completion,
    adjusts, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
    reasoning_tokens, cost_nano_usd
FROM ledger_call WHERE attempt_id = ANY(%s)

-- name: others
SELECT o.attempt_id, o.kind, o.n, o.leaf_index
FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS w (attempt_id, kind, n)
JOIN ledger_other AS o USING (attempt_id, kind, n)

-- name: series
SELECT name, last_seq, last_cost_seq, ended FROM ledger_series WHERE name = ANY(%s)

-- name: costs_open
SELECT record FROM ledger_cost_open WHERE attempt_id = ANY(%s)

-- name: add_leaves
INSERT INTO ledger_leaf_run (first_index, count, lines) VALUES (%s, %s, %s)

-- name: add_calls
INSERT INTO ledger_call SELECT * FROM json_populate_recordset(NULL::ledger_call, %s::json)

-- name: settle_calls
UPDATE ledger_call AS c SET index_settle = x.index_settle, completion = x.completion,
    adjusts = x.adjusts, input_tokens = x.input_tokens, output_tokens = x.output_tokens,
    cache_read_tokens = x.cache_read_tokens, cache_write_tokens = x.cache_write_tokens,
    reasoning_tokens = x.reasoning_tokens, cost_nano_usd = x.cost_nano_usd
FROM json_populate_recordset(NULL::ledger_call, %s::json) AS x
WHERE c.index_intent = x.index_intent

-- name: open_calls
INSERT INTO ledger_open_call SELECT * FROM unnest(%s::bigint[], %s::text[])

-- name: close_calls
DELETE FROM ledger_open_call WHERE index_intent = ANY(%s)

-- name: add_others
INSERT INTO ledger_other (attempt_id, kind, n, leaf_index)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])

-- name: add_clash
INSERT INTO ledger_clash (reason, record) VALUES (%s, %s)

-- name: put_series
INSERT INTO ledger_series AS s (name, last_seq, last_cost_seq, ended)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::boolean[])
ON CONFLICT (name) DO UPDATE SET last_seq = excluded.last_seq,
    last_cost_seq = excluded.last_cost_seq, ended = excluded.ended

-- name: put_groups
INSERT INTO ledger_series AS s (name, last_seq, last_cost_seq, last_group, ended)
SELECT w.name, 0, 0, w.last_group, false
FROM unnest(%(replicas)s::text[], %(groups)s::bigint[]) AS w (name, last_group)
ON CONFLICT (name) DO UPDATE SET last_group = excluded.last_group

-- name: put_tile
INSERT INTO ledger_tile (level, number, packed) VALUES (%s, %s, %s)
ON CONFLICT (level, number) DO UPDATE SET packed = excluded.packed

-- name: put_checkpoint
INSERT INTO ledger_checkpoint (size, note) VALUES (%s, %s)

-- name: add_rollups
INSERT INTO ledger_rollup AS r SELECT * FROM json_populate_recordset(NULL::ledger_rollup, %s::json)
ON CONFLICT (hour, team, root_id, task_id, model, decision) DO UPDATE SET
    calls = r.calls + excluded.calls, settled = r.settled + excluded.settled,
    failed = r.failed + excluded.failed,
    input_tokens = r.input_tokens + excluded.input_tokens,
    output_tokens = r.output_tokens + excluded.output_tokens,
    cache_read_tokens = r.cache_read_tokens + excluded.cache_read_tokens,
    cache_write_tokens = r.cache_write_tokens + excluded.cache_write_tokens,
    reasoning_tokens = r.reasoning_tokens + excluded.reasoning_tokens,
    cost_nano_usd = r.cost_nano_usd + excluded.cost_nano_usd

-- name: add_rule_rollups
INSERT INTO ledger_rule_rollup AS r
SELECT * FROM json_populate_recordset(NULL::ledger_rule_rollup, %s::json)
ON CONFLICT (hour, rule, team, decision) DO UPDATE SET calls = r.calls + excluded.calls

-- name: open_costs
INSERT INTO ledger_cost_open (attempt_id, replica, record)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[])
ON CONFLICT (attempt_id) DO UPDATE SET replica = excluded.replica, record = excluded.record

-- name: close_costs
DELETE FROM ledger_cost_open WHERE attempt_id = ANY(%s)

-- name: add_costs
INSERT INTO ledger_cost_hour AS h
SELECT * FROM json_populate_recordset(NULL::ledger_cost_hour, %s::json)
ON CONFLICT (hour, team, model, reason) DO UPDATE SET
    calls = h.calls + excluded.calls, refused = h.refused + excluded.refused,
    tokens = h.tokens + excluded.tokens, cost_usd = h.cost_usd + excluded.cost_usd

-- name: add_pending
INSERT INTO ledger_cost_pending AS h
SELECT * FROM json_populate_recordset(NULL::ledger_cost_hour, %s::json)
ON CONFLICT (hour, team, model, reason) DO UPDATE SET
    calls = h.calls + excluded.calls, refused = h.refused + excluded.refused,
    tokens = h.tokens + excluded.tokens, cost_usd = h.cost_usd + excluded.cost_usd

-- name: lost
SELECT name FROM ledger_replica AS r
WHERE ended_at IS NULL AND seen_at < clock_timestamp() - make_interval(secs => lease_s)
FOR UPDATE SKIP LOCKED

-- name: is_drained
SELECT NOT EXISTS (SELECT 1 FROM ledger_intake WHERE replica = %s)

-- name: orphans
SELECT o.index_intent FROM ledger_open_call AS o JOIN ledger_series AS s ON s.name = o.replica
WHERE s.ended ORDER BY o.index_intent LIMIT %s

-- name: cost_orphans
SELECT o.record FROM ledger_cost_open AS o JOIN ledger_series AS s ON s.name = o.replica
WHERE s.ended ORDER BY o.attempt_id LIMIT %s

-- name: pending_hours
SELECT DISTINCT hour FROM ledger_cost_pending WHERE hour <= %s ORDER BY hour LIMIT 24

-- name: pending
SELECT team, model, reason, calls, refused, tokens, cost_usd FROM ledger_cost_pending
WHERE hour = %s ORDER BY team, model, reason

-- name: remove_pending
DELETE FROM ledger_cost_pending WHERE hour = %s

-- name: next_n
SELECT coalesce(max(n) + 1, 0) FROM ledger_other WHERE attempt_id = %s AND kind = %s

-- name: last_checkpoint
SELECT size, note FROM ledger_checkpoint ORDER BY size DESC LIMIT 1

-- name: cosignatures
SELECT size, line FROM ledger_cosignature WHERE size >= %s AND size <= %s ORDER BY size, id

-- name: cosign
INSERT INTO ledger_cosignature (size, line) VALUES (%s, %s) ON CONFLICT DO NOTHING

-- name: checkpoint_at
SELECT 1 FROM ledger_checkpoint WHERE size = %s

-- name: size_now
SELECT size FROM ledger_log

-- name: retired_now
SELECT retired FROM ledger_log

-- name: signed_now
SELECT coalesce(max(size), 0) FROM ledger_checkpoint

-- name: checkpoints
SELECT size, note FROM ledger_checkpoint WHERE size > %s ORDER BY size LIMIT %s

-- name: tile
SELECT packed FROM ledger_tile WHERE level = %s AND number = %s

-- name: runs
SELECT first_index, count, lines FROM ledger_leaf_run
WHERE first_index > %(first)s - 256 AND first_index < %(until)s AND first_index + count > %(first)s
ORDER BY first_index

-- name: open_below
SELECT count(*) FROM ledger_open_call WHERE index_intent < %s

-- name: last_received_below
SELECT coalesce(max(received_at_us), 0) FROM ledger_call WHERE index_intent < %s

-- name: first_pending
SELECT min(hour) FROM (
    SELECT hour FROM ledger_cost_pending
    UNION ALL
    SELECT (convert_from(record, 'UTF8')::json->>'hour')::bigint FROM ledger_cost_open
) AS waiting

-- name: undropped
SELECT (SELECT count(*) FROM ledger_log WHERE retired < %(size)s)
    + (SELECT count(*) FROM ledger_leaf_run WHERE first_index < %(size)s)
    + (SELECT count(*) FROM ledger_call WHERE index_intent < %(size)s)

-- name: runs_of
SELECT r.first_index, r.count, r.lines
FROM (
    SELECT DISTINCT (
        SELECT first_index FROM ledger_leaf_run
        WHERE first_index <= wanted ORDER BY first_index DESC LIMIT 1
    ) AS first_index
    FROM unnest(%s::bigint[]) AS w (wanted)
) AS f
JOIN ledger_leaf_run AS r USING (first_index)

-- name: places
SELECT index_intent, index_settle FROM ledger_call WHERE attempt_id = %s

-- name: calls_open
SELECT index_intent FROM ledger_call WHERE attempt_id = ANY(%s) AND index_settle IS NULL

-- name: clashes
SELECT reason, record FROM ledger_clash ORDER BY id

-- name: all_policies
SELECT digest, files FROM ledger_policy_text ORDER BY first_at_us, digest

-- name: policy_files
SELECT files FROM ledger_policy_text WHERE digest = %s

-- name: all_series
SELECT name, last_seq, last_cost_seq, ended FROM ledger_series
WHERE last_seq > 0 OR ended ORDER BY name

-- name: rollups
SELECT hour, team, root_id, task_id, model, decision, calls, settled, failed, input_tokens,
    output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nano_usd
FROM ledger_rollup

-- name: rule_rollups
SELECT hour, rule, team, decision, calls FROM ledger_rule_rollup

-- name: enough_to_sum
SET LOCAL work_mem = '64MB'

-- name: usage
SELECT
    CASE WHEN %(by_hour)s THEN hour ELSE 0 END,
    CASE WHEN %(by_day)s THEN hour - mod(hour, 86400) ELSE 0 END,
    CASE WHEN %(by_month)s
        THEN extract(epoch FROM date_trunc('month', to_timestamp(hour) AT TIME ZONE 'UTC'))::bigint
        ELSE 0 END,
    CASE WHEN %(by_team)s THEN team ELSE '' END,
    CASE WHEN %(by_root_id)s THEN root_id ELSE '' END,
    CASE WHEN %(by_task_id)s THEN task_id ELSE '' END,
    CASE WHEN %(by_model)s THEN model ELSE '' END,
    CASE WHEN %(by_decision)s THEN decision ELSE '' END,
    sum(calls)::bigint, sum(settled)::bigint, sum(failed)::bigint, sum(input_tokens)::bigint,
    sum(output_tokens)::bigint, sum(cache_read_tokens)::bigint, sum(cache_write_tokens)::bigint,
    sum(reasoning_tokens)::bigint, sum(cost_nano_usd)::bigint
FROM ledger_rollup
WHERE hour >= %(first)s AND hour <= %(last)s
    AND (%(team)s = '' OR team = %(team)s)
    AND (%(task)s = '' OR task_id = %(task)s OR root_id = %(task)s)
    AND (%(model)s = '' OR model = %(model)s)
    AND (%(decision)s = '' OR decision = %(decision)s)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8

-- name: rule_usage
SELECT rule, team, decision, sum(calls)::bigint FROM ledger_rule_rollup
WHERE hour >= %(first)s AND hour <= %(last)s
    AND (%(rule)s = '' OR rule = %(rule)s)
    AND (%(team)s = '' OR team = %(team)s)
    AND (%(decision)s = '' OR decision = %(decision)s)
GROUP BY rule, team, decision
ORDER BY rule, team, decision
LIMIT %(limit)s

-- name: calls_found
SELECT received_at_us, index_intent, index_settle FROM ledger_call
WHERE received_at_us >= %(since_us)s AND received_at_us < %(until_us)s
    AND index_intent >= %(retired)s

-- name: of_task
    AND task_id = %(task)s

-- name: of_root
    AND root_id = %(task)s AND root_id <> task_id

-- name: of_team
    AND team = %(team)s

-- name: of_model
    AND model_requested = %(model)s

-- name: of_served
    AND model_served = %(model)s AND model_served <> model_requested

-- name: of_decision
    AND decision = %(decision)s

-- name: of_refusals
    AND decision = %(decision)s AND decision <> 'forwarded'

-- name: of_rule
    AND rules @> ARRAY[%(rule)s::text]

-- name: of_people
    AND principal = ANY(%(people)s)

-- name: newest
ORDER BY received_at_us DESC, index_intent DESC
LIMIT %(limit)s

-- name: all_intake
SELECT records FROM ledger_intake ORDER BY id

-- name: all_costs_open
SELECT record FROM ledger_cost_open

-- name: cost_hours
SELECT hour, team, model, reason, calls, refused, tokens, cost_usd FROM ledger_cost_hour
WHERE hour >= %s AND hour <= %s

-- name: spent
SELECT principal, team, task_id, root_id, model_requested,
    count(*), sum(input_tokens + output_tokens)::bigint, sum(cost_nano_usd)::bigint
FROM ledger_call
WHERE received_at_us >= %s AND decision <> 'refused' AND index_settle IS NOT NULL
GROUP BY principal, team, task_id, root_id, model_requested

-- name: last_decisions
SELECT coalesce(max(id), 0) FROM ledger_decision

-- name: decisions
SELECT id, lines FROM ledger_decision WHERE id >= %s AND id <= %s AND last_at_us >= %s
ORDER BY id LIMIT %s

-- name: decisions_near
SELECT lines FROM ledger_decision WHERE last_at_us >= %s AND last_at_us < %s AND first_at_us < %s
ORDER BY id

-- name: decisions_backwards
SELECT id, lines FROM ledger_decision WHERE id < %s ORDER BY id DESC LIMIT 1
