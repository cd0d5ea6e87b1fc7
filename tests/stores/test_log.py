"""What every log does: its tree, its series, its sums, and what can be taken out of it again."""

from collections.abc import AsyncIterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from gateway import credit, ledger
from gateway.errors import ConfigError, InvalidRequest, LedgerCorrupt, NotFound
from gateway.ledger import checkpoints, decision_log, hours, merkle, notes, rollups, tiles
from gateway.ledger.hours import HourKey, HourSum
from gateway.ledger.promises import Promise
from gateway.ledger.sequencing import Series
from gateway.ledger.verification.leaves import Leaves
from gateway.stores.memory_log import MemoryLog
from gateway.stores.postgres import log_reading as postgres
from gateway.stores.sqlite import log_reading as sqlite
from tests.stores.ledgers import (
    BACKENDS,
    HOUR,
    KEY,
    NOW,
    NOW_US,
    Clock,
    Store,
    append,
    cost_intent,
    cost_settle,
    decision,
    in_order,
    intent,
    kept,
    opened,
    refusal,
    reveal,
    rows,
    settle,
    stamped,
)

LASTING = [name for name in BACKENDS if kept(name)]
OTHER_KEY = b"o" * 32
CLOSED = HOUR + 3_600 + 120
"""From here on the hour of the records is over."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=BACKENDS)
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[Store]:
    """A ledger. Whatever a test does with it, what auditors ask of each leaf is true of it."""
    async with opened(request.param, tmp_path, clock=clock, small_team=is_small) as made:
        yield made
        await made.flush()
        reading = made.reading
        assert_audited(reading.leaves(), lenient=bool(reading.retired()))
        assert reading.clashes() == []
        assert_credited(reading)


def is_small(team: str) -> bool:
    return team.startswith("small")


def assert_audited(lines: list[bytes], *, lenient: bool = False) -> None:
    leaves = Leaves()
    leaves.policies.lenient = True  # the policy of these records is a made-up one
    if lenient:
        leaves.be_lenient()
    for index, line in enumerate(lines):
        leaves.take(index, line)


def assert_credited(reading: MemoryLog | sqlite.LogReading | postgres.LogReading) -> None:
    """The fold the sequencer kept is the one of the leaves, to the byte."""
    folded = reading.credit()
    assert folded.size == reading.size()
    assert folded.checkpoint == reading.checkpoint()
    if not reading.retired():
        leaves = [ledger.leaf(line) for line in reading.leaves()]
        wanted = credit.recompute(lambda: leaves).roots
        assert packed(folded.roots) == packed(wanted)


def packed(roots: Mapping[str, credit.Root]) -> dict[str, bytes]:
    return {root_id: credit.pack(root) for root_id, root in roots.items()}


def verifier(store: Store) -> notes.Verifier:
    return notes.Verifier.parse(store.reading.log().vkey)


def signed(store: Store, note: str) -> checkpoints.Checkpoint:
    """Return what a note says, once its signature is checked."""
    found, signatures = checkpoints.read(note, store.reading.log().origin)
    assert signatures.signed_by(verifier(store))
    return found


def reader(store: Store) -> tiles.Reader:
    return tiles.Reader(store.reading.size(), store.reading.tile)


async def test_a_checkpoint_is_the_signed_root_of_all_leaves(store: Store) -> None:
    await append(store, *[intent(number) for number in range(300)], refusal(300))
    await store.flush()
    lines = store.reading.leaves()
    found = signed(store, store.reading.checkpoint())
    assert found.size == store.reading.size() == len(lines) > 300
    hashes = [merkle.leaf_hash(line) for line in lines]
    assert found.root == merkle.root(hashes) == reader(store).root()
    for level, number, width in tiles.hash_tiles(found.size):
        assert len(tiles.plain(store.reading.tile(level, number))) == 32 * width
    with pytest.raises(KeyError):
        store.reading.tile(0, 9)


async def test_each_checkpoint_goes_on_from_the_ones_before_it(store: Store) -> None:
    for number in range(3):
        await append(store, *[intent(number * 10 + at) for at in range(10)])
        await store.flush()
    found = store.reading.checkpoints()
    assert [size for size, _ in found] == sorted({size for size, _ in found})
    assert store.reading.checkpoint() == found[-1][1]
    tree = reader(store)
    for (_, old_note), (_, new_note) in pairwise(found):
        old, new = signed(store, old_note), signed(store, new_note)
        proof = tree.consistency(old.size, new.size)
        assert merkle.is_consistent(old.size, old.root, new.size, new.root, proof)
    sizes = [size for size, _ in found]
    assert [size for size, _ in store.reading.checkpoints(sizes[0], 1)] == [sizes[1]]
    await store.flush()
    assert store.reading.checkpoints() == found


async def test_a_thousand_leaves_are_signed_without_being_asked(store: Store) -> None:
    for start in range(0, 2_400, 400):
        await append(store, *[refusal(start + number) for number in range(400)])
    await store.flush()
    sizes = [0, *[size for size, _ in store.reading.checkpoints()]]
    assert all(new - old < 1_000 + 1_024 for old, new in pairwise(sizes))
    assert len(sizes) > 2


async def test_leaves_are_read_by_their_indexes(store: Store) -> None:
    await append(store, *[intent(number) for number in range(600)])
    await store.flush()
    lines = store.reading.leaves()
    assert store.reading.lines(0, len(lines)) == lines
    assert store.reading.lines(255, 3) == lines[255:258]
    assert store.reading.lines(5, 0) == []
    with pytest.raises(LedgerCorrupt, match="missing"):
        store.reading.lines(len(lines) - 1, 2)


async def test_a_call_is_promised_a_place_in_the_tree(store: Store) -> None:
    records = [stamped(store, each) for each in (intent(1), refusal(2), settle(1), reveal(3))]
    [cost] = [stamped(store, cost_intent(4))]
    waiting = [store.append(each) for each in (*records, cost)]
    promises = [await each for each in waiting]
    assert promises[2:] == ["", "", ""]
    for record, header in zip(records[:2], promises, strict=False):
        promise = Promise.parse(header)
        assert promise.verify(verifier(store), store.reading.log().origin)
        assert promise.promised.leaf == merkle.leaf_hash(ledger.encode(record))
        assert promise.promised.request_id == record.request_id  # type: ignore[union-attr]
        assert (promise.promised.replica, promise.promised.replica_seq) == (
            record.replica,
            record.replica_seq,
        )
        assert promise.by_s == int(NOW) + 86_400


async def test_a_record_that_is_refused_leaves_no_gap(store: Store) -> None:
    before = store.stamp()
    large = intent(1, replica=before[0], replica_seq=before[1], model_requested="m" * 70_000)
    with pytest.raises(InvalidRequest, match="up to 65535 bytes"):
        store.append(large)
    assert store.stamp() == before
    await store.append(intent(2, replica=before[0], replica_seq=before[1]))
    [record] = await append(store, intent(3))
    assert record.replica_seq == before[1] + 1
    await store.flush()
    assert store.reading.series()[before[0]].last_seq == record.replica_seq


async def test_a_call_is_found_by_its_request(store: Store) -> None:
    await append(store, intent(1), intent(2), refusal(3), settle(2))
    await store.flush()
    size = store.reading.size()
    places = store.reading.places
    assert places(intent(1).request_id) == (size - 4, None)
    assert places(intent(2).request_id) == (size - 3, size - 1)
    assert places(refusal(3).request_id) == (size - 2, None)
    assert places("req_none") is None
    [line] = store.reading.lines(size - 1, 1)
    assert b'"settle"' in line


async def test_leaves_and_costs_of_a_replica_are_two_dense_series(store: Store) -> None:
    await append(store, intent(1), cost_intent(2), cost_settle(2), settle(1), cost_intent(3))
    await store.flush()
    name = store.replica
    assert store.reading.series()[name] == Series(last_seq=3, last_cost_seq=3)
    leaves = [ledger.decode(line) for line in store.reading.leaves()]
    assert [leaf.replica_seq for leaf in leaves if leaf.replica == name] == [1, 2, 3]
    [start] = [leaf for leaf in leaves if leaf.replica == name and leaf.replica_seq == 1]
    assert isinstance(start, ledger.ReplicaStart)
    assert start.role == "gateway"


async def test_sums_are_the_fold_of_the_leaves(store: Store) -> None:
    day_us = 86_400_000_000
    records: list[ledger.Record] = []
    for number in range(60):
        received = {"received_at_us": NOW_US + number * day_us, "team": f"team-{number % 3}"}
        if number % 5 == 4:
            records.append(refusal(number, **received))
            continue
        records.append(intent(number, rules=("a", "b")[: number % 3], **received))
        if number % 4:
            records.append(settle(number, cost_usd="0.00000000055", reasoning_tokens=number))
    await append(store, *records[:40])
    await store.flush()
    await append(store, *records[40:])
    await store.flush()
    leaves = [ledger.decode(line) for line in store.reading.leaves()]
    folded = rollups.fold(leaves)  # type: ignore[arg-type]  # leaves alone are in order
    assert store.reading.rollups() == folded
    queries = [
        {},
        {"team": "team-1"},
        {"task": "PROJ-1", "since_us": NOW_US + 3 * day_us, "until_us": NOW_US + 40 * day_us},
        {"model": "gpt-5-mini", "limit": 4},
        {"decision": "refused"},
    ]
    for query in [ledger.Query(**each) for each in queries]:
        for by in ([], ["hour"], ["day", "team"], ["month"], ["team", "decision", "task_id"]):
            expected = rollups.usage(folded.sums, by, query)
            assert store.reading.usage(by, query) == expected
        assert store.reading.rule_usage(query) == rollups.rule_usage(folded.rules, query)
    [(of_rule, calls)] = store.reading.rule_usage(ledger.Query(rule="b", team="team-2"))
    assert (of_rule, calls) == (("b", "team-2", "forwarded"), 16)


async def test_the_sums_of_an_hour_become_a_leaf_once_it_is_over(
    store: Store, clock: Clock
) -> None:
    await append(store, cost_intent(1), cost_settle(1))
    await append(store, cost_intent(2, team="small-1"), cost_settle(2))
    await append(store, cost_intent(3, team="small-2", settled=True), cost_intent(4))
    clock.now = CLOSED - 1
    await store.flush()
    assert in_order(store, ledger.CostHour) == []
    clock.now += 61
    await store.flush()
    clock.now += 61
    await store.flush()
    [leaf] = in_order(store, ledger.CostHour)
    assert isinstance(leaf, ledger.CostHour)
    assert (leaf.attempt_id, leaf.n, leaf.replica[0]) == (f"hour_{HOUR}", 0, "s")
    assert leaf.rows == (
        ledger.CostRow("(small teams)", "fast", "unknown", 2, 1, 30, "0.1"),
        ledger.CostRow("payments", "fast", "unknown", 1, 0, 30, "0.1"),
    )
    teams = {at.team for at, _ in store.reading.cost_hours(ledger.Query())}
    assert teams == {"payments", "small-1", "small-2"}

    await append(store, cost_settle(4))
    clock.now += 61
    await store.flush()
    first, further = in_order(store, ledger.CostHour)
    assert isinstance(further, ledger.CostHour)
    assert (first, further.n, further.attempt_id) == (leaf, 1, leaf.attempt_id)
    assert further.rows == (ledger.CostRow("payments", "fast", "unknown", 1, 0, 30, "0.1"),)
    found = [each for each in (leaf, further) if isinstance(each, ledger.CostHour)]
    total = hours.summed((each.hour, row) for each in found for row in each.rows)
    [of_team] = [came_to for at, came_to in total.items() if at.team == "payments"]
    [(_, kept_sum)] = store.reading.cost_hours(ledger.Query(team="payments"))
    assert of_team == kept_sum


async def test_a_policy_in_force_is_a_leaf_and_its_text_is_kept(store: Store) -> None:
    digest, files = "sha256:0123456789abcdef", [("b.yaml", "version: 1"), ("a.yaml", "ä")]
    store.policy_in_force(digest, files)
    await append(store, intent(1))
    store.policy_in_force(digest, files)
    await store.flush()
    first, call, again = in_order(store)
    assert isinstance(first, ledger.PolicyInForce)
    assert (first.digest, first.files_sha256) == (digest, ledger.policy_sha256(files))
    assert isinstance(call, ledger.Intent)
    assert isinstance(again, ledger.PolicyInForce)
    assert again.attempt_id != first.attempt_id
    assert store.reading.policy_texts() == [(digest, files)]


async def test_an_erased_person_is_gone_and_every_proof_still_holds(store: Store) -> None:
    month_us = 40 * 86_400_000_000
    commitments = [store.commitment("alice", at_us) for at_us in (NOW_US - month_us, NOW_US)]
    bobs = store.commitment("bob", NOW_US)
    await append(store, *[intent(at, principal=who) for at, who in enumerate(commitments)])
    await append(store, intent(2, principal=bobs))
    await store.flush()
    lines = store.reading.leaves()

    assert await store.erase("alice", auditor="key-1", reason="asked to") == 2

    await store.flush()
    assert store.reading.leaves()[: len(lines)] == lines
    [leaf] = in_order(store, ledger.Erasure)
    assert isinstance(leaf, ledger.Erasure)
    assert (leaf.salts, leaf.auditor, leaf.reason) == (2, "key-1", "asked to")
    assert "alice" not in repr(leaf)
    assert not any(each in repr(leaf) for each in commitments)
    assert store.reading.persons() == {bobs: "bob"}
    assert store.reading.commitments("alice") == frozenset()
    assert [row["principal"] for row in rows(store)] == [bobs, *reversed(commitments)]
    again = store.commitment("alice", NOW_US)
    assert again not in commitments
    await append(store, intent(3, principal=again))
    assert store.reading.persons() == {bobs: "bob", again: "alice"}


async def test_the_decision_log_names_an_erased_person_no_more(store: Store) -> None:
    pseudonym, key = store.weekly("alice", NOW_US), store.weekly("key k1", NOW_US)
    facts = {"principal.id": pseudonym, "principal.key_id": key, "call.model": "fast"}
    alices = decision(1, principal=pseudonym, facts=facts)
    others = decision(2, principal=store.weekly("bob", NOW_US))
    for each in (alices, others):
        store.note(each)

    await store.erase("alice", auditor="key-1", reason="asked to")

    blank, same = store.reading.decision_log()
    assert isinstance(blank, ledger.DecisionRecord)
    assert {blank.principal, blank.facts["principal.id"]} == {"0" * 16}
    assert blank.facts == {**facts, "principal.id": "0" * 16, "principal.key_id": "0" * 16}
    assert same == others
    assert len(ledger.encode(blank)) == len(ledger.encode(alices))


async def test_a_person_nobody_knows_can_be_erased(store: Store) -> None:
    assert await store.erase("nobody", auditor="key-1", reason="asked to") == 0
    await store.flush()
    assert len(in_order(store, ledger.Erasure)) == 1


async def test_whoever_is_erased_before_their_salt_was_kept_is_gone_too(store: Store) -> None:
    commitment = store.commitment("alice", NOW_US)
    await store.erase("alice", auditor="key-1", reason="asked to")
    await append(store, intent(1, principal=commitment))
    await store.flush()
    assert store.reading.persons() == {}


async def test_a_closed_period_is_dropped_and_still_provable(store: Store, clock: Clock) -> None:
    calls = [intent(number) for number in range(400)]
    await append(store, *calls, *[settle(number) for number in range(400)])
    await append(store, cost_intent(900), cost_settle(900))
    clock.now = CLOSED + 100
    await store.flush()
    lines, sums = store.reading.leaves(), store.reading.rollups()
    cost = store.reading.cost_hours(ledger.Query())
    places = store.reading.places(intent(399).request_id)
    assert places is not None

    await store.retire(512)

    assert store.reading.retired() == 512
    assert store.reading.leaves()[: len(lines) - 512] == lines[512:]
    with pytest.raises(LedgerCorrupt):
        store.reading.lines(511, 2)
    assert store.reading.lines(512, 2) == lines[512:514]
    [leaf] = in_order(store, ledger.Retirement)
    assert isinstance(leaf, ledger.Retirement)
    hashes = [merkle.leaf_hash(line) for line in lines]
    assert (leaf.size, leaf.root) == (512, notes.to_base64(merkle.root(hashes[:512])))
    checkpoint = signed(store, store.reading.checkpoint())
    proof = reader(store).inclusion(7, checkpoint.size)
    assert merkle.is_included(hashes[7], 7, checkpoint.size, proof, checkpoint.root)
    assert store.reading.rollups() == sums
    assert store.reading.cost_hours(ledger.Query()) == cost
    assert rows(store) == []
    assert store.reading.places(intent(399).request_id) is None

    await append(store, intent(1_000), settle(1_000))
    assert [row["request_id"] for row in rows(store)] == [intent(1_000).request_id]


async def test_what_was_new_is_not_told_where_calls_before_were_retired(
    store: Store, clock: Clock
) -> None:
    """The archives alone could say."""
    await append(store, *[each for number in range(300) for each in _call(number)])
    await store.flush()
    clock.now += 60
    await append(store, *_call(300))
    await store.flush()
    await store.retire(512)
    other: dict[str, object] = {"root_id": "NEW-1", "task_id": "NEW-1"}
    await append(store, *_call(301), *_call(302, **other))
    await store.flush()
    told = {row["request_id"]: row["units_new"] for row in rows(store)}
    assert told[intent(301).request_id] is None
    assert told[intent(302).request_id] == 1


def _call(number: int, **changes: object) -> list[ledger.Leaf]:
    return [intent(number, units=(f"{number:016x}",), **changes), settle(number)]


async def test_what_is_open_or_unsigned_is_not_retired(store: Store, clock: Clock) -> None:
    await append(store, *[intent(number) for number in range(300)])
    await store.flush()
    for size, why in (
        (255, "multiple of 256"),
        (0, "multiple of 256"),
        (512, "no checkpoint covers 512"),
        (256, "under way"),
    ):
        with pytest.raises(ConfigError, match=why):
            await store.retire(size)
    await append(store, *[settle(number) for number in range(300)], cost_intent(900))
    with pytest.raises(ConfigError, match="unlinked cost of"):
        await store.retire(256)
    await append(store, cost_settle(900))
    with pytest.raises(ConfigError, match="unlinked cost of"):
        await store.retire(256)
    assert in_order(store, ledger.Retirement) == []
    clock.now = CLOSED + 100
    await store.retire(256)
    with pytest.raises(ConfigError, match="multiple of 256"):
        await store.retire(256)
    assert store.reading.retired() == 256


async def test_what_was_retired_can_arrive_again(store: Store) -> None:
    records = await append(store, *[refusal(number) for number in range(300)])
    [looked] = await append(store, reveal(301))
    await store.flush()
    await store.retire(256)
    size = store.reading.size()
    for record in (records[299], looked):
        await store.append(record)
    await store.flush()
    assert store.reading.size() == size


async def test_cosignatures_are_kept_with_their_checkpoint(store: Store) -> None:
    await append(store, intent(1))
    await store.flush()
    size, note = store.reading.checkpoints()[-1]
    text = notes.Note.parse(note).text
    witness = notes.Signer.from_seed("witness.example", b"w" * 32, notes.COSIGNATURE)
    lines = [witness.cosign(text, int(NOW) + at) for at in (0, 1)]
    for line in (*lines, lines[0].removesuffix("\n")):
        await store.cosign(size, line)
    assert store.reading.checkpoint() == store.reading.checkpoints()[-1][1]
    found = notes.Note.parse(store.reading.checkpoint())
    assert found.signed_by(verifier(store))
    assert len(found.signatures) == 3
    assert found.cosigned_at(witness.verifier) == int(NOW) + 1
    with pytest.raises((ConfigError, NotFound), match="no checkpoint of"):
        await store.cosign(size + 1, lines[0])
    await append(store, intent(2))
    await store.flush()
    assert len(notes.Note.parse(store.reading.checkpoint()).signatures) == 1


async def test_decisions_are_noted_as_ever(store: Store) -> None:
    store.note(decision(1))
    await store.flush()
    log: list[decision_log.Entry] = list(store.reading.decision_log())
    assert log == [decision(1)]


# What outlives the server that wrote it.


@pytest.fixture(params=LASTING)
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def test_a_series_goes_on_under_another_name_after_a_restart(
    backend: str, tmp_path: Path
) -> None:
    async with opened(backend, tmp_path) as first:
        await append(first, intent(1), settle(1), cost_intent(2), cost_settle(2))
        log = first.reading.log()
    async with opened(backend, tmp_path) as second:
        await second.flush()
        assert second.reading.log() == log
        assert second.replica != first.replica
        assert second.reading.series()[first.replica] == Series(4, 2, ended=True)
        starts = in_order(second, ledger.ReplicaStart)
        ends = in_order(second, ledger.ReplicaEnd)
        lines = second.reading.leaves()
    gateways = [each for each in starts if getattr(each, "role", "") == "gateway"]
    assert [each.replica for each in gateways] == [first.replica, second.replica]
    assert getattr(gateways[1], "previous", "") == first.replica
    sequencers = [each for each in starts if getattr(each, "role", "") == "sequencer"]
    epochs = [getattr(each, "epoch", 0) for each in sequencers]
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(epochs) > 1
    end = next(each for each in ends if each.attempt_id == first.replica)
    assert isinstance(end, ledger.ReplicaEnd)
    assert (end.reason, end.last_seq, end.last_cost_seq) == ("stopped", 4, 2)
    assert (end.replica, end.replica_seq) == (first.replica, 4)
    assert_audited(lines)


async def test_a_log_is_opened_with_its_own_key_alone(backend: str, tmp_path: Path) -> None:
    async with opened(backend, tmp_path) as first:
        await append(first, intent(1), settle(1))
    wrong: list[tuple[bytes, bytes | None]] = [(OTHER_KEY, None), (OTHER_KEY, b"x" * 32)]
    for key, previous_key in wrong:
        with pytest.raises(ConfigError, match=r"(?i)ledger_key.previous"):
            async with opened(backend, tmp_path, key=key, previous_key=previous_key):
                raise AssertionError("it is another's log")
    async with opened(backend, tmp_path, key=OTHER_KEY, previous_key=KEY) as second:
        await second.flush()
    async with opened(backend, tmp_path, key=OTHER_KEY, previous_key=KEY) as third:
        await third.flush()
        assert len(in_order(third, ledger.Rotation)) == 1
    with pytest.raises(ConfigError, match=r"(?i)ledger_key.previous"):
        async with opened(backend, tmp_path, key=KEY):
            raise AssertionError("the old key is the log's no more")


async def test_a_new_key_is_vouched_for_by_the_old_one(backend: str, tmp_path: Path) -> None:
    async with opened(backend, tmp_path) as first:
        await append(first, intent(1), settle(1))
        before = verifier(first)
    async with opened(backend, tmp_path, key=OTHER_KEY, previous_key=KEY) as second:
        await append(second, intent(2), settle(2))
        await second.flush()
        after = verifier(second)
        [leaf] = in_order(second, ledger.Rotation)
        assert isinstance(leaf, ledger.Rotation)
        assert (leaf.what, leaf.previous, leaf.current) == (
            "signing_key",
            before.vkey,
            after.vkey,
        )
        index = second.reading.leaves().index(ledger.encode(leaf))
        for size, note in second.reading.checkpoints():
            assert notes.Note.parse(note).signed_by(before if size <= index else after)
        first_after = next(note for size, note in second.reading.checkpoints() if size > index)
        assert notes.Note.parse(first_after).signed_by(before)


async def test_a_changed_secret_is_a_leaf(backend: str, tmp_path: Path) -> None:
    async with opened(backend, tmp_path) as first:
        first.pepper_in_use(b"p" * 32)
        await first.flush()
        assert in_order(first, ledger.Rotation) == []
    async with opened(backend, tmp_path, secret=b"t" * 32) as second:
        second.pepper_in_use(b"p" * 32)
        second.pepper_in_use(b"q" * 32)
        await second.flush()
        secret, pepper = in_order(second, ledger.Rotation)
        assert isinstance(secret, ledger.Rotation)
        assert isinstance(pepper, ledger.Rotation)
        assert (secret.what, pepper.what) == ("secret", "pepper")
        for leaf in (secret, pepper):
            assert {len(leaf.previous), len(leaf.current)} == {16}
            assert leaf.previous != leaf.current
        assert_audited(second.reading.leaves())


async def test_a_key_that_is_none_is_refused(backend: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not 32"):
        async with opened(backend, tmp_path, key=b"k" * 31):
            raise AssertionError("no such key")


async def test_hours_that_nobody_closed_are_closed_by_the_next_server(
    backend: str, tmp_path: Path
) -> None:
    async with opened(backend, tmp_path) as first:
        await append(first, cost_intent(1), cost_settle(1))
    async with opened(backend, tmp_path, clock=Clock(CLOSED + 1)) as second:
        await second.flush()
        [leaf] = in_order(second, ledger.CostHour)
        assert isinstance(leaf, ledger.CostHour)
        key = HourKey(HOUR, "payments", "fast", "unknown")
        total = hours.summed((leaf.hour, row) for row in leaf.rows)
        assert total[key] == HourSum(1, 0, 30, total[key].cost_usd)
