"""What every ledger does: the memory store is the reference, the others are held to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import ledger
from gateway.errors import ConfigError
from gateway.ledger import decision_log
from gateway.ledger.hours import HourKey
from gateway.ledger.projection import COLUMNS
from tests.stores.ledgers import (
    BACKENDS,
    HOUR,
    NOW_US,
    Store,
    append,
    cost_intent,
    cost_settle,
    decision,
    in_order,
    intent,
    opened,
    refusal,
    reveal,
    rows,
    settle,
    settled,
    stamped,
)


@pytest.fixture(params=BACKENDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as made:
        yield made


async def test_a_settled_call_is_one_row_with_the_names_auditors_know(store: Store) -> None:
    await append(store, intent(1), settle(1))
    [row] = rows(store)
    assert list(row) == list(COLUMNS)
    assert row["received_at"] == "2026-11-18T11:06:40.000001Z"
    assert (row["input_tokens"], row["output_tokens"]) == (10, 20)
    assert row["cost_usd"] == "0.0000000015"
    assert (row["completion"], row["usage_basis"]) == ("complete", "reported")
    assert row["rules"] == ["require-task"]


async def test_an_open_call_has_no_figures(store: Store) -> None:
    await append(store, intent(1))
    [row] = rows(store)
    assert {row[name] for name in ("input_tokens", "cost_usd", "completion")} == {None}


async def test_the_index_is_the_settles_once_there_is_one(store: Store) -> None:
    await append(store, intent(1), intent(2))
    await store.flush()
    size = store.reading.size()
    assert [row["index"] for row in rows(store)] == [size - 1, size - 2]
    await append(store, settle(1))
    await store.flush()
    assert [row["index"] for row in rows(store)] == [size - 1, size]


def units(*numbers: int) -> tuple[str, ...]:
    return tuple(f"{number:016x}" for number in numbers)


async def test_how_much_new_a_call_asked_is_told_by_its_root_and_in_its_order(
    store: Store,
) -> None:
    """Whatever of the root's calls the query leaves out, and whether they are in order yet."""
    large = units(*range(100, 164))
    await append(
        store,
        intent(1, units=units(1, 2, 3)),
        settle(1),
        intent(2, units=units(2, 3, 4)),
        intent(3, units=units(1, 2), root_id="OPS-1", task_id="OPS-1", team="ops"),
        refusal(4),
    )
    await store.flush()
    await append(store, intent(5, units=units(1, 4)), intent(6, units=large))
    told = {row["request_id"]: row["units_new"] for row in rows(store)}
    assert [told[intent(number).request_id] for number in (1, 2, 3, 5, 6)] == [3, 1, 2, 0, 60]
    assert told[refusal(4).request_id] == 0
    [last] = rows(store, limit=1)
    assert (last["request_id"], last["units_new"]) == (intent(6).request_id, 60)
    assert [row["units_new"] for row in rows(store, team="ops")] == [2]


async def test_a_refused_call_is_one_leaf_at_no_cost(store: Store) -> None:
    await append(store, refusal(1))
    [row] = rows(store, decision="refused")
    assert (row["decision"], row["cost_usd"], row["input_tokens"]) == ("refused", "0", 0)
    assert row["model_served"] is None
    assert rows(store, decision="forwarded") == []


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [4, 3, 2, 1]),
        ({"limit": 2}, [4, 3]),
        ({"task": "PROJ-2"}, [4, 2, 1]),
        ({"task": "PROJ-1"}, [4, 3, 2, 1]),
        ({"team": "search"}, [2]),
        ({"model": "gpt-5-mini"}, [3, 2, 1]),
        ({"model": "fast"}, [4, 3, 2, 1]),
        ({"decision": "refused"}, [4]),
        ({"decision": "forwarded"}, [3, 2, 1]),
        ({"rule": "require-task"}, [3, 2, 1]),
        ({"rule": "team-budget", "team": "payments"}, [4]),
        ({"rule": "require-task", "limit": 1}, [3]),
        ({"task": "PROJ-1", "limit": 2, "rule": "require-task"}, [3, 2]),
        ({"model": "fast", "decision": "forwarded", "limit": 2}, [3, 2]),
        ({"since_us": NOW_US + 2, "until_us": NOW_US + 4}, [3, 2]),
        ({"task": "NONE-1"}, []),
    ],
)
async def test_queries_choose_calls_newest_first(
    store: Store, query: dict[str, object], numbers: list[int]
) -> None:
    calls = [intent(1), intent(2, team="search"), intent(3, task_id="PROJ-1"), refusal(4)]
    await append(store, *calls, settle(1), settle(2))
    assert [row["request_id"] for row in rows(store, **query)] == [
        f"req_{number:032x}" for number in numbers
    ]


