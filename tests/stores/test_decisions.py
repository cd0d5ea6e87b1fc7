"""The decision log in the file: read in pieces, beside a server that writes."""

import asyncio
from pathlib import Path

import apsw
import pytest

from gateway import ledger
from gateway.errors import InvalidRequest, LedgerCorrupt
from gateway.stores.sqlite import decisions
from gateway.stores.sqlite.ledger import Ledger
from gateway.stores.sqlite.ledger_file import SQL, open_to_read
from gateway.stores.sqlite.reading import Reading
from tests.stores.ledgers import NOW_US, decision, open_ledger, settled


async def noted(folder: Path, *records: ledger.DecisionRecord | ledger.SettledRecord) -> Ledger:
    held = open_ledger(folder)
    held.start(asyncio.get_running_loop())
    for record in records:
        held.note(record)
        await held.flush()
    return held


async def test_a_reader_holds_up_neither_the_writer_nor_its_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "READ_BYTES", 1)
    held = await noted(tmp_path, *[decision(number) for number in range(4)])
    log = Reading(tmp_path).decision_log()
    assert next(log) == decision(0)
    held.note(decision(9))
    await held.flush()
    moved, pages = held._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    assert (moved, pages) == (0, 0)  # all of it: no reader was in the way
    assert list(log) == [decision(1), decision(2), decision(3)]  # and none of what came later
    held.close()


async def test_a_log_is_read_a_megabyte_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await noted(tmp_path, *[decision(number) for number in range(10)])
    monkeypatch.setattr(decisions, "READ_BYTES", 3 * len(ledger.encode(decision(0))))
    connection = open_to_read(tmp_path)
    taken = decisions._read(connection, 0, 10, 0)
    assert [row.id for row in taken] == [1, 2, 3]
    assert not connection.in_transaction
    connection.close()
    assert len(list(Reading(tmp_path).decision_log())) == 10
    held.close()


async def test_rows_that_end_before_the_window_are_not_read(tmp_path: Path) -> None:
    held = await noted(tmp_path, decision(0), decision(1), decision(2))
    connection = held._connection
    connection.execute("UPDATE decision_log SET lines = x'7b' WHERE id = 1")  # unreadable
    assert list(Reading(tmp_path).decision_log(NOW_US + 1)) == [decision(1), decision(2)]
    held.close()


async def test_a_row_is_found_by_its_times_whatever_order_its_lines_have(tmp_path: Path) -> None:
    held = open_ledger(tmp_path)
    held.start(asyncio.get_running_loop())
    for number in (3, 9, 1):
        held.note(decision(number))
    await held.flush()
    [(first, last)] = held._connection.execute("SELECT first_at_us, last_at_us FROM decision_log")
    assert (first, last) == (NOW_US + 1, NOW_US + 9)
    held.close()


@pytest.mark.parametrize(
    "after",
    [
        *("x", "1", "1.", ".1", "-1.2", "1.2.3", "\u0661.\u0661"),
        *("9" * 31 + ".1", f"{2**63}.1", f"1.{2**63}", "9" * 5000 + ".1"),
    ],
)
async def test_a_page_begins_only_where_another_ended(tmp_path: Path, after: str) -> None:
    held = await noted(tmp_path, decision(0))
    with pytest.raises(InvalidRequest, match="send it as it was"):
        Reading(tmp_path).decision_page(after=after)
    held.close()


async def test_a_page_goes_on_after_rows_that_were_pruned(tmp_path: Path) -> None:
    held = await noted(tmp_path, *[decision(number) for number in range(4)])
    page = Reading(tmp_path).decision_page(limit=1)
    held._connection.execute("DELETE FROM decision_log WHERE id <= 2")
    rest = Reading(tmp_path).decision_page(after=page.after)
    assert rest.lines == [ledger.encode(decision(2)), ledger.encode(decision(3))]
    held.close()


async def test_texts_of_policies_outlive_the_server_and_the_log(tmp_path: Path) -> None:
    held = open_ledger(tmp_path)
    held.keep_policies("sha256:a", [("a.yaml", "version: 1")], NOW_US)
    held.start(asyncio.get_running_loop())  # what was kept before is written now
    await held.flush()
    held._writer._prune()
    held.close()
    held.keep_policies("sha256:b", [], NOW_US)  # too late, and no harm
    assert Reading(tmp_path).policy_files("sha256:a") == [("a.yaml", "version: 1")]
    assert Reading(tmp_path).policy_files("sha256:b") is None


def test_a_file_older_than_texts_of_policies_has_none_and_gets_them(tmp_path: Path) -> None:
    old = apsw.Connection(str(tmp_path / "ledger.sqlite"))
    old.execute(SQL["migration_1"])
    old.pragma("user_version", 1)
    old.execute(SQL["add_decisions"], (NOW_US, NOW_US, ledger.encode(decision(0))))
    old.close()
    assert Reading(tmp_path).policy_files("sha256:a") is None
    open_ledger(tmp_path).close()
    assert Reading(tmp_path).policy_files("sha256:a") is None
    assert list(Reading(tmp_path).decision_log()) == [decision(0)]


def test_decisions_in_the_intake_reach_the_log(tmp_path: Path) -> None:
    """The first releases put them there."""
    held = open_ledger(tmp_path)
    records = [decision(1), settled(1)]
    blob = b"\n".join(ledger.encode(record) for record in records)
    held._connection.execute(SQL["add_intake"], ("r9", blob))
    held.close()
    assert list(Reading(tmp_path).decision_log()) == records
    assert Reading(tmp_path).clashes() == []


async def test_a_line_of_another_version_is_told_and_not_passed_over(tmp_path: Path) -> None:
    held = await noted(tmp_path, decision(1))
    foreign = b'{"kind":"other"}'
    held._connection.execute("UPDATE decision_log SET lines = ?", (foreign,))
    reading = Reading(tmp_path)
    for read in (lambda: list(reading.decision_log()), reading.last_policy):
        with pytest.raises(LedgerCorrupt, match="another version's"):
            read()
    held.close()
