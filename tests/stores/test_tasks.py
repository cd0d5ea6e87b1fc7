"""What every store of tasks does: the catalogue, active tasks and session pins."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import ports
from gateway.stores import memory_registry
from gateway.stores.memory_registry import ImportCounts, MemoryTasks
from gateway.values import Account, Principal, Task, TaskChange
from tests.stores.registries import BACKENDS, HOUR, NOW, AnyRegistry, filed


@pytest.fixture(params=sorted(BACKENDS))
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyRegistry]:
    """Return an empty registry of each kind."""
    opened = BACKENDS[request.param](tmp_path)
    yield opened
    opened.close()


MINE = Task(id="PROJ-1", spelling="proj-1", root_id="PROJ-1", members=frozenset({"alice"}))
FULL = Task(
    id="PROJ-2",
    spelling="Proj\u20112",
    title="Login times out",
    status="closed",
    opened_at=NOW - 9 * HOUR,
    closed_at=NOW - HOUR / 7,
    root_id="PROJ-1",
    members=frozenset({"alice", "b\u00f6b"}),
    team="payments",
    value=Decimal("0.10"),
    creator="pm",
    url="https://tracker.example/2",
)
TEAMS = Task(id="PROJ-3", spelling="PROJ-3", root_id="PROJ-3", team="payments")
OTHERS = Task(id="PROJ-4", spelling="PROJ-4", root_id="PROJ-4", team="billing")


async def test_a_task_is_found_as_it_was_imported(registry: AnyRegistry) -> None:
    """Every field of it, by its canonical id, and through the port."""
    tasks: ports.Tasks = registry.tasks

    registry.import_tasks([MINE, FULL], now=NOW)

    assert await tasks.find("PROJ-1") == MINE
    assert await tasks.find("PROJ-2") == FULL
    assert await tasks.find("proj-1") is None


def test_an_import_counts_what_it_did(registry: AnyRegistry) -> None:
    """What it does not name stays as it is."""
    first = registry.import_tasks([MINE, FULL], now=NOW)
    changed = msgspec.structs.replace(MINE, title="Changed")
    second = registry.import_tasks([changed, FULL, TEAMS], now=NOW)
    third = registry.import_tasks([], now=NOW)

    assert first == ImportCounts(new=2)
    assert second == ImportCounts(new=1, changed=1, unchanged=1)
    assert third == ImportCounts()
    assert registry.list_tasks() == [changed, FULL, TEAMS]


async def test_a_task_that_turns_closed_was_closed_now(registry: AnyRegistry) -> None:
    """Unless its tracker says when; a later import of the same does not move that."""
    closed = msgspec.structs.replace(MINE, status="closed")
    registry.import_tasks([MINE, OTHERS], now=NOW)

    told = msgspec.structs.replace(OTHERS, status="closed", closed_at=NOW - 5)
    registry.import_tasks([closed, told], now=NOW + 1)
    again = registry.import_tasks([closed], now=NOW + 2)

    assert again == ImportCounts(unchanged=1)
    assert await registry.tasks.find("PROJ-1") == msgspec.structs.replace(closed, closed_at=NOW + 1)
    assert await registry.tasks.find("PROJ-4") == told


async def test_a_task_first_seen_closed_was_closed_nobody_knows_when(
    registry: AnyRegistry,
) -> None:
    """So an import of an old tracker does not open a day of grace for all of it."""
    registry.import_tasks([msgspec.structs.replace(MINE, status="closed")], now=NOW)

    found = await registry.tasks.find("PROJ-1")

    assert found is not None
    assert found.closed_at is None


async def test_a_reopened_task_is_open(registry: AnyRegistry) -> None:
    """With nothing left of its closing."""
    registry.import_tasks([msgspec.structs.replace(MINE, status="closed", closed_at=1.0)], now=NOW)
    registry.import_tasks([MINE], now=NOW)

    assert await registry.tasks.find("PROJ-1") == MINE


def test_tasks_are_listed_by_id_for_their_members_and_by_status(registry: AnyRegistry) -> None:
    """With nobody named, all of them."""
    registry.import_tasks([OTHERS, TEAMS, MINE, FULL], now=NOW)
    alice = Principal(id="alice", team="payments", key_id="k")
    eve = Principal(id="eve", team="", key_id="k")

    assert registry.list_tasks() == [MINE, FULL, TEAMS, OTHERS]
    assert registry.list_tasks(principal=alice) == [MINE, FULL, TEAMS]
    assert registry.list_tasks(principal=alice, status="open") == [MINE, TEAMS]
    assert registry.list_tasks(status="closed") == [FULL]
    assert registry.list_tasks(principal=eve) == []


def test_the_digest_is_that_of_the_tasks_and_of_nothing_else(registry: AnyRegistry) -> None:
    """It changes with a task, and comes back with it; other stores say the same."""
    reference = MemoryTasks()
    empty = registry.tasks.digest
    registry.import_tasks([MINE], now=NOW)
    one = registry.tasks.digest
    registry.import_tasks([msgspec.structs.replace(MINE, title="x")], now=NOW)
    other = registry.tasks.digest
    registry.import_tasks([MINE], now=NOW)
    filed(registry)
    reference.put([MINE])

    assert len({empty, one, other}) == 3
    assert registry.tasks.digest == one == reference.digest
    assert empty == MemoryTasks().digest


async def test_an_active_task_is_the_keys(registry: AnyRegistry) -> None:
    """As its owner spelt it, until it is another one or none."""
    alice, bob = filed(registry).principal, filed(registry, "bob").principal
    tasks = registry.tasks

    registry.set_active(alice.key_id, "proj-1", NOW)
    assert await tasks.recall(alice, "", NOW) == ("", "proj-1")
    assert await tasks.recall(bob, "", NOW) == ("", "")

    registry.set_active(alice.key_id, "proj-2", NOW)
    assert await tasks.recall(alice, "", NOW) == ("", "proj-2")

    registry.clear_active(alice.key_id, NOW)
    registry.clear_active(alice.key_id, NOW)
    assert await tasks.recall(alice, "", NOW) == ("", "")


async def test_a_session_is_pinned_for_a_day_from_the_last_time_it_named_a_task(
    registry: AnyRegistry,
) -> None:
    """The last name counts."""
    alice = filed(registry).principal
    tasks: ports.Tasks = registry.tasks

    await tasks.pin(alice, "session-1", "PROJ-1", NOW)
    await tasks.pin(alice, "session-1", "PROJ-2", NOW + HOUR)

    assert await tasks.recall(alice, "session-1", NOW + 25 * HOUR - 1) == ("PROJ-2", "")
    assert await tasks.recall(alice, "session-1", NOW + 25 * HOUR) == ("", "")
    assert await tasks.recall(alice, "session-2", NOW + HOUR) == ("", "")


async def test_a_call_without_a_session_pins_nothing(registry: AnyRegistry) -> None:
    """Nor is anything recalled for it."""
    alice = filed(registry).principal

    await registry.tasks.pin(alice, "", "PROJ-1", NOW)

    assert await registry.tasks.recall(alice, "", NOW) == ("", "")


async def test_a_pin_is_the_principals_whichever_key_they_use(registry: AnyRegistry) -> None:
    """And nobody else's, though they send the same session."""
    alice, second, bob = (
        filed(registry).principal,
        filed(registry).principal,
        filed(registry, "bob").principal,
    )
    namesake = msgspec.structs.replace(alice, tenant="acme")

    await registry.tasks.pin(alice, "session-1", "PROJ-1", NOW)

    assert await registry.tasks.recall(second, "session-1", NOW) == ("PROJ-1", "")
    assert await registry.tasks.recall(bob, "session-1", NOW) == ("", "")
    assert await registry.tasks.recall(namesake, "session-1", NOW) == ("", "")


