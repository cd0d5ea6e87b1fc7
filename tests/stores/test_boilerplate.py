"""One suite for what was learnt of boilerplate in memory, in SQLite and in PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.errors import RegistryUnavailable
from gateway.stores import memory_boilerplate
from gateway.stores.postgres import boilerplate as postgres
from gateway.stores.sqlite import boilerplate as sqlite
from tests.stores.registries import database

NOW = 1_800_000_000.0
AnyBoilerplate: TypeAlias = (
    memory_boilerplate.Boilerplate | sqlite.Boilerplate | postgres.Boilerplate
)

BACKENDS: dict[str, Callable[[Path], AnyBoilerplate]] = {
    "memory": lambda _: memory_boilerplate.Boilerplate(),
    "postgres": lambda folder: postgres.Boilerplate.open(database(folder)),
    "sqlite": sqlite.Boilerplate.open,
}
DURABLE = ("postgres", "sqlite")


@pytest.fixture(params=sorted(BACKENDS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyBoilerplate]:
    opened = BACKENDS[request.param](tmp_path)
    yield opened
    opened.close()


@pytest.fixture(params=DURABLE)
def backend(request: pytest.FixtureRequest) -> Callable[[Path], AnyBoilerplate]:
    return BACKENDS[request.param]


def test_what_was_seen_is_read_by_period_the_newest_first(store: AnyBoilerplate) -> None:
    store.add("2026-11", [("PAY-1", b"a" * 8), ("PAY-2", b"b" * 8)])
    store.add("2026-12", [("PAY-1", b"c" * 8)])
    store.add("2026-11", [("PAY-1", b"d" * 16)])
    assert list(store.seen("2026-11")) == [
        ("PAY-1", b"d" * 16),
        ("PAY-2", b"b" * 8),
        ("PAY-1", b"a" * 8),
    ]
    assert list(store.seen("2026-12")) == [("PAY-1", b"c" * 8)]
    assert list(store.seen("2026-10")) == []


def test_a_root_has_no_more_than_its_share_of_a_period(store: AnyBoilerplate) -> None:
    """Replicas do not know of each other what a root has said: this is where it ends."""
    for number in range(5):
        store.add("2026-11", [("PAY-1", bytes([number]) * 1_024)])
    store.add("2026-11", [("PAY-2", b"x" * 8)])
    store.add("2026-12", [("PAY-1", b"y" * 8)])
    assert [len(grams) for root, grams in store.seen("2026-11") if root == "PAY-1"] == [1024, 1024]
    assert store.seen("2026-11")[0] == ("PAY-2", b"x" * 8)
    assert len(store.seen("2026-12")) == 1


def test_of_too_much_the_newest_is_read(
    store: AnyBoilerplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (memory_boilerplate, sqlite, postgres):
        monkeypatch.setattr(module, "READ_MAX", 2)
    store.add("2026-11", [(f"PAY-{number}", b"a" * 8) for number in range(4)])
    assert [root for root, _ in store.seen("2026-11")] == ["PAY-3", "PAY-2"]


def test_periods_that_are_over_are_forgotten(store: AnyBoilerplate) -> None:
    for period in ("2026-09", "2026-10", "2026-11"):
        store.add(period, [("PAY-1", b"a" * 8)])
    assert store.forget("2026-10") == 1
    assert store.forget("2026-10") == 0
    assert [len(store.seen(f"2026-{month}")) for month in ("09", "10", "11")] == [0, 1, 1]


def test_what_is_frozen_for_a_policy_stays(store: AnyBoilerplate) -> None:
    assert store.frozen("p1") is None
    assert store.freeze("p1", b"a" * 8, NOW) == b"a" * 8
    assert store.freeze("p1", b"b" * 16, NOW + 1) == b"a" * 8
    assert store.frozen("p1") == b"a" * 8
    assert store.freeze("p2", b"", NOW) == b""
    assert store.frozen("p2") == b""


def test_replicas_that_freeze_at_once_agree(tmp_path: Path) -> None:
    stores = [postgres.Boilerplate.open(database(tmp_path)) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = list(
            threads.map(
                lambda each: each[1].freeze("p1", bytes([each[0]]) * 8, NOW), enumerate(stores)
            )
        )
    assert len(set(found)) == 1
    for each in stores:
        each.close()


def test_it_is_there_for_the_next_process(
    backend: Callable[[Path], AnyBoilerplate], tmp_path: Path
) -> None:
    one = backend(tmp_path)
    one.add("2026-11", [("PAY-1", b"a" * 8)])
    one.freeze("p1", b"b" * 8, NOW)
    one.close()
    other = backend(tmp_path)
    assert list(other.seen("2026-11")) == [("PAY-1", b"a" * 8)]
    assert other.frozen("p1") == b"b" * 8
    other.close()


def test_one_that_is_closed_says_so(
    backend: Callable[[Path], AnyBoilerplate], tmp_path: Path
) -> None:
    made = backend(tmp_path)
    made.close()
    with pytest.raises(RegistryUnavailable):
        made.frozen("p1")
