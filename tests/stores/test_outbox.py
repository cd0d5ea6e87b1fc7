"""One suite for the outbox in memory, in SQLite and in PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.errors import RegistryUnavailable
from gateway.stores import memory_outbox
from gateway.stores.postgres import outbox as postgres
from gateway.stores.sqlite import outbox as sqlite
from gateway.values import Telling
from tests.stores.registries import database

NOW = 1_800_000_000.0
AnyOutbox: TypeAlias = memory_outbox.Outbox | sqlite.Outbox | postgres.Outbox

BACKENDS: dict[str, Callable[[Path], AnyOutbox]] = {
    "memory": lambda _: memory_outbox.Outbox(),
    "postgres": lambda folder: postgres.Outbox.open(database(folder)),
    "sqlite": sqlite.Outbox.open,
}
DURABLE = ("postgres", "sqlite")


@pytest.fixture(params=sorted(BACKENDS))
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyOutbox]:
    opened = BACKENDS[request.param](tmp_path)
    yield opened
    opened.close()


@pytest.fixture(params=DURABLE)
def backend(request: pytest.FixtureRequest) -> Callable[[Path], AnyOutbox]:
    return BACKENDS[request.param]


def outcome(name: str, event: str = "merged", **changes: object) -> Telling:
    fields: dict[str, object] = {
        "id": f"out_{name}",
        "event": event,
        "tracker": "forge",
        "subject": "ACME.WEB!3",
        "task_id": "PAY-12",
        "root_id": "PAY-1",
        "at_us": 1_800_000_000_000_000,
        "body": b"names \x00 and all",
    }
    return Telling(**{**fields, **changes})  # type: ignore[arg-type]  # a test's own


def valuation(n: int, root_id: str = "PAY-1", mark: str = "m") -> Telling:
    return Telling(
        id=f"val_{root_id}:{n}",
        event="valuation",
        tracker="",
        root_id=root_id,
        mark=mark,
        at_us=1_800_000_000_000_000,
        body=b"{}",
    )


def test_what_is_added_is_told_in_its_order_and_once(outbox: AnyOutbox) -> None:
    first = [valuation(0), outcome("b"), outcome("a")]
    assert outbox.add(first, now=NOW)
    assert outbox.add([outcome("a"), outcome("c")], now=NOW)
    assert outbox.lease(NOW) == [*first, outcome("c")]
    outbox.told([each.id for each in first], NOW)
    assert outbox.lease(NOW) == [outcome("c")]
    outbox.told(["out_c"], NOW)
    outbox.add([outcome("c")], now=NOW)
    assert outbox.lease(NOW) == []


def test_no_more_than_a_hundred_are_told_at_once(outbox: AnyOutbox) -> None:
    outbox.add([outcome(f"{number:03}") for number in range(120)], now=NOW)
    found = outbox.lease(NOW)
    assert [each.id for each in found] == [f"out_{number:03}" for number in range(100)]
    outbox.told([each.id for each in found], NOW)
    assert len(outbox.lease(NOW)) == 20


def test_a_delivery_that_was_seen_adds_nothing(outbox: AnyOutbox) -> None:
    assert not outbox.is_replay("forge", "d1")
    assert outbox.add([outcome("a")], tracker="forge", delivery_id="d1", now=NOW)
    assert outbox.is_replay("forge", "d1")
    assert not outbox.is_replay("other", "d1")
    assert not outbox.add([outcome("b")], tracker="forge", delivery_id="d1", now=NOW)
    assert outbox.add([outcome("c")], tracker="other", delivery_id="d1", now=NOW)
    assert outbox.add((), now=NOW)
    assert outbox.add((), now=NOW)
    assert [each.id for each in outbox.lease(NOW)] == ["out_a", "out_c"]


def test_deliveries_are_forgotten_with_time(outbox: AnyOutbox) -> None:
    outbox.add((), tracker="forge", delivery_id="old", now=NOW)
    outbox.add((), tracker="forge", delivery_id="new", now=NOW + 10)
    assert outbox.forget(NOW + 5) == 1
    assert not outbox.is_replay("forge", "old")
    assert outbox.is_replay("forge", "new")


def test_what_a_subject_was_taken_for_is_remembered_after_it_was_told(outbox: AnyOutbox) -> None:
    added = [
        outcome("a", task_id="PAY-9"),
        outcome("b", "closed", task_id="PAY-12"),
        outcome("c", "reverted", task_id="PAY-13"),
        outcome("d", task_id=""),
        outcome("e", subject="ACME.WEB!4", task_id="PAY-14"),
        outcome("f", "accepted", subject="", task_id="PAY-15"),
    ]
    outbox.add(added, now=NOW)
    outbox.told([each.id for each in added], NOW)
    assert outbox.accepted_for("ACME.WEB!3") == ["PAY-12", "PAY-9"]
    assert outbox.accepted_for("ACME.WEB!5") == []
    assert outbox.accepted_for("") == []


def test_the_last_valuation_of_a_root_is_known(outbox: AnyOutbox) -> None:
    assert outbox.last_valuation("PAY-1") == (-1, "")
    outbox.add([valuation(n, mark=f"m{n}") for n in range(11)], now=NOW)
    outbox.add([valuation(0, "PAY-2", "other")], now=NOW)
    assert outbox.last_valuation("PAY-1") == (10, "m10")
    assert outbox.last_valuation("PAY-2") == (0, "other")
    assert outbox.valued_roots() == ["PAY-1", "PAY-2"]


def test_a_tracker_is_heard_of_last_when_it_was(outbox: AnyOutbox) -> None:
    assert outbox.heard_at() == {}
    outbox.heard("forge", NOW)
    outbox.heard("forge", NOW - 5)
    outbox.heard("jira", NOW + 1)
    assert outbox.heard_at() == {"forge": NOW, "jira": NOW + 1}


def test_how_far_was_read_is_remembered(outbox: AnyOutbox) -> None:
    assert outbox.place("forge", "issues") == ""
    outbox.set_place("forge", "issues", "one")
    outbox.set_place("forge", "issues", "two")
    outbox.set_place("jira", "issues", "three")
    assert outbox.place("forge", "issues") == "two"


def test_two_senders_never_have_the_turn_at_once(tmp_path: Path) -> None:
    one, other = (postgres.Outbox.open(database(tmp_path)) for _ in range(2))
    one.add([outcome("a")], now=NOW)
    assert len(one.lease(NOW)) == 1
    assert other.lease(NOW + 29) == []
    assert len(one.lease(NOW + 29)) == 1
    assert other.lease(NOW + 31) == []
    assert [each.id for each in other.lease(NOW + 60)] == ["out_a"]
    assert one.lease(NOW + 61) == []
    other.close()
    assert len(one.lease(NOW + 61)) == 1
    one.close()


def test_it_is_all_there_for_the_next_process(
    backend: Callable[[Path], AnyOutbox], tmp_path: Path
) -> None:
    one = backend(tmp_path)
    one.add([outcome("a"), outcome("b")], tracker="forge", delivery_id="d", now=NOW)
    one.told(["out_a"], NOW)
    one.close()
    other = backend(tmp_path)
    assert other.is_replay("forge", "d")
    assert other.lease(NOW) == [outcome("b")]
    other.close()


def test_what_breaks_half_way_leaves_nothing(
    backend: Callable[[Path], AnyOutbox], tmp_path: Path
) -> None:
    made = backend(tmp_path)
    with pytest.raises(RegistryUnavailable):
        made.add(
            [outcome("a"), outcome("b", at_us="never")],
            tracker="forge",
            delivery_id="d",
            now=NOW,
        )
    assert not made.is_replay("forge", "d")
    assert made.lease(NOW) == []
    made.close()


def test_names_are_gone_once_they_were_told(tmp_path: Path) -> None:
    made = sqlite.Outbox.open(tmp_path)
    made.add([outcome("a", body=b"alice@example.com")], now=NOW)
    made.told(["out_a"], NOW)
    assert made._file.ask("to_tell", (10,)) == []
    found = list(made._file._connection.execute("SELECT body FROM telling"))
    assert found == [(None,)]
    made.close()


def test_one_that_is_closed_says_so(backend: Callable[[Path], AnyOutbox], tmp_path: Path) -> None:
    made = backend(tmp_path)
    made.close()
    with pytest.raises(RegistryUnavailable):
        made.heard_at()