async def test_starting_a_task_unpins_the_principals_sessions(registry: AnyRegistry) -> None:
    """Or the start would change nothing in the session it is meant for. Stopping does not."""
    alice, bob = filed(registry).principal, filed(registry, "bob").principal
    for principal in (alice, bob):
        await registry.tasks.pin(principal, "session-1", "PROJ-1", NOW)

    registry.clear_active(alice.key_id, NOW)
    assert await registry.tasks.recall(alice, "session-1", NOW) == ("PROJ-1", "")

    registry.set_active(alice.key_id, "PROJ-2", NOW)
    assert await registry.tasks.recall(alice, "session-1", NOW) == ("", "PROJ-2")
    assert await registry.tasks.recall(bob, "session-1", NOW) == ("PROJ-1", "")


async def test_pins_are_bounded_and_nobody_pushes_out_anothers(registry: AnyRegistry) -> None:
    """The one named longest ago goes first."""
    alice, bob = filed(registry).principal, filed(registry, "bob").principal
    tasks = registry.tasks
    await tasks.pin(bob, "session-of-bob", "PROJ-9", NOW)
    for number in range(memory_registry.PINS_MAX):
        await tasks.pin(alice, f"session-{number}", "PROJ-1", NOW)
    await tasks.pin(alice, "session-0", "PROJ-1", NOW)

    await tasks.pin(alice, "one-more", "PROJ-1", NOW)

    assert await tasks.recall(alice, "session-1", NOW) == ("", "")
    assert await tasks.recall(alice, "session-0", NOW) == ("PROJ-1", "")
    assert await tasks.recall(bob, "session-of-bob", NOW) == ("PROJ-9", "")