async def test_the_same_bytes_twice_are_one_record(store: Store) -> None:
    first = await append(store, intent(1), settle(1))
    await store.flush()
    second = [stamped(store, each) for each in (intent(2), settle(2))]
    for record in (*reversed(first), *second, second[1], second[0]):
        await store.append(record)
    await store.flush()
    assert len(rows(store)) == 2
    assert in_order(store) == [*first, *second]
    assert store.reading.clashes() == []


async def test_other_bytes_for_one_attempt_and_kind_are_set_aside(store: Store) -> None:
    await append(store, intent(1), settle(1))
    await store.flush()
    other, lonely = await append(store, settle(1, output_tokens=0, cost_usd="0"), settle(7))
    await store.flush()
    assert store.reading.clashes() == [
        ("other bytes", ledger.encode(other)),
        ("settles no intent", ledger.encode(lonely)),
    ]
    assert [row["output_tokens"] for row in rows(store)] == [20]


async def test_a_number_that_was_used_before_is_set_aside(store: Store) -> None:
    first, _ = await append(store, intent(1), intent(2))
    again = intent(3, replica=first.replica, replica_seq=first.replica_seq)
    await store.append(again)
    await store.flush()
    assert store.reading.clashes() == [("a number its series used before", ledger.encode(again))]
    assert len(rows(store)) == 2


async def test_leaves_keep_the_order_and_the_bytes_they_were_appended_with(store: Store) -> None:
    records = await append(store, intent(1), intent(2), settle(2), reveal(9), settle(1), refusal(3))
    await store.flush()
    lines = store.reading.leaves()
    assert [line for line in lines if b"replica_start" not in line] == [
        ledger.encode(record) for record in records
    ]


async def test_unlinked_cost_is_summed_by_hour_and_leaves_no_row(store: Store) -> None:
    await append(store, cost_intent(1), cost_intent(2), cost_intent(3))
    [again] = await append(store, cost_settle(1))
    await append(store, cost_settle(2, cost_usd="0.2"))
    await store.append(again)
    await append(store, cost_intent(4, settled=True, reason="task_required"))
    [(one, a), (other, b)] = store.reading.cost_hours(ledger.Query())
    assert (one.reason, a.calls, a.refused) == ("task_required", 1, 1)
    assert other == HourKey(HOUR, "payments", "fast", "unknown")
    assert (b.calls, b.tokens, str(b.cost_usd)) == (2, 60, "0.3")
    assert rows(store) == []
    assert in_order(store) == []


async def test_a_cost_intent_settled_much_later_is_counted_once(store: Store) -> None:
    await append(store, cost_intent(1))
    await store.flush()
    assert store.reading.cost_hours(ledger.Query()) == []
    await append(store, cost_settle(1))
    await store.flush()
    await append(store, cost_settle(1))
    [(_, came_to)] = store.reading.cost_hours(ledger.Query())
    assert (came_to.calls, came_to.tokens) == (1, 30)


async def test_unlinked_cost_is_chosen_by_team_model_and_time(store: Store) -> None:
    await append(store, cost_intent(1), cost_settle(1))
    await append(store, cost_intent(2, hour=HOUR - 3_600, team="search"), cost_settle(2))
    hours = store.reading.cost_hours
    assert [key.team for key, _ in hours(ledger.Query())] == ["payments", "search"]
    assert [key.team for key, _ in hours(ledger.Query(team="search"))] == ["search"]
    assert hours(ledger.Query(model="other")) == []
    since = HOUR * 1_000_000 + 5
    assert [key.team for key, _ in hours(ledger.Query(since_us=since))] == ["payments"]
    assert [key.team for key, _ in hours(ledger.Query(until_us=since - 5))] == ["search"]


async def test_the_decision_log_is_read_back_in_the_order_it_was_written(store: Store) -> None:
    log: list[decision_log.Entry] = [decision(2), decision(0), settled(0), decision(1), settled(2)]
    log.append(ledger.StartedRecord(at_us=NOW_US + 1, replica="r1", shared=True))
    for record in log:
        store.note(record)
    await store.flush()
    assert list(store.reading.decision_log()) == log
    assert list(store.reading.decision_log(NOW_US + 1, NOW_US + 2)) == [
        record for record in log if record not in (decision(0), decision(2))
    ]
    assert store.reading.last_policy() == decision(1).policy


async def test_an_empty_decision_log_has_nothing_to_tell(store: Store) -> None:
    assert list(store.reading.decision_log()) == []
    assert store.reading.last_policy() == ""
    store.note(settled(1))
    await store.flush()
    assert store.reading.last_policy() == ""


async def test_what_shadow_rules_were_against_can_be_read_alone(store: Store) -> None:
    against = decision(1, would_have=("quiet",))
    for record in (decision(0), against, settled(1), decision(2)):
        store.note(record)
    await store.flush()
    assert list(store.reading.decision_log(shadowed=True)) == [against, settled(1)]


async def test_the_decision_log_is_read_page_by_page(store: Store) -> None:
    log = [record for number in range(5) for record in (decision(number), settled(number))]
    for record in log:
        store.note(record)
        if record.at_us % 3 == 0:
            await store.flush()
    await store.flush()
    for limit in (1, 3, 4, 10, 11):
        found: list[bytes] = []
        after, pages = "", 0
        while after or not pages:
            page = store.reading.decision_page(after=after, limit=limit)
            assert len(page.lines) <= limit
            found += page.lines
            after, pages = page.after, pages + 1
        assert found == [ledger.encode(record) for record in log]
        assert pages <= 10 // limit + 1
    window = store.reading.decision_page(since_us=NOW_US + 4)
    assert window.lines[0] == ledger.encode(settled(0))


async def test_a_decision_is_found_by_its_request_id(store: Store) -> None:
    made = NOW_US // 1000 + 5
    asked, other = (f"req_{made:012x}7{number:03x}a{0:015x}" for number in (1, 2))
    for number in range(3):
        store.note(decision(number, request_id=f"req_{made:012x}7{number:03x}b{0:015x}"))
    store.note(settled(1, request_id=asked))
    store.note(decision(7, request_id=asked, alike=other))
    await store.flush()
    assert store.reading.decision(asked) == decision(7, request_id=asked, alike=other)
    assert store.reading.decision(other) is None
    assert store.reading.decision("req_1") is None


async def test_the_texts_behind_a_digest_are_kept(store: Store) -> None:
    files = [("policies/a.yaml", "version: 1\n"), ("policies/teams/b.yaml", "ä" * 5_000)]
    store.keep_policies("sha256:a", files, NOW_US)
    store.keep_policies("sha256:a", [("other", "text")], NOW_US + 1)
    await store.flush()
    assert store.reading.policy_files("sha256:a") == files
    assert store.reading.policy_files("sha256:b") is None


async def test_budgets_are_counted_by_person_across_commitments(store: Store) -> None:
    earlier = NOW_US - 40 * 86_400 * 1_000_000
    first, second = store.commitment("alice", earlier), store.commitment("alice", NOW_US)
    assert first != second
    await append(store, intent(1, principal=first), intent(2, principal=second))
    await append(store, settle(1), settle(2), intent(3, principal=second), refusal(4))
    await append(store, cost_intent(5), cost_settle(5))

    def spent(*columns: str, unit: str, since_us: int = 0) -> object:
        return store.spent(since_us=since_us, columns=columns, unit=unit)  # type: ignore[arg-type]

    assert spent("principal.id", unit="tokens") == [(("alice",), 60)]
    assert spent("principal", "task.root", unit="calls") == [(("alice", "PROJ-1"), 2)]
    assert spent("task.id", unit="cost_usd") == [(("PROJ-2",), 4)]
    assert spent("team", unit="tokens") == [(("payments",), 90)]
    assert spent("team", "call.model", unit="calls") == [(("payments", "fast"), 3)]
    assert spent(unit="cost_usd") == [((), 100_000_004)]
    assert spent("task.id", unit="calls", since_us=NOW_US + 2) == [(("PROJ-2",), 1)]


async def test_a_budget_by_what_the_ledger_does_not_hold_is_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"cannot be kept by task\.value"):
        store.spent(since_us=0, columns=["task.value"], unit="calls")


async def test_a_call_settled_in_the_intake_after_its_intent_was_sequenced(store: Store) -> None:
    await append(store, intent(1))
    await store.flush()
    await append(store, settle(1))
    assert [row["completion"] for row in rows(store)] == ["complete"]
    assert store.spent(since_us=0, columns=["team"], unit="tokens") == [(("payments",), 30)]


async def test_a_commitment_is_the_same_all_month_and_names_its_person(store: Store) -> None:
    commitment = store.commitment("alice", NOW_US)
    assert store.commitment("alice", NOW_US + 1) == commitment
    assert store.commitment("bob", NOW_US) != commitment
    await append(store, intent(1, principal=commitment))
    assert store.reading.persons()[commitment] == "alice"
    assert store.reading.commitments("alice") == {commitment}
    assert rows(store)[0]["principal"] == commitment


async def test_a_caller_who_is_gone_takes_nothing_back(store: Store) -> None:
    waiting = store.append(stamped(store, intent(1)))
    waiting.cancel()
    await append(store, intent(2))
    assert len(rows(store)) == 2