async def test_pins_whose_day_is_over_take_no_memory(registry: AnyRegistry) -> None:
    """They are looked for once an hour."""
    alice, bob = filed(registry).principal, filed(registry, "bob").principal
    registry.refresh(NOW)
    await registry.tasks.pin(alice, "session-1", "PROJ-1", NOW)
    await registry.tasks.pin(alice, "session-2", "PROJ-1", NOW + 24 * HOUR)
    await registry.tasks.pin(bob, "session-1", "PROJ-1", NOW)

    registry.refresh(NOW + HOUR / 2)
    assert len(registry.tasks._pins) == 2

    registry.refresh(NOW + 24 * HOUR)
    assert list(registry.tasks._pins) == [("default", "alice")]
    assert await registry.tasks.recall(alice, "session-2", NOW + 24 * HOUR) == ("PROJ-1", "")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
times = st.none() | st.floats(0, NOW)


catalogues = st.lists(
    st.builds(
        Task,
        id=st.sampled_from(["A-1", "A-2", "A-3"]),
        spelling=texts,
        title=texts,
        status=st.sampled_from(["open", "closed"]),
        opened_at=times,
        closed_at=times,
        root_id=texts,
        members=st.frozensets(texts),
        team=texts,
        value=st.none() | st.decimals(0, 10, places=3),
        creator=texts,
        url=texts,
        parent_id=st.sampled_from(["", "A-1", "A-2"]),
        owner=texts,
        reviewers=st.frozensets(texts),
        valued_by=texts,
        weight=st.none() | st.decimals(0, 1, places=3),
        by_bot=st.booleans(),
        use_case=texts,
        canary=st.booleans(),
    ),
    max_size=6,
)


@given(catalogues)
def test_whatever_is_imported_reads_back_as_the_reference_has_it(
    tmp_path_factory: pytest.TempPathFactory, imported: list[Task]
) -> None:
    """One by one, and again after the file was opened anew."""
    folder = tmp_path_factory.mktemp("registry")
    reference, store = BACKENDS["memory"](folder), BACKENDS["sqlite"](folder)
    for task in imported:
        assert reference.import_tasks([task], now=NOW) == store.import_tasks([task], now=NOW)
    store.close()
    reopened = BACKENDS["sqlite"](folder)

    assert store.list_tasks() == reference.list_tasks() == reopened.list_tasks()
    assert store.tasks.digest == reference.tasks.digest == reopened.tasks.digest
    reopened.close()


def change(task: str, at: float, **said: Any) -> TaskChange:
    return TaskChange(task=task, at=at, **said)


def who(account: Account | None) -> str:
    return "" if account is None else account.handle


def test_a_registry_follows_a_tracker(registry: AnyRegistry) -> None:
    """Late parents, a task that is opened again, and what is older than what is known."""
    alice = Account(handle="alice")
    registry.follow(
        [
            change("pay-3", 10.0, parent="pay-2", members=(alice,), status="closed"),
            change("pay-2", 11.0, parent="PAY-1", value=Decimal(2), valued_by=Account(handle="b")),
        ],
        tracker="jira",
        who=who,
        team="payments",
    )
    counts = registry.follow(
        [
            change("PAY-1", 5.0),
            change("PAY-3", 12.0, status="open"),
            change("PAY-2", 1.0, title="x"),
        ],
        tracker="jira",
        who=who,
    )

    assert (counts.new, counts.changed) == (1, 1)
    found = {task.id: task for task in registry.list_tasks()}
    assert [found[each].root_id for each in sorted(found)] == ["PAY-1"] * 3
    assert [each.id for each in registry.tasks.under("PAY-1")] == ["PAY-1", "PAY-2", "PAY-3"]
    assert found["PAY-2"].title == ""
    assert (found["PAY-2"].value, found["PAY-2"].valued_by) == (Decimal(2), "b")
    assert found["PAY-3"].intervals == ((10.0, 10.0),)
    assert (found["PAY-3"].opened_at, found["PAY-3"].closed_at) == (12.0, None)
    assert found["PAY-3"].members == {"alice"}


async def test_tasks_of_a_tracker_that_is_away_are_stale(registry: AnyRegistry) -> None:
    """And nobody else's; the digest does not say so."""
    registry.follow([change("PAY-1", 5.0)], tracker="jira", who=who)
    registry.import_tasks([MINE], now=NOW)
    before = registry.tasks.digest
    registry.tasks.stale_trackers = frozenset({"jira"})

    assert [task.stale for task in registry.list_tasks()] == [True, False]
    assert (await registry.tasks.find("PAY-1")) == registry.tasks.get("PAY-1")
    assert registry.tasks.digest == before


def test_a_file_leaves_what_only_a_tracker_knows(registry: AnyRegistry) -> None:
    """Whom a task follows, and when it was open before."""
    for at, status in ((5.0, "closed"), (6.0, "open"), (7.0, "closed")):
        registry.follow([change("PAY-1", at, status=status)], tracker="jira", who=who)
    registry.import_tasks([Task(id="PAY-1", spelling="PAY-1", root_id="PAY-1")], now=NOW)

    [task] = registry.list_tasks()
    assert (task.tracker, task.changed_at) == ("jira", 7.0)
    assert task.intervals == ((5.0, 5.0), (6.0, 7.0))
